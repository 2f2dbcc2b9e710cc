//! `snaxum routes`: the table, for people and for tools.
//!
//! The list alone goes to stdout; what did not load goes to stderr.

mod baseline;
mod filter;
mod generation_diff;
mod lookup;
mod openapi;

use std::collections::HashMap;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use console::{measure_text_width, style};
use serde::Serialize;
use snaxum::config::ServerOptions;
use snaxum::error::Error;
use snaxum::message::RouteInfo;

use super::client::routes::{self, Table};
use super::render::color::{complain, plain, plain_json, say, say_error};
use super::options::ProjectArgs;
use super::project;
use baseline::Saved;
pub(crate) use filter::Filter;
use generation_diff::Generations;
use lookup::Wanted;

/// How to write the list.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Table,
    /// The table with ids, docstrings and warnings.
    Wide,
    /// One list.
    Json,
    /// One object a line.
    Ndjson,
    Md,
    /// RFC 4180.
    Csv,
    /// An OpenAPI 3.1 document of the paths, their parameters and their docstrings.
    Openapi,
}

/// What to do with the list.
#[derive(Args)]
pub(crate) struct Options {
    /// How to write the list.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    filter: Filter,
    /// Prints no list, but how it differs from FILE, which `--format json` has printed; exits with 1
    /// if it does.
    #[arg(long, value_name = "FILE", value_parser = Saved::read)]
    check: Option<Saved>,
    /// Likewise, but on stdout, and a difference is no failure; or how two generations of the
    /// running dev server differ, such as `G7..G8`.
    #[arg(long, value_name = "FILE|G7..G8", value_parser = Before::read, conflicts_with = "check")]
    diff: Option<Before>,
    /// Prints no list, but the route that answers REQUEST, such as `POST /orders/9`, with its
    /// parameters, and why those near it do not; exits with 1 if none answers.
    #[arg(long = "match", value_name = "REQUEST", value_parser = Wanted::read, conflicts_with_all = [
        "check", "diff", "strict", "grep", "method", "path", "except_path", "sort", "all_methods",
        "live", "unused",
    ])]
    wanted: Option<Wanted>,
    /// Exits with 3 if a route has a warning, or a module does not load.
    #[arg(long)]
    strict: bool,
    /// Asks the running dev server, instead of loading the modules: what serves there, with the
    /// number of requests that each route has answered. Of the server options only `--module` goes
    /// with it: it lists the routes of those modules.
    #[arg(long)]
    live: bool,
    /// Loads the modules afresh; this is what happens without it too.
    #[arg(long, conflicts_with_all = ["live", "unused"])]
    offline: bool,
    /// Only routes that have answered no request of the running dev server; implies `--live`.
    #[arg(long)]
    unused: bool,
}

/// What a list is compared with.
#[derive(Clone)]
enum Before {
    Saved(Saved),
    Generations(Generations),
}

impl Before {
    fn read(text: &str) -> Result<Self, String> {
        match Generations::read(text) {
            Some(generations) => Ok(Self::Generations(generations)),
            None => Saved::read(text).map(Self::Saved),
        }
    }
}

/// Prints the routes; exits with 1 if a module does not load.
pub(crate) fn run(args: ProjectArgs, options: &Options) -> Result<ExitCode, Error> {
    let forms = matches!(options.format, Format::Table | Format::Json | Format::Ndjson);
    if options.wanted.is_some() && !forms {
        say_error("`--match` writes a table, json or ndjson; leave `--format` out, or choose one");
        return Ok(ExitCode::from(2));
    }
    if let Some(Before::Generations(generations)) = options.diff {
        return Ok(match generations.differences(&args.dir)? {
            Ok(lines) => {
                say(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
                ExitCode::SUCCESS
            }
            Err(problem) => {
                say_error(&problem);
                ExitCode::from(2)
            }
        });
    }
    let name = std::path::absolute(&args.dir).unwrap_or_default();
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if options.live || options.unused {
        let mut flags = args.flags.0;
        let modules = std::mem::take(&mut flags.modules);
        if flags != ServerOptions::default() {
            say_error(
                "the running server has its options already: of them only `--module` goes with \
                 `--live` and `--unused`; leave out the others",
            );
            return Ok(ExitCode::from(2));
        }
        let mut table = routes::ask(&args.dir)?;
        table.routes.retain(|route| modules.is_empty() || modules.contains(&route.module));
        return Ok(options.print(&table, &name));
    }
    project::load(args, |runtime| {
        let serving = runtime.serving();
        project::print_failures(runtime);
        if let Some(wanted) = &options.wanted {
            let code = wanted.explain(runtime, options.format);
            return if serving.failing { ExitCode::FAILURE } else { code };
        }
        let order = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(runtime.matching_order())
        });
        let (routes, is_failing) = (serving.routes.clone(), serving.failing);
        options.print(&Table { routes, hits: HashMap::new(), order, is_failing }, &name)
    })
}

