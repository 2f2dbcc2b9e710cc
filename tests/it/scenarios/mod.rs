//! The acceptance list of the reload engine: a test a row, from outside, on the real binary.
//!
//! `Row N` in a comment is the row of the list in docs/reload.md.

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
mod world;
