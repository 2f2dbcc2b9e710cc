//! A list of routes that was saved, and how it differs from the one of now.

use std::collections::BTreeMap;
use std::sync::Arc;

use console::style;
use snaxum::message::RouteInfo;

use crate::cli::render::color::plain;

/// What `snaxum routes --format json` has once printed.
#[derive(Clone)]
pub(crate) struct Saved(Arc<Vec<RouteInfo>>);

impl Saved {
    /// Reads it from a file; the error is for whoever named the file.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        let routes = serde_json::from_slice(&text).map_err(|error| {
            format!("this is no list of `snaxum routes --format json`: {error}")
        })?;
        Ok(Self(Arc::new(routes)))
    }

    /// A line for each route that is new, gone, or answered in another way. Where its code stands
    /// does not matter.
    pub(super) fn differences(&self, now: &[RouteInfo]) -> Vec<String> {
        let (before, now) = (by_address(&self.0), by_address(now));
        let gone = before.iter().filter(|(address, _)| !now.contains_key(*address));
        let gone = gone.map(|((method, path), route)| {
            format!("{} {method} {path}  {}", style("-").red(), plain(&route.handler))
        });
        let new = now.iter().filter_map(|(address @ (method, path), route)| {
            let handler = plain(&route.handler);
            match before.get(address) {
                None => Some(format!("{} {method} {path}  {handler}", style("+").green())),
                Some(other) if how(other) == how(route) => None,
                Some(other) => {
                    let (was, is) = (how(other), how(route));
                    Some(format!("{} {method} {path}  {was} is now {is}", style("~").yellow()))
                }
            }
        });
        gone.chain(new).collect()
    }
}

/// Each method of each path, escaped for the terminal.
fn by_address(routes: &[RouteInfo]) -> BTreeMap<(String, String), &RouteInfo> {
    let each = routes.iter().flat_map(|route| {
        let address = move |method: &String| ((plain(method), plain(&route.path)), route);
        route.methods.iter().map(address)
    });
    each.collect()
}

fn how(route: &RouteInfo) -> String {
    format!("{} ({})", plain(&route.handler), plain(&route.mode))
}
