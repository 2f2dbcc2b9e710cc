//! `snaxum routes`: the table, for people and for tools.
//!
//! The list alone goes to stdout; what did not load goes to stderr.

mod filter;
mod matching;
mod saved;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use console::{measure_text_width, style};
use snaxum::error::Error;
use snaxum::message::RouteInfo;

use super::style::{complain, plain, say, say_error};
use super::{ProjectArgs, project};
pub(crate) use filter::Filter;
use matching::Wanted;
use saved::Saved;

/// How to write the list.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    Table,
    /// One list.
    Json,
    /// One object a line.
    Ndjson,
    Md,
    /// RFC 4180.
    Csv,
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
    /// Likewise, but on stdout, and a difference is no failure.
    #[arg(long, value_name = "FILE", value_parser = Saved::read, conflicts_with = "check")]
    diff: Option<Saved>,
    /// Prints no list, but the route that answers REQUEST, such as `POST /orders/9`, with its
    /// parameters, and why those near it do not; exits with 1 if none answers.
    #[arg(long = "match", value_name = "REQUEST", value_parser = Wanted::read, conflicts_with_all = [
        "check", "diff", "strict", "grep", "method", "path", "except_path", "sort", "all_methods",
    ])]
    wanted: Option<Wanted>,
    /// Exits with 3 if a route has a warning, or a module does not load.
    #[arg(long)]
    strict: bool,
}

/// Prints the routes; exits with 1 if a module does not load.
pub(crate) fn run(args: ProjectArgs, options: &Options) -> Result<ExitCode, Error> {
    if options.wanted.is_some() && matches!(options.format, Format::Md | Format::Csv) {
        say_error("`--match` writes a table, json or ndjson; leave `--format` out, or choose one");
        return Ok(ExitCode::from(2));
    }
    project::load(args, |runtime| {
        let serving = runtime.serving();
        if let Some(wanted) = &options.wanted {
            project::print_failures(runtime);
            let code = wanted.explain(runtime, options.format);
            return if serving.failing { ExitCode::FAILURE } else { code };
        }
        let routes = options.filter.of(&serving.routes);
        project::print_failures(runtime);
        let is_odd = serving.failing || routes.iter().any(|route| !route.warnings.is_empty());
        let trouble = match is_odd {
            true if options.strict => 3,
            _ => u8::from(serving.failing),
        };
        if let Some(saved) = &options.check {
            let differences = saved.differences(&routes);
            for line in &differences {
                complain(&format!("{line}\n"));
            }
            return ExitCode::from(trouble.max(u8::from(!differences.is_empty())));
        }
        if let Some(saved) = &options.diff {
            let lines = saved.differences(&routes);
            say(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
            return ExitCode::from(trouble);
        }
        let list = match options.format {
            Format::Table => table(&routes),
            Format::Json => serde_json::to_string_pretty(&routes).expect("plain data") + "\n",
            Format::Ndjson => routes
                .iter()
                .map(|route| serde_json::to_string(route).expect("plain data") + "\n")
                .collect(),
            Format::Md => markdown(&routes),
            Format::Csv => csv(&routes),
        };
        say(&list);
        ExitCode::from(trouble)
    })
}

const TITLES: [&str; 5] = ["METHOD", "PATH", "HANDLER", "MODE", "SOURCE"];

fn cells(route: &RouteInfo) -> [String; 5] {
    [
        route.methods.join(","),
        plain(&route.path),
        plain(&route.handler),
        route.mode.clone(),
        format!("{}:{}", plain(&route.file), route.line),
    ]
}

fn table(routes: &[RouteInfo]) -> String {
    let rows: Vec<[String; 5]> = routes.iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| measure_text_width(&row[column]));
        cells.chain([TITLES[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |cells: [String; 5]| {
        let padded: Vec<String> = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| {
                console::pad_str(cell, width, console::Alignment::Left, None).into_owned()
            })
            .collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut out = style(line(TITLES.map(str::to_owned))).bold().to_string();
    for row in rows {
        out += &line(row);
    }
    out + &format!("\n{} routes\n", routes.len())
}

fn markdown(routes: &[RouteInfo]) -> String {
    let mut out = format!("| {} |\n|{}\n", TITLES.join(" | "), "---|".repeat(TITLES.len()));
    for route in routes {
        let escaped = cells(route).map(|cell| format!("`{}`", cell.replace('|', "\\|")));
        out += &format!("| {} |\n", escaped.join(" | "));
    }
    out
}

fn csv(routes: &[RouteInfo]) -> String {
    let cell = |text: String| {
        let is_plain = !text.contains(['"', ',', '\r', '\n']);
        if is_plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }
    };
    let line = |cells: [String; 5]| cells.map(cell).join(",") + "\r\n";
    let rows = routes.iter().map(|route| line(cells(route)));
    std::iter::once(line(TITLES.map(str::to_owned))).chain(rows).collect()
}
