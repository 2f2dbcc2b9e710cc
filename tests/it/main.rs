//! Drives the real binary from outside, in temporary projects: what a user can rely on, file by
//! file. The worlds that the tests act in are made by [`support`].

mod browser_reload;
mod cli;
mod client;
mod console_api;
mod dev_api;
mod docs;
mod editor;
mod example;
mod golden;
mod http;
mod invariants;
mod layers;
mod limits;
mod mcp;
mod mcp_stdio;
mod pool;
mod protocol;
mod quick_start;
mod reload;
mod replay;
mod robustness;
mod routes;
mod scenarios;
mod secrets;
mod security;
mod shutdown;
mod support;
mod tail;
mod terminal;
mod waiting;
mod watch;
