//! The messages to the terminal's thread.

use std::sync::Arc;

use snaxum::event::{ContractRecord, PinRound, ReloadRecord};

use crate::cli::render::RequestView;

/// A message to the terminal's thread.
pub(super) enum Update {
    Request(Box<RequestView>),
    Reload(Arc<ReloadRecord>),
    Contract(Arc<ContractRecord>),
    Pins(usize, Option<PinRound>),
    Pause(bool),
    Text(String),
    Key(KeyAction),
    /// Keys are read from now on.
    Interactive,
}

/// A key that changes the output.
#[derive(Clone, Copy)]
pub(super) enum KeyAction {
    LastError,
    ToggleQuiet,
    Clear,
}
