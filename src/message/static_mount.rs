//! A directory of static files, as a Python module declares it.

use serde::{Deserialize, Serialize};

/// A directory whose files are served below a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticMount {
    /// The [`RouteInfo::id`](super::RouteInfo::id) of its row in the route table.
    pub id: String,
    /// The decoded prefix without a slash at its end; empty for the root.
    pub prefix: String,
    /// Absolute.
    pub directory: String,
    /// The name of the file that stands for a directory; empty if there is none.
    pub index: String,
    /// Whether the index also stands for unknown paths, if the client accepts HTML.
    pub spa: bool,
    /// The seconds that a client may use a file without asking again; HTML is always checked.
    pub max_age: Option<u64>,
}
