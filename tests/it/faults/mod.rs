//! Faults that users, clients and the system cause: one test for each, on the real binary.
//!
//! docs/faults.md lists each fault with its effect and its test.

mod abandoned;
mod blocked_loop;
mod blocking;
mod contexts;
mod environment;
mod objects;
mod output;
mod framing;
mod half_close;
mod slow_clients;
mod loading;
mod objects;
mod once;
mod saves;
mod watching;
