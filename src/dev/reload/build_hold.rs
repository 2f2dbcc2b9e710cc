//! Whether Python saves wait for a build of the program, or for the start of a process that replaces it.
//!
//! In a program that `snaxum dev` runs; elsewhere nothing waits. Builds and loads nothing.

use tokio::sync::watch;

use crate::supervision::BuilderLink;
use crate::supervision::protocol::ProgramReport;

/// The builds, as far as saves wait for them.
#[derive(Debug)]
pub(in crate::dev) struct BuildHold {
    builder: Option<&'static BuilderLink>,
    state: watch::Sender<HoldState>,
}

#[derive(Debug)]
struct HoldState {
    /// Whether a build is under way, or this process does not serve yet.
    is_building: bool,
    /// Whether saves wait for the next build, because that of the same save has failed.
    is_failed: bool,
    /// Whether there are saves that wait.
    has_saves: bool,
}

impl BuildHold {
    pub(in crate::dev) fn new(builder: Option<&'static BuilderLink>) -> Self {
        let is_building = builder.is_some();
        let state = HoldState { is_building, is_failed: false, has_saves: false };
        Self { builder, state: watch::Sender::new(state) }
    }

    /// Whether saves wait now.
    pub(super) fn is_on(&self) -> bool {
        let state = self.state.borrow();
        state.is_building || state.is_failed
    }

    /// Whether saves wait: asks the builder if they do not yet.
    pub(super) fn must_wait(&self) -> bool {
        if !self.is_on()
            && let Some(builder) = self.builder
        {
            builder.ask(); // its reply calls `begin`, before an order that follows it calls `end`
        }
        self.is_on()
    }

    /// Reports a Python save, also one that waits for the next build: the build may need nothing else.
    pub(super) fn report_save(&self) {
        let Some(builder) = self.builder else { return };
        let HoldState { is_building, is_failed, .. } = *self.state.borrow();
        if !is_building {
            builder.report(&ProgramReport::Saved { is_held: is_failed });
        }
    }

    /// Records that saves wait.
    pub(super) fn store_saves(&self) {
        self.state.send_modify(|state| state.has_saves = true);
    }

    /// Whether there are saves that wait.
    pub(in crate::dev) fn has_saves(&self) -> bool {
        self.state.borrow().has_saves
    }

    /// A build has begun, or is about to.
    pub(in crate::dev) fn begin(&self) {
        self.state.send_modify(|state| state.is_building = true);
    }

    /// A build has ended. If it has failed, the saves that came meanwhile wait for the next one.
    pub(super) fn end(&self, has_failed: bool) {
        self.state.send_modify(|state| {
            state.is_building = false;
            state.is_failed = has_failed && state.has_saves;
            state.has_saves = state.is_failed;
        });
    }

    /// No build has begun after all. Saves that wait because the last one has failed still do.
    pub(super) fn cancel(&self) {
        self.state.send_modify(|state| {
            state.is_building = false;
            state.has_saves &= state.is_failed;
        });
    }

    /// Ends all waits: another process serves.
    pub(in crate::dev) fn abandon(&self) {
        self.state.send_modify(|state| state.is_building = false);
    }

    /// Ends the wait of saves for the next build: they were loaded on request.
    pub(super) fn forget_saves(&self) {
        self.state.send_modify(|state| (state.is_failed, state.has_saves) = (false, false));
    }

    /// Waits until no build is under way; asks the builder first.
    pub(in crate::dev) async fn end_of_builds(&self) {
        let Some(builder) = self.builder else { return };
        if !self.state.borrow().is_building {
            let _ = tokio::task::spawn_blocking(|| builder.ask()).await;
        }
        let mut states = self.state.subscribe();
        let _ = states.wait_for(|state| !state.is_building).await; // an error: the server stops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> BuildHold {
        let state = HoldState { is_building: false, is_failed: false, has_saves: false };
        BuildHold { builder: None, state: watch::Sender::new(state) }
    }

    #[test]
    fn without_a_builder_no_save_waits() {
        let hold = BuildHold::new(None);
        assert!(!hold.must_wait() && !hold.is_on());
    }

    #[test]
    fn the_saves_of_a_failed_build_wait_for_the_next_one() {
        let hold = hold();
        hold.begin();
        assert!(hold.must_wait());
        hold.store_saves();
        hold.end(true);
        assert!(hold.is_on() && hold.has_saves());
        hold.begin();
        hold.end(false);
        assert!(!hold.is_on() && !hold.has_saves());
    }

    #[test]
    fn a_build_that_does_not_begin_changes_nothing_for_saves_that_wait() {
        let hold = hold();
        hold.begin();
        hold.store_saves();
        hold.cancel();
        assert!(!hold.is_on() && !hold.has_saves(), "the save is loaded");
        hold.begin();
        hold.store_saves();
        hold.end(true);
        hold.begin();
        hold.cancel();
        assert!(hold.is_on() && hold.has_saves(), "it waits for the next build");
    }

    #[test]
    fn a_failed_build_without_other_saves_delays_none() {
        let hold = hold();
        hold.begin();
        hold.end(true);
        assert!(!hold.is_on());
    }

    #[test]
    fn saves_that_are_loaded_on_request_wait_no_longer() {
        let hold = hold();
        hold.begin();
        hold.store_saves();
        hold.end(true);
        hold.forget_saves();
        assert!(!hold.is_on() && !hold.has_saves());
    }
}
