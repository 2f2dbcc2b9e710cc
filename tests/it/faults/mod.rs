//! Faults that users, clients and the system cause: one test for each, on the real binary.
//!
//! docs/faults.md lists each fault with its effect and its test.

mod arguments;
mod blocked_loop;
mod blocking;
mod cancelled;
mod contexts;
mod crashes;
mod disclosure;
mod environment;
mod event_stream;
mod executors;
mod forks;
mod framing;
mod half_close;
mod libraries;
mod live_pages;
mod loading;
mod objects;
mod once;
mod output;
mod pool;
mod saves;
mod slow_clients;
mod source_secrets;
mod stopping;
mod values;
mod watching;
