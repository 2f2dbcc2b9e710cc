//! Commands for a running dev server, found through `.snaxum/dev.json`.
//!
//! A command is a file, and `control` has the four that change the server. `connection` and
//! `server_status` are what they share. Never starts or stops a server itself.

pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod event_socket;
pub(crate) mod explain;
mod production;
pub(crate) mod routes;
mod server_status;
pub(crate) mod tail;
pub(crate) mod wait;
