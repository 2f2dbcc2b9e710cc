//! The routes of a running server, as `snaxum routes --live` shows them.

use std::collections::HashMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use snaxum::error::Error;
use snaxum::message::RouteInfo;

use super::{Live, Status};
use crate::cli::project;

/// What the server says of its routes.
pub(crate) struct Table {
    pub(crate) routes: Vec<RouteInfo>,
    /// How many requests each has answered, by its id.
    pub(crate) hits: HashMap<String, u64>,
    /// Ids in the order of matching.
    pub(crate) order: Vec<String>,
    /// Whether not all code loads.
    pub(crate) is_failing: bool,
}

/// Its reloads, newest first.
pub(crate) fn reloads<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>, Error> {
    let live = Live::find(dir)?;
    project::tokio_runtime()?.block_on(live.ask("reloads"))
}

/// Asks the server of the project in `dir`.
pub(crate) fn ask(dir: &Path) -> Result<Table, Error> {
    let live = Live::find(dir)?;
    project::tokio_runtime()?.block_on(async {
        let status: Status = live.ask("status").await?;
        Ok(Table {
            routes: live.ask("routes").await?,
            hits: live.ask("hits").await?,
            order: live.ask("order").await?,
            is_failing: status.state == "failing",
        })
    })
}
