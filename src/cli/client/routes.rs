//! The routes and reloads of a running server, for `snaxum routes`.

use std::collections::HashMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use snaxum::error::Error;
use snaxum::message::RouteInfo;

use super::connection::DevClient;
use super::server_status::StatusResponse;
use crate::cli::project;

/// The routes that are serving.
pub(crate) struct LiveRoutes {
    pub(crate) routes: Vec<RouteInfo>,
    /// The number of requests of each route, by its id.
    pub(crate) hits: HashMap<String, u64>,
    /// All ids, in the order of matching.
    pub(crate) order: Vec<String>,
    /// Whether some code does not load.
    pub(crate) is_failing: bool,
}

/// Fetches the reloads, newest first.
pub(crate) fn fetch_reloads<T: DeserializeOwned>(dir: &Path) -> Result<Vec<T>, Error> {
    let client = DevClient::find(dir)?;
    project::tokio_runtime()?.block_on(client.get("reloads"))
}

/// Fetches the routes from the server of the project in `dir`.
pub(crate) fn fetch(dir: &Path) -> Result<LiveRoutes, Error> {
    let client = DevClient::find(dir)?;
    project::tokio_runtime()?.block_on(async {
        let status: StatusResponse = client.get("status").await?;
        Ok(LiveRoutes {
            routes: client.get("routes").await?,
            hits: client.get("hits").await?,
            order: client.get("order").await?,
            is_failing: status.state == "failing",
        })
    })
}
