//! `--diff v7..v8`: compares the routes of two generations of a running server.
//!
//! Composes the difference from the route diffs of the reloads in between.

use std::collections::BTreeMap;
use std::path::Path;

use console::style;
use serde::Deserialize;
use snaxum::error::Error;
use snaxum::message::{RouteDiff, RouteRef};

use crate::cli::client::routes;
use crate::cli::render::color::escape;

/// Two generations, the older one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GenerationRange {
    from: u64,
    to: u64,
}

/// The part of a reload that the comparison uses.
#[derive(Deserialize)]
struct ReloadDiff {
    generation: u64,
    cause: String,
    outcome: String,
    diff: RouteDiff,
}

/// The handler of one method of one path, before and after.
#[derive(Default)]
struct HandlerChange {
    was: Option<String>,
    now: Option<String>,
    is_changed: bool,
}

type HandlerChanges = BTreeMap<(String, String), HandlerChange>;

impl GenerationRange {
    /// Parses `v7..v8`, or `G7..G8` as older messages write it; `None` for anything else, such as a file name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.strip_prefix(['v', 'G'])?.parse().ok();
        let (from, to) = text.split_once("..")?;
        Some(Self { from: number(from)?, to: number(to)? })
    }

    /// Fetches the reloads of the server of `dir`; returns one line for each difference, or the
    /// reason why the generations cannot be compared.
    pub(super) fn differences(self, dir: &Path) -> Result<Result<Vec<String>, String>, Error> {
        Ok(self.compose(routes::fetch_reloads(dir)?))
    }

    /// Expects the newest reload first.
    fn compose(self, reloads: Vec<ReloadDiff>) -> Result<Vec<String>, String> {
        let Self { from, to } = self;
        let is_ok = |reload: &&ReloadDiff| reload.outcome == "ok";
        let newest = reloads.first().map_or(0, |reload| reload.generation);
        let start = reloads.iter().find(|reload| reload.cause == "start");
        // Older reloads, and reloads of an earlier process, are not recorded.
        let oldest = start.or(reloads.iter().rfind(is_ok)).map_or(0, |reload| reload.generation);
        if !(oldest <= from && from <= to && to <= newest) {
            return Err(format!(
                "cannot compare v{from}..v{to}: the server has recorded v{oldest} to v{newest}; name \
                 two of them, the older one first"
            ));
        }
        let mut changes = HandlerChanges::new();
        for reload in reloads.iter().rev().filter(is_ok) {
            if (from + 1..=to).contains(&reload.generation) {
                add(&mut changes, &reload.diff);
            }
        }
        Ok(changes.iter().filter_map(line).collect())
    }
}

fn add(changes: &mut HandlerChanges, diff: &RouteDiff) {
    for (address, handler) in addresses(&diff.removed) {
        let first = || HandlerChange { was: Some(handler.clone()), ..HandlerChange::default() };
        changes.entry(address).or_insert_with(first).now = None;
    }
    for (address, handler) in addresses(&diff.changed) {
        let first = || HandlerChange { was: Some(handler.clone()), ..HandlerChange::default() };
        let change = changes.entry(address).or_insert_with(first);
        (change.now, change.is_changed) = (Some(handler), true);
    }
    for (address, handler) in addresses(&diff.added) {
        changes.entry(address).or_default().now = Some(handler);
    }
}

/// Lists each method of each path with its handler.
fn addresses(routes: &[RouteRef]) -> impl Iterator<Item = ((String, String), String)> {
    routes.iter().flat_map(|route| {
        let address = |method: &String| (method.clone(), route.path.clone());
        route.methods.iter().map(move |method| (address(method), route.handler.clone()))
    })
}

fn line(((method, path), change): (&(String, String), &HandlerChange)) -> Option<String> {
    let route = format!("{} {}", escape(method), escape(path));
    match (&change.was, &change.now) {
        (None, None) => None,
        (None, Some(now)) => Some(format!("{} {route}  {}", style("+").green(), escape(now))),
        (Some(was), None) => Some(format!("{} {route}  {}", style("-").red(), escape(was))),
        (Some(was), Some(now)) if was != now => {
            let words = format!("{} is now {}", escape(was), escape(now));
            Some(format!("{} {route}  {words}", style("~").yellow()))
        }
        (Some(_), Some(now)) => {
            change.is_changed.then(|| format!("{} {route}  {}", style("~").yellow(), escape(now)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> RouteRef {
        RouteRef {
            methods: vec!["GET".to_owned()],
            path: path.to_owned(),
            handler: "app.f".to_owned(),
            file: "python/app.py".to_owned(),
            line: 1,
        }
    }

    fn reload(generation: u64, cause: &str, added: &[&str], removed: &[&str]) -> ReloadDiff {
        let list = |paths: &[&str]| paths.iter().map(|path| route(path)).collect();
        let diff = RouteDiff { added: list(added), removed: list(removed), ..RouteDiff::default() };
        ReloadDiff { generation, cause: cause.to_owned(), outcome: "ok".to_owned(), diff }
    }

    #[test]
    fn a_route_that_was_added_and_removed_in_between_is_not_a_difference() {
        let reloads = || {
            vec![
                reload(6, "save", &["/c"], &["/b"]),
                reload(5, "save", &["/b"], &["/a"]),
                reload(4, "start", &["/a"], &[]),
            ]
        };
        let compose = |text| GenerationRange::parse(text).expect("two of them").compose(reloads());
        assert_eq!(compose("v4..v6"), Ok(vec!["- GET /a  app.f".into(), "+ GET /c  app.f".into()]));
        assert_eq!(compose("G5..G6"), Ok(vec!["- GET /b  app.f".into(), "+ GET /c  app.f".into()]));
        assert_eq!(compose("G5..G5"), Ok(vec![]));
        for unknown in ["v3..v6", "v4..v7", "v6..v4"] {
            assert!(compose(unknown).is_err_and(|text| text.contains("v4 to v6")), "{unknown}");
        }
        assert_eq!(GenerationRange::parse("old..json"), None);
    }
}
