//! Commands for a running dev server, found through `.snaxum/dev.json`.
//!
//! Each command is a file. They never start or stop a server themselves.

pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod explain;
pub(crate) mod routes;
mod status;
pub(crate) mod tail;
pub(crate) mod wait;
