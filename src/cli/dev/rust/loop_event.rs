//! The events that the builder's loop receives from its threads.

use snaxum::dev::SavedSources;

use super::build::BuildEvent;
use super::program::ProgramEvent;

/// An event for the loop.
pub(super) enum LoopEvent {
    Saved(SavedSources),
    Build(BuildEvent),
    /// An event of the program with this number.
    Program(u64, ProgramEvent),
    /// A key of the terminal.
    Key(u8),
    /// A text for the terminal.
    Text(String),
    /// A message of the event stream.
    Frame(String),
}
