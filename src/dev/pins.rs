//! Requests that failed and are sent again after each reload, until they are answered well.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::event::{Event, PinRound};
use crate::message::LoadOutcome;
use crate::python_runtime::PythonRuntime;

use super::protocol::{Pin, RequestSummary};
use super::recorder::{Recorder, Sent};
use super::replay;

/// More than a person keeps in view.
const MAX_PINS: usize = 16;
/// An answer from here on is a failure.
const FIRST_FAILURE: u16 = 400;

/// The pinned requests. One task sends them, from the first pin on.
pub(super) struct Pins {
    runtime: Weak<PythonRuntime>,
    recorder: Arc<Recorder>,
    state: Mutex<State>,
    reloaded: Notify,
}

#[derive(Default)]
struct State {
    pins: Vec<(Pin, Sent)>,
    is_watched: bool,
    is_closed: bool,
}

impl Pins {
    pub(super) fn new(runtime: &Arc<PythonRuntime>, recorder: &Arc<Recorder>) -> Self {
        Self {
            runtime: Arc::downgrade(runtime),
            recorder: Arc::clone(recorder),
            state: Mutex::default(),
            reloaded: Notify::new(),
        }
    }

    /// Hears that a reload took effect.
    pub(super) fn hear(&self, event: &Event<'_>) {
        if matches!(event, Event::ReloadEnd(reload) if reload.report.outcome == LoadOutcome::Ok) {
            self.reloaded.notify_one();
        }
    }

    /// Sends nothing any more.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.reloaded.notify_one();
    }

    /// The pins, in the order they were made.
    pub(super) fn list(&self) -> Arc<[Pin]> {
        self.lock().pins.iter().map(|(pin, _)| pin.clone()).collect()
    }

    /// Sends the request again from the next reload on. Must run on tokio.
    ///
    /// # Errors
    ///
    /// A text for a person: it did not fail, or there are too many.
    pub(super) fn pin(
        self: &Arc<Self>,
        request: &RequestSummary,
        sent: Sent,
    ) -> Result<(), String> {
        if request.status < FIRST_FAILURE {
            return Err(format!(
                "it was answered with {}: there is nothing to wait for",
                request.status
            ));
        }
        let mut state = self.lock();
        if state.pins.iter().all(|(pin, _)| pin.id != request.id) {
            if state.pins.len() == MAX_PINS {
                return Err(format!("{MAX_PINS} requests are pinned: let one go first"));
            }
            let pin = Pin {
                id: request.id.clone(),
                method: request.method.clone(),
                path: request.path.clone(),
                state: "failing",
                status: request.status,
                generation: request.generation,
                replay: None,
                replays: 0,
            };
            state.pins.push((pin, sent));
        }
        if !std::mem::replace(&mut state.is_watched, true) {
            tokio::spawn(send_after_reloads(Arc::clone(self)));
        }
        drop(state);
        self.tell_of_pins(None);
        Ok(())
    }

    /// Pins the newest request that failed; gives its method and path. Must run on tokio.
    ///
    /// # Errors
    ///
    /// A text for a person: why there is none.
    pub(super) fn pin_last_failure(self: &Arc<Self>) -> Result<(String, String), String> {
        let failed = |request: &RequestSummary| request.status >= FIRST_FAILURE;
        let newest = self.recorder.requests().into_iter().find(failed);
        let request = newest.ok_or("no request has failed so far")?;
        let (_, sent) =
            replay::original(&self.recorder, &request.id).map_err(|refusal| refusal.to_string())?;
        self.pin(&request, sent)?;
        Ok((request.method, request.path))
    }

    /// Forgets a pin, if it is one.
    pub(super) fn unpin(&self, id: &str) {
        self.lock().pins.retain(|(pin, _)| pin.id != id);
        self.tell_of_pins(None);
    }

    /// Says what is pinned now, and what came of those that were just sent.
    fn tell_of_pins(&self, round: Option<PinRound>) {
        let pins = self.list();
        let failing = pins.iter().filter(|pin| pin.state == "failing").count();
        self.recorder.keep_pins(pins);
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.events().emit(|| Event::Pins { failing, round });
        }
    }

    /// Waits for a reload; `None` when the server stops.
    async fn next_round(&self) -> Option<Vec<(Pin, Sent)>> {
        self.reloaded.notified().await;
        let state = self.lock();
        if state.is_closed {
            return None;
        }
        Some(state.pins.iter().filter(|(pin, _)| pin.state == "failing").cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, mut pin: Pin, sent: Sent) -> Pin {
        let original = pin.id.parse().unwrap_or_default();
        pin.replays += 1;
        let Some(runtime) = self.runtime.upgrade() else { return pin };
        let Ok(replay) = sent.send(&runtime, original).await else { return pin };
        if let Some(answer) = self.recorder.request(&replay) {
            pin.status = answer.summary.status;
            pin.generation = answer.summary.generation;
            pin.state = if pin.status < FIRST_FAILURE { "passing" } else { "failing" };
        }
        pin.replay = Some(replay);
        pin
    }
}

async fn send_after_reloads(pins: Arc<Pins>) {
    while let Some(round) = pins.next_round().await {
        if round.is_empty() {
            continue;
        }
        let sending = round.into_iter().map(|(pin, sent)| pins.send(pin, sent));
        let answers = futures_util::future::join_all(sending).await;
        let passing = answers.iter().filter(|pin| pin.state == "passing").count();
        let generation = answers.iter().filter_map(|pin| pin.generation).max();
        let round = PinRound { generation, passing, failing: answers.len() - passing };
        for answered in answers {
            let mut state = pins.lock();
            // It may have been let go meanwhile.
            if let Some((pin, _)) = state.pins.iter_mut().find(|(pin, _)| pin.id == answered.id) {
                *pin = answered;
            }
        }
        pins.tell_of_pins(Some(round));
    }
}
