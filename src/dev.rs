//! Dev mode: a layer around a running server that does not know it.
//!
//! This file only names the parts. The engine ([`Dev`]) watches, reloads and records, and knows no
//! HTTP; `http` serves the console and the API from it. The core never names this module: without
//! the `dev` feature none of it is in the binary.

mod browser;
mod builder;
mod contract;
mod crash;
mod dev_file;
mod editor;
mod engine;
mod http;
mod mcp_settings;
mod message_stream;
mod paths;
mod pinned_replays;
pub mod protocol;
mod recorder;
mod redact;
mod reload;
mod replay;
mod save_watch;
mod source_watch;
mod token;
mod watch;

pub use crash::Crash;
pub use dev_file::{DevFile, base_url, remove_dev_file};
pub use editor::Editor;
pub use engine::Dev;
pub use http::app::DevService;
pub use http::guard::MAX_HEADER_BYTES;
pub use http::router;
pub use http::unbuilt::UnbuiltProgram;
pub use message_stream::MessageStream;
pub use paths::PREFIX;
pub use reload::restart::RestartRequest;
pub use save_watch::SaveWatch;
pub use source_watch::{SavedSources, SourceWatch};
pub use token::new_token;

// For the targets of tests/fuzz.
#[cfg(any(test, fuzzing))]
pub use browser::{fuzz_csp, fuzz_html};
#[cfg(any(test, fuzzing))]
pub use http::{guard::fuzz_headers, ws::fuzz_client_message};
#[cfg(any(test, fuzzing))]
pub use redact::fuzz_json;