impl Options {
    /// Prints what is asked for of this table.
    fn print(&self, table: &Table, project: &str) -> ExitCode {
        let mut routes = self.filter.of(&table.routes, &table.order);
        if self.unused {
            routes.retain(|route| !table.hits.contains_key(&route.id));
        }
        let is_odd = table.is_failing || routes.iter().any(|route| !route.warnings.is_empty());
        let trouble = match is_odd {
            true if self.strict => 3,
            _ => u8::from(table.is_failing),
        };
        if let Some(saved) = &self.check {
            let differences = saved.differences(&routes);
            for line in &differences {
                complain(&format!("{line}\n"));
            }
            return ExitCode::from(trouble.max(u8::from(!differences.is_empty())));
        }
        if let Some(Before::Saved(saved)) = &self.diff {
            let lines = saved.differences(&routes);
            say(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
            return ExitCode::from(trouble);
        }
        let hits = (self.live || self.unused).then_some(&table.hits);
        let list = match self.format {
            Format::Table | Format::Wide => {
                columns(&routes, matches!(self.format, Format::Wide), hits)
            }
            Format::Json => {
                pretty(&routes.iter().map(|route| Row::of(route, hits)).collect::<Vec<_>>())
            }
            Format::Ndjson => routes
                .iter()
                .map(|route| serde_json::to_string(&Row::of(route, hits)).expect("plain data"))
                .map(|row| plain_json(&row) + "\n")
                .collect(),
            Format::Md => markdown(&routes, hits),
            Format::Csv => csv(&routes, hits),
            Format::Openapi => {
                let (document, left_out) = openapi::document(project, &routes);
                for note in left_out {
                    complain(&format!("note: left out: {}\n", plain(&note)));
                }
                pretty(&document)
            }
        };
        say(&list);
        ExitCode::from(trouble)
    }
}

fn pretty(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("plain data");
    text.split('\n').map(|line| plain_json(line) + "\n").collect()
}

/// A route as JSON.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    route: &'a RouteInfo,
    /// Where a server has counted them.
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<u64>,
}

impl<'a> Row<'a> {
    fn of(route: &'a RouteInfo, hits: Hits<'_>) -> Self {
        Self { route, hits: hits.map(|_| count(hits, route)) }
    }
}

/// How many requests each route has answered, by its id, where a server has counted them.
type Hits<'a> = Option<&'a HashMap<String, u64>>;

/// The titles, and a row a route.
fn rows(routes: &[RouteInfo], hits: Hits<'_>) -> Vec<Vec<String>> {
    let titles = ["METHOD", "PATH", "HANDLER", "MODE", "SOURCE", "HITS"].map(str::to_owned);
    let cells = |route: &RouteInfo| {
        [
            route.methods.join(","),
            plain(&route.path),
            plain(&route.handler),
            route.mode.clone(),
            format!("{}:{}", plain(&route.file), route.line),
            count(hits, route).to_string(),
        ]
    };
    let rows = std::iter::once(titles).chain(routes.iter().map(cells));
    let width = if hits.is_some() { 6 } else { 5 };
    rows.map(|row| row.into_iter().take(width).collect()).collect()
}

fn count(hits: Hits<'_>, route: &RouteInfo) -> u64 {
    hits.and_then(|hits| hits.get(&route.id)).copied().unwrap_or(0)
}

/// The table for people.
fn columns(routes: &[RouteInfo], is_wide: bool, hits: Hits<'_>) -> String {
    let mut rows = rows(routes, hits);
    if is_wide {
        rows[0].extend(["ID", "DOC", "WARNINGS"].map(str::to_owned));
        for (row, route) in rows[1..].iter_mut().zip(routes) {
            let doc = route.doc.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
            row.extend([plain(&route.id), plain(doc), plain(&route.warnings.join("; "))]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max();
    let widths: Vec<usize> = (0..rows[0].len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<_> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| {
                console::pad_str(cell, *width, console::Alignment::Left, None).into_owned()
            })
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut out = style(line(&rows[0])).bold().to_string();
    out.extend(rows[1..].iter().map(line));
    out + &format!("\n{} routes\n", routes.len())
}

fn markdown(routes: &[RouteInfo], hits: Hits<'_>) -> String {
    let rows = rows(routes, hits);
    let titles = &rows[0];
    let mut out = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for row in &rows[1..] {
        let escaped: Vec<_> =
            row.iter().map(|cell| format!("`{}`", cell.replace('|', "\\|"))).collect();
        out += &format!("| {} |\n", escaped.join(" | "));
    }
    out
}

fn csv(routes: &[RouteInfo], hits: Hits<'_>) -> String {
    let cell = |text: String| {
        let is_plain = !text.contains(['"', ',', '\r', '\n']);
        if is_plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    let line = |row: Vec<String>| row.into_iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
    rows(routes, hits).into_iter().map(line).collect()
}
