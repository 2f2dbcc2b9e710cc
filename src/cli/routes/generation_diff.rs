//! `--diff G7..G8`: how the routes of two generations of a running server differ, put together from
//! what its reloads have changed.

use std::collections::BTreeMap;
use std::path::Path;

use console::style;
use serde::Deserialize;
use snaxum::error::Error;
use snaxum::message::{RouteDiff, RouteRef};

use crate::cli::client::routes;
use crate::cli::render::color::plain;

/// Two generations, the older one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generations {
    from: u64,
    to: u64,
}

/// A reload of the running server, as far as it matters here.
#[derive(Deserialize)]
struct Reload {
    generation: u64,
    cause: String,
    outcome: String,
    diff: RouteDiff,
}

/// One method of one path: its handler before and after.
#[derive(Default)]
struct Change {
    was: Option<String>,
    now: Option<String>,
    is_changed: bool,
}

type Changes = BTreeMap<(String, String), Change>;

impl Generations {
    /// Reads `G7..G8`; `None` if it is something else, such as the name of a file.
    pub(super) fn read(text: &str) -> Option<Self> {
        let number = |text: &str| text.strip_prefix('G')?.parse().ok();
        let (from, to) = text.split_once("..")?;
        Some(Self { from: number(from)?, to: number(to)? })
    }

    /// Asks the server of the project in `dir`; a line a difference, or why it cannot tell.
    pub(super) fn differences(self, dir: &Path) -> Result<Result<Vec<String>, String>, Error> {
        Ok(self.compose(routes::reloads(dir)?))
    }

    /// `reloads` are newest first.
    fn compose(self, reloads: Vec<Reload>) -> Result<Vec<String>, String> {
        let Self { from, to } = self;
        let made = |reload: &&Reload| reload.outcome == "ok";
        let newest = reloads.first().map_or(0, |reload| reload.generation);
        let start = reloads.iter().find(|reload| reload.cause == "start");
        // What came before the oldest that is kept, or before this process, is not known.
        let oldest = start.or(reloads.iter().rfind(made)).map_or(0, |reload| reload.generation);
        if !(oldest <= from && from <= to && to <= newest) {
            return Err(format!(
                "G{from}..G{to} is not what the server knows; it can compare G{oldest} to G{newest}, \
                 the older one first"
            ));
        }
        let mut changes = Changes::new();
        for reload in reloads.iter().rev().filter(made) {
            if (from + 1..=to).contains(&reload.generation) {
                add(&mut changes, &reload.diff);
            }
        }
        Ok(changes.iter().filter_map(line).collect())
    }
}

fn add(changes: &mut Changes, diff: &RouteDiff) {
    for (address, handler) in addresses(&diff.removed) {
        let first = || Change { was: Some(handler.clone()), ..Change::default() };
        changes.entry(address).or_insert_with(first).now = None;
    }
    for (address, handler) in addresses(&diff.changed) {
        let first = || Change { was: Some(handler.clone()), ..Change::default() };
        let change = changes.entry(address).or_insert_with(first);
        (change.now, change.is_changed) = (Some(handler), true);
    }
    for (address, handler) in addresses(&diff.added) {
        changes.entry(address).or_default().now = Some(handler);
    }
}

/// Each method of each path, with its handler.
fn addresses(routes: &[RouteRef]) -> impl Iterator<Item = ((String, String), String)> {
    routes.iter().flat_map(|route| {
        let address = |method: &String| (method.clone(), route.path.clone());
        route.methods.iter().map(move |method| (address(method), route.handler.clone()))
    })
}

fn line(((method, path), change): (&(String, String), &Change)) -> Option<String> {
    let route = format!("{} {}", plain(method), plain(path));
    match (&change.was, &change.now) {
        (None, None) => None,
        (None, Some(now)) => Some(format!("{} {route}  {}", style("+").green(), plain(now))),
        (Some(was), None) => Some(format!("{} {route}  {}", style("-").red(), plain(was))),
        (Some(was), Some(now)) if was != now => {
            let words = format!("{} is now {}", plain(was), plain(now));
            Some(format!("{} {route}  {words}", style("~").yellow()))
        }
        (Some(_), Some(now)) => {
            change.is_changed.then(|| format!("{} {route}  {}", style("~").yellow(), plain(now)))
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

    fn reload(generation: u64, cause: &str, added: &[&str], removed: &[&str]) -> Reload {
        let list = |paths: &[&str]| paths.iter().map(|path| route(path)).collect();
        let diff = RouteDiff { added: list(added), removed: list(removed), ..RouteDiff::default() };
        Reload { generation, cause: cause.to_owned(), outcome: "ok".to_owned(), diff }
    }

    #[test]
    fn what_came_and_went_in_between_is_no_difference() {
        let reloads = || {
            vec![
                reload(6, "save", &["/c"], &["/b"]),
                reload(5, "save", &["/b"], &["/a"]),
                reload(4, "start", &["/a"], &[]),
            ]
        };
        let compose = |text| Generations::read(text).expect("two of them").compose(reloads());
        assert_eq!(compose("G4..G6"), Ok(vec!["- GET /a  app.f".into(), "+ GET /c  app.f".into()]));
        assert_eq!(compose("G5..G6"), Ok(vec!["- GET /b  app.f".into(), "+ GET /c  app.f".into()]));
        assert_eq!(compose("G5..G5"), Ok(vec![]));
        for unknown in ["G3..G6", "G4..G7", "G6..G4"] {
            assert!(compose(unknown).is_err_and(|text| text.contains("G4 to G6")), "{unknown}");
        }
        assert_eq!(Generations::read("old..json"), None);
    }
}
