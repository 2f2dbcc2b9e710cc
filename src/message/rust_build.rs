//! A build of a program in Rust, as a reload shows it. Plain data: builds nothing.

use serde::{Deserialize, Serialize};

/// A build of the program that a save of Rust code has caused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RustBuild {
    /// The duration of each phase.
    pub phases: BuildPhases,
    /// The crates that were compiled, in the order in which they were done.
    pub crates: Vec<CompiledCrate>,
    /// The number of warnings of the compiler.
    pub warnings: u32,
}

/// The phases of a build and of the takeover in milliseconds; 0 for one that was not reached, or is not
/// known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct BuildPhases {
    /// `cargo build` from its start to its end, with rustc and linker.
    pub cargo: f64,
    /// The link of the program, which is a part of `cargo`.
    pub link: f64,
    /// From the start of the program until Python loads its modules, or the program has the socket.
    pub start: f64,
    /// Until its Python modules have loaded.
    pub load: f64,
    /// Until the program before it accepts no more requests.
    pub handover: f64,
}

/// A crate that was compiled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CompiledCrate {
    /// Its name.
    pub name: String,
    /// The time of rustc in milliseconds, as far as it is known.
    pub ms: f64,
}
