//! `snaxum routes`: lists routes for people and for tools.
//!
//! Only the list goes to stdout; load errors go to stderr.

mod baseline;
mod filter;
mod format;
mod generation_diff;
mod lookup;

use std::collections::HashMap;
use std::process::ExitCode;

use clap::Args;
use snaxum::config::ServerOptions;
use snaxum::error::Error;

use super::client::routes::{self, LiveRoutes};
use super::openapi::{self, OpenApiOptions};
use super::options::ProjectArgs;
use super::project;
use super::render::color::{print, print_error, print_stderr};
use baseline::Baseline;
use filter::RouteFilter;
use format::RouteFormat;
use generation_diff::GenerationRange;
use lookup::RequestLine;

/// The options of `snaxum routes`.
#[derive(Args)]
pub(crate) struct RouteOptions {
    /// Output format
    #[arg(long, value_enum, default_value_t = RouteFormat::Table)]
    format: RouteFormat,
    #[command(flatten)]
    filter: RouteFilter,
    /// Compare the routes with FILE, the output of `--format json`, instead of listing them; exit
    /// with 1 if they differ
    #[arg(long, value_name = "FILE", value_parser = Baseline::read)]
    check: Option<Baseline>,
    /// Print the differences from FILE, or between two generations of the running dev server, such
    /// as `v7..v8`, and exit with 0
    #[arg(long, value_name = "FILE|v7..v8", value_parser = DiffBase::read, conflicts_with = "check")]
    diff: Option<DiffBase>,
    /// Print the route that matches REQUEST, such as `POST /orders/9`, with its parameters, and
    /// explain the near misses; exit with 1 if no route matches
    #[arg(long = "match", value_name = "REQUEST", value_parser = RequestLine::parse, conflicts_with_all = [
        "check", "diff", "strict", "grep", "method", "path", "sort", "all_methods", "live", "unused",
    ])]
    request: Option<RequestLine>,
    /// Exit with 3 if a route has a warning or a module does not load
    #[arg(long)]
    strict: bool,
    /// List the routes of the running dev server, with the number of requests of each; of the
    /// server options only `--module` is allowed, to list the routes of those modules
    #[arg(long)]
    live: bool,
    /// Load the modules instead of asking a server (the default)
    #[arg(long, conflicts_with_all = ["live", "unused"])]
    offline: bool,
    /// List only the routes of the running dev server without a request; implies `--live`
    #[arg(long)]
    unused: bool,
}

/// The routes that a list is compared with.
#[derive(Clone)]
enum DiffBase {
    File(Baseline),
    Generations(GenerationRange),
}

impl DiffBase {
    fn read(text: &str) -> Result<Self, String> {
        match GenerationRange::parse(text) {
            Some(range) => Ok(Self::Generations(range)),
            None => Baseline::read(text).map(Self::File),
        }
    }
}

/// Prints the routes; exits with 1 if a module does not load.
pub(crate) fn run(args: ProjectArgs, options: &RouteOptions) -> Result<ExitCode, Error> {
    let is_allowed = matches!(options.format, RouteFormat::Table | RouteFormat::Json);
    if options.request.is_some() && !is_allowed {
        print_error("`--match` prints a table or JSON; use `--format table` or `--format json`");
        return Ok(ExitCode::from(2));
    }
    if options.format == RouteFormat::Openapi {
        if options.selects_or_compares() {
            print_error(
                "`--format openapi` writes the whole document; remove the other options of `routes`",
            );
            return Ok(ExitCode::from(2));
        }
        return openapi::run(args, &OpenApiOptions::default());
    }
    if let Some(DiffBase::Generations(range)) = options.diff {
        return Ok(match range.differences(args.dir())? {
            Ok(lines) => {
                print_lines(&lines);
                ExitCode::SUCCESS
            }
            Err(problem) => {
                print_error(&problem);
                ExitCode::from(2)
            }
        });
    }
    if options.live || options.unused {
        let dir = args.dir().to_owned();
        let mut flags = args.flags.0;
        let modules = std::mem::take(&mut flags.modules);
        if flags != ServerOptions::default() {
            print_error(
                "`--live` and `--unused` list a running server, which has its options already; \
                 remove all server options except `--module`",
            );
            return Ok(ExitCode::from(2));
        }
        let mut live = routes::fetch(&dir)?;
        live.routes.retain(|route| modules.is_empty() || modules.contains(&route.module));
        return Ok(options.print(&live));
    }
    project::load(args, |runtime| {
        let serving = runtime.serving();
        project::print_failures(runtime);
        if let Some(request) = &options.request {
            let code = request.explain(runtime, options.format);
            return if serving.failing { ExitCode::FAILURE } else { code };
        }
        let order = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(runtime.matching_order())
        });
        let (routes, is_failing) = (serving.routes.clone(), serving.failing);
        options.print(&LiveRoutes { routes, hits: HashMap::new(), order, is_failing })
    })
}

impl RouteOptions {
    /// Whether an option would list other routes, or compare them.
    fn selects_or_compares(&self) -> bool {
        self.live
            || self.unused
            || self.strict
            || self.check.is_some()
            || self.diff.is_some()
            || self.filter.is_set()
    }

    /// Prints the list or its differences.
    fn print(&self, all: &LiveRoutes) -> ExitCode {
        let mut routes = self.filter.select(&all.routes, &all.order);
        if self.unused {
            routes.retain(|route| !all.hits.contains_key(&route.id));
        }
        let has_warnings = all.is_failing || routes.iter().any(|route| !route.warnings.is_empty());
        let code = if has_warnings && self.strict { 3 } else { u8::from(all.is_failing) };
        if let Some(baseline) = &self.check {
            let differences = baseline.differences(&routes);
            for line in &differences {
                print_stderr(&format!("{line}\n"));
            }
            return ExitCode::from(code.max(u8::from(!differences.is_empty())));
        }
        if let Some(DiffBase::File(baseline)) = &self.diff {
            print_lines(&baseline.differences(&routes));
            return ExitCode::from(code);
        }
        let hits = (self.live || self.unused).then_some(&all.hits);
        print(&match self.format {
            RouteFormat::Table => format::table(&routes, false, hits),
            RouteFormat::Wide => format::table(&routes, true, hits),
            RouteFormat::Json => format::json(&routes, hits),
            RouteFormat::Md => format::markdown(&routes, hits),
            RouteFormat::Openapi => unreachable!("`run` writes the document"),
        });
        ExitCode::from(code)
    }
}

fn print_lines(lines: &[String]) {
    print(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
}
