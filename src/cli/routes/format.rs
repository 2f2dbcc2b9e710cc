//! Writes a list of routes as a table, Markdown or JSON.

use std::collections::HashMap;

use clap::ValueEnum;
use console::{Alignment, measure_text_width, pad_str, style};
use serde::Serialize;
use snaxum::message::RouteInfo;

use crate::cli::render::color::escape;
use crate::cli::render::json::pretty;

/// The form of the list.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RouteFormat {
    Table,
    /// The table with ids, docstrings and warnings.
    Wide,
    /// One JSON list; filter it with jq.
    Json,
    /// A Markdown table.
    Md,
    /// The OpenAPI 3.1 document, as `snaxum openapi` writes it.
    Openapi,
}

/// The number of requests of each route by its id, where a server has counted them.
pub(super) type Hits<'a> = Option<&'a HashMap<String, u64>>;

/// A route as JSON.
#[derive(Serialize)]
struct RouteJson<'a> {
    #[serde(flatten)]
    route: &'a RouteInfo,
    /// Missing without a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<u64>,
}

/// Writes the list as JSON.
pub(super) fn json(routes: &[RouteInfo], hits: Hits<'_>) -> String {
    let item = |route| RouteJson { route, hits: hits.map(|_| hit_count(hits, route)) };
    pretty(&routes.iter().map(item).collect::<Vec<_>>())
}

/// Writes the table; `is_wide` adds columns.
pub(super) fn table(routes: &[RouteInfo], is_wide: bool, hits: Hits<'_>) -> String {
    let mut rows = rows(routes, hits);
    if is_wide {
        rows[0].extend(["ID", "DOC", "WARNINGS"].map(str::to_owned));
        for (row, route) in rows[1..].iter_mut().zip(routes) {
            let doc = route.doc.as_deref().unwrap_or_default().lines().next().unwrap_or_default();
            row.extend([escape(&route.id), escape(doc), escape(&route.warnings.join("; "))]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| measure_text_width(&row[column])).max();
    let widths: Vec<usize> = (0..rows[0].len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(&widths);
        let padded: Vec<_> =
            cells.map(|(cell, width)| pad_str(cell, *width, Alignment::Left, None)).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut out = style(line(&rows[0])).bold().to_string();
    out.extend(rows[1..].iter().map(line));
    out + &format!("\n{} routes\n", routes.len())
}

/// Writes the table as Markdown.
pub(super) fn markdown(routes: &[RouteInfo], hits: Hits<'_>) -> String {
    let rows = rows(routes, hits);
    let titles = &rows[0];
    let mut out = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for row in &rows[1..] {
        let cells = row.iter().map(|cell| format!("`{}`", cell.replace('|', "\\|")));
        out += &format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    }
    out
}

/// The titles, then one row for each route.
fn rows(routes: &[RouteInfo], hits: Hits<'_>) -> Vec<Vec<String>> {
    // Columns that would be empty are left out.
    let has_hooks = routes.iter().any(|route| !route.via.is_empty());
    let select = |cells: [String; 7]| {
        let is_shown = [true, true, true, true, has_hooks, true, hits.is_some()];
        let shown = cells.into_iter().zip(is_shown).filter(|(_, is_shown)| *is_shown);
        shown.map(|(cell, _)| cell).collect()
    };
    let titles = ["METHOD", "PATH", "HANDLER", "MODE", "VIA", "SOURCE", "HITS"];
    let cells = |route: &RouteInfo| {
        select([
            route.methods.join(","),
            escape(&route.path),
            escape(&route.handler),
            route.execution(),
            escape(&hook_names(route).join(", ")),
            format!("{}:{}", escape(&route.file), route.line),
            hit_count(hits, route).to_string(),
        ])
    };
    std::iter::once(select(titles.map(str::to_owned))).chain(routes.iter().map(cells)).collect()
}

/// The functions of the hooks, without their kinds.
fn hook_names(route: &RouteInfo) -> Vec<&str> {
    route.via.iter().map(|hook| hook.rsplit(' ').next().unwrap_or(hook)).collect()
}

fn hit_count(hits: Hits<'_>, route: &RouteInfo) -> u64 {
    hits.and_then(|hits| hits.get(&route.id)).copied().unwrap_or(0)
}
