//! The acceptance list of the reload engine: a test a row, from outside, on the real binary.
//!
//! `Row N` in a comment is the row of the list in docs/reload.md.

mod broken;
mod by_hand;
mod code;
mod files;
mod graph;
mod inputs;
mod ladder;
mod pool;
mod random;
mod registries;
mod requests;
mod state;
mod survivors;
mod tasks;
mod world;
