//! A saved list of routes, compared with the current one.

use std::collections::BTreeMap;
use std::sync::Arc;

use console::style;
use snaxum::message::RouteInfo;

use crate::cli::render::color::escape;

/// The output of an earlier `snaxum routes --format json`.
#[derive(Clone)]
pub(crate) struct Baseline(Arc<Vec<RouteInfo>>);

impl Baseline {
    /// Reads a file.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        let routes = serde_json::from_slice(&text).map_err(|error| {
            format!("not a list of routes: {error}; create it with `snaxum routes --format json`")
        })?;
        Ok(Self(Arc::new(routes)))
    }

    /// Describes each added, removed and changed route in a line. Ignores the place of its code.
    pub(super) fn differences(&self, current: &[RouteInfo]) -> Vec<String> {
        let (before, now) = (by_address(&self.0), by_address(current));
        let removed = before.iter().filter(|(address, _)| !now.contains_key(*address));
        let removed = removed.map(|((method, path), route)| {
            format!("{} {method} {path}  {}", style("-").red(), escape(&route.handler))
        });
        let changed = now.iter().filter_map(|(address @ (method, path), route)| {
            let handler = escape(&route.handler);
            match before.get(address) {
                None => Some(format!("{} {method} {path}  {handler}", style("+").green())),
                Some(other) if handler_and_mode(other) == handler_and_mode(route) => None,
                Some(other) => {
                    let (was, is) = (handler_and_mode(other), handler_and_mode(route));
                    Some(format!("{} {method} {path}  {was} is now {is}", style("~").yellow()))
                }
            }
        });
        removed.chain(changed).collect()
    }
}

/// Indexes each method of each path, escaped for the terminal.
fn by_address(routes: &[RouteInfo]) -> BTreeMap<(String, String), &RouteInfo> {
    let each = routes.iter().flat_map(|route| {
        let address = move |method: &String| ((escape(method), escape(&route.path)), route);
        route.methods.iter().map(address)
    });
    each.collect()
}

fn handler_and_mode(route: &RouteInfo) -> String {
    format!("{} ({})", escape(&route.handler), escape(&route.mode))
}
