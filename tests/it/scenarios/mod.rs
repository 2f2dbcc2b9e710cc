//! The acceptance list of the reload engine: one test for each behavior, on the real binary.
//!
//! The comment above a test states the behavior; docs/reload.md lists them by subject.

mod broken;
mod code;
mod commands;
mod escalation;
mod files;
mod graph;
mod inputs;
mod kept_values;
mod pool;
mod random;
mod registries;
mod requests;
mod state;
mod tasks;
pub(crate) mod world;
