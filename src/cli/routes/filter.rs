//! Which routes are listed, and in which order.

use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use snaxum::message::RouteInfo;

/// Filters that all have to hold, besides `--module`, which says what is loaded.
#[derive(Args)]
pub(crate) struct Filter {
    /// Only routes whose path or handler matches this regular expression.
    #[arg(short, long, value_name = "REGEX", value_parser = Regex::new)]
    grep: Option<Regex>,
    /// Only routes that answer this method.
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Only routes whose path, as written, matches: `*` within a segment, `**` across them.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    path: Option<GlobMatcher>,
    /// No routes whose path matches.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    except_path: Option<GlobMatcher>,
    /// The order; without it, that of the modules and of the lines in them.
    #[arg(long, value_enum)]
    sort: Option<Sort>,
    /// Lists HEAD, where GET implies it, and OPTIONS too.
    #[arg(long)]
    all_methods: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Sort {
    Path,
    Method,
    Module,
    Source,
    /// The order in which they are tried.
    Match,
}

fn glob(text: &str) -> Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(text).literal_separator(true).build()?.compile_matcher())
}

impl Filter {
    /// Gives the routes that are to be listed; `order` has their ids as they are tried.
    pub(super) fn of(&self, routes: &[RouteInfo], order: &[String]) -> Vec<RouteInfo> {
        let mut kept: Vec<RouteInfo> = routes.to_vec();
        if self.all_methods {
            kept.iter_mut().for_each(add_implied);
        }
        kept.retain(|route| self.keeps(route));
        match self.sort {
            None => {}
            Some(Sort::Path) => kept.sort_by(|a, b| a.path.cmp(&b.path)),
            Some(Sort::Method) => kept.sort_by(|a, b| a.methods.cmp(&b.methods)),
            Some(Sort::Module) => kept.sort_by(|a, b| a.module.cmp(&b.module)),
            Some(Sort::Source) => kept.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line))),
            Some(Sort::Match) => {
                let place = |route: &RouteInfo| order.iter().position(|id| *id == route.id);
                kept.sort_by_cached_key(|route| place(route).unwrap_or(usize::MAX));
            }
        }
        kept
    }

    fn keeps(&self, route: &RouteInfo) -> bool {
        let matches = |regex: &Regex| regex.is_match(&route.path) || regex.is_match(&route.handler);
        let answers =
            |method: &String| route.methods.iter().any(|known| known.eq_ignore_ascii_case(method));
        self.grep.as_ref().is_none_or(matches)
            && self.method.as_ref().is_none_or(answers)
            && self.path.as_ref().is_none_or(|glob| glob.is_match(&route.path))
            && !self.except_path.as_ref().is_some_and(|glob| glob.is_match(&route.path))
    }
}

fn add_implied(route: &mut RouteInfo) {
    let has = |methods: &[String], method: &str| methods.iter().any(|known| known == method);
    if has(&route.methods, "GET") && !has(&route.methods, "HEAD") {
        route.methods.push("HEAD".to_owned());
    }
    if !has(&route.methods, "OPTIONS") {
        route.methods.push("OPTIONS".to_owned());
    }
    route.methods.sort();
}
