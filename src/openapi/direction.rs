//! The direction of values, which decides the effect of a change.

use super::change::Effect;
use super::limits::Shift;

/// The direction of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The server reads them.
    Input,
    /// The client reads them.
    Output,
}

impl Direction {
    /// The effect of another set of possible values.
    pub(super) fn effect(self, shift: Shift) -> Effect {
        match (self, shift) {
            (Self::Input, Shift::Wider) | (Self::Output, Shift::Narrower) => Effect::Compatible,
            _ => Effect::Breaking,
        }
    }

    /// The effect of more or fewer values of one type, which few clients check.
    pub(super) fn effect_of_detail(self, shift: Shift) -> Effect {
        match (self, self.effect(shift)) {
            (Self::Output, Effect::Breaking) => Effect::Warning,
            (_, effect) => effect,
        }
    }
}
