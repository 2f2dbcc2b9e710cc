//! Faults that users, clients and the system cause: one test for each, on the real binary.
//!
//! docs/faults.md lists each fault with its effect and its test.

mod abandoned;
mod arguments;
mod blocked_loop;
mod blocking;
mod contexts;
mod disclosure;
mod environment;
mod framing;
mod half_close;
mod loading;
mod objects;
mod objects;
mod once;
mod output;
mod saves;
mod slow_clients;
mod watching;
mod executors;
mod forks;
mod framing;
mod half_close;
mod objects;
mod output;
mod pool;
mod slow_clients;
mod values;
mod disclosure;
mod event_stream;
mod event_stream;
mod framing;
mod half_close;
mod live_pages;
mod objects;
mod output;
mod slow_clients;
mod source_secrets;
mod crashes;
mod stopping;
