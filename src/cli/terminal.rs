//! The terminal of `snaxum dev`: banner, keys, a line per request and reload, a status line.

mod banner;
pub(super) mod browser;
pub(super) mod key_reader;
mod keys;
mod output_thread;
pub(super) mod raw_mode;
mod status_line;
mod update;
mod writer;

pub(super) use banner::{addresses, banner, routes};
pub(super) use keys::Keys;
pub(super) use output_thread::Terminal;
