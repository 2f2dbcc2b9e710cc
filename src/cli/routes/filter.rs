//! Selects and sorts the listed routes.

use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use snaxum::message::{ANY_METHOD, RouteInfo};

/// Filters that all must match. `--module` is not one: it limits the loaded modules.
#[derive(Args)]
pub(crate) struct RouteFilter {
    /// List only routes whose path or handler matches this regular expression
    #[arg(short, long, value_name = "REGEX", value_parser = Regex::new)]
    grep: Option<Regex>,
    /// List only routes with this method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// List only routes whose path, as written, matches: `*` within a segment, `**` across segments
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    path: Option<GlobMatcher>,
    /// Order of the list [default: by module, then by line]
    #[arg(long, value_enum)]
    sort: Option<Sort>,
    /// Also list HEAD, where GET implies it, and OPTIONS
    #[arg(long)]
    all_methods: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Path,
    Method,
    Module,
    Source,
    /// The order of matching.
    Match,
}

fn glob(text: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(text).literal_separator(true).build()?.compile_matcher())
}

impl RouteFilter {
    /// Whether an option selects or sorts.
    pub(super) fn is_set(&self) -> bool {
        let Self { grep, method, path, sort, all_methods } = self;
        grep.is_some() || method.is_some() || path.is_some() || sort.is_some() || *all_methods
    }

    /// Returns the listed routes; `order` has all ids in the order of matching.
    pub(super) fn select(&self, routes: &[RouteInfo], order: &[String]) -> Vec<RouteInfo> {
        let mut selected: Vec<RouteInfo> = routes.to_vec();
        if self.all_methods {
            selected.iter_mut().for_each(add_implied);
        }
        selected.retain(|route| self.matches(route));
        match self.sort {
            None => {}
            Some(Sort::Path) => selected.sort_by(|a, b| a.path.cmp(&b.path)),
            Some(Sort::Method) => selected.sort_by(|a, b| a.methods.cmp(&b.methods)),
            Some(Sort::Module) => selected.sort_by(|a, b| a.module.cmp(&b.module)),
            Some(Sort::Source) => {
                selected.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)))
            }
            Some(Sort::Match) => {
                let place = |route: &RouteInfo| order.iter().position(|id| *id == route.id);
                selected.sort_by_cached_key(|route| place(route).unwrap_or(usize::MAX));
            }
        }
        selected
    }

    fn matches(&self, route: &RouteInfo) -> bool {
        let is_match =
            |regex: &Regex| regex.is_match(&route.path) || regex.is_match(&route.handler);
        let has_method = |method: &String| {
            let is = |known: &String| known == ANY_METHOD || known.eq_ignore_ascii_case(method);
            route.methods.iter().any(is)
        };
        self.grep.as_ref().is_none_or(is_match)
            && self.method.as_ref().is_none_or(has_method)
            && self.path.as_ref().is_none_or(|glob| glob.is_match(&route.path))
    }
}

fn add_implied(route: &mut RouteInfo) {
    if route.methods.iter().any(|method| method == ANY_METHOD) {
        return;
    }
    let has = |methods: &[String], method: &str| methods.iter().any(|known| known == method);
    if has(&route.methods, "GET") && !has(&route.methods, "HEAD") {
        route.methods.push("HEAD".to_owned());
    }
    if !has(&route.methods, "OPTIONS") && !has(&route.methods, "WS") {
        route.methods.push("OPTIONS".to_owned());
    }
    route.methods.sort();
}
