//! Pinned requests: failed requests that are sent again after each reload until they succeed. Never
//! stores their secrets outside the memory of the process, and of the process after it.

use std::sync::{Arc, Weak};

use axum::http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::event::{Event, PinRound};
use crate::message::LoadOutcome;
use crate::python_runtime::PythonRuntime;
use crate::sync::{Mutex, MutexGuard};

use super::protocol::{Pin, RequestSummary};
use super::recorder::{Recorder, SentRequest};
use super::replay;

/// The most pins: more do not fit a person's view.
const MAX_PINS: usize = 16;
/// The lowest status that counts as a failure.
const FIRST_FAILURE: u16 = 400;

/// The pinned requests. The first pin starts the task that sends them.
pub(super) struct Pins {
    runtime: Weak<PythonRuntime>,
    recorder: Arc<Recorder>,
    state: Mutex<PinsState>,
    reloaded: Notify,
}

/// A pin on its way to the program after this one.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedPin {
    id: String,
    path: String,
    status: u16,
    generation: Option<u64>,
    replays: u64,
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

#[derive(Default)]
struct PinsState {
    pins: Vec<(Pin, SentRequest)>,
    has_task: bool,
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

    /// Wakes the task after a successful reload.
    pub(super) fn on_event(&self, event: &Event<'_>) {
        if matches!(event, Event::ReloadEnd(reload) if reload.report.outcome == LoadOutcome::Ok) {
            self.reloaded.notify_one();
        }
    }

    /// Stops the task.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.reloaded.notify_one();
    }

    /// The pins, in the order they were made.
    pub(super) fn list(&self) -> Arc<[Pin]> {
        self.lock().pins.iter().map(|(pin, _)| pin.clone()).collect()
    }

    /// Pins a request: it is sent again from the next reload on. Must run on tokio.
    ///
    /// # Errors
    ///
    /// A message for a person: it did not fail, or there are too many pins.
    pub(super) fn pin(
        self: &Arc<Self>,
        request: &RequestSummary,
        sent: SentRequest,
    ) -> Result<(), String> {
        if request.status < FIRST_FAILURE {
            return Err(format!(
                "only a failed request can be pinned; its status is {}",
                request.status
            ));
        }
        let mut state = self.lock();
        if state.pins.iter().all(|(pin, _)| pin.id != request.id) {
            if state.pins.len() == MAX_PINS {
                return Err(format!("{MAX_PINS} requests are pinned already; unpin one first"));
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
        if !std::mem::replace(&mut state.has_task, true) {
            tokio::spawn(send_after_reloads(Arc::clone(self)));
        }
        drop(state);
        self.publish(None);
        Ok(())
    }

    /// Pins the newest failed request; returns its method and path. Must run on tokio.
    ///
    /// # Errors
    ///
    /// A message for a person: no request was pinned, and why.
    pub(super) fn pin_last_failure(self: &Arc<Self>) -> Result<(String, String), String> {
        let failed = |request: &RequestSummary| request.status >= FIRST_FAILURE;
        let newest = self.recorder.requests().into_iter().find(failed);
        let request = newest.ok_or("no request has failed so far")?;
        let (_, sent) =
            replay::find(&self.recorder, &request.id).map_err(|error| error.to_string())?;
        self.pin(&request, sent)?;
        Ok((request.method, request.path))
    }

    /// Removes a pin, if it exists.
    pub(super) fn unpin(&self, id: &str) {
        self.lock().pins.retain(|(pin, _)| pin.id != id);
        self.publish(None);
    }

    /// The pins that fail, for the program after this one.
    pub(super) fn save(&self) -> Vec<SavedPin> {
        let state = self.lock();
        let failing = state.pins.iter().filter(|(pin, _)| pin.state == "failing");
        let save = |(pin, sent): &(Pin, SentRequest)| SavedPin {
            id: pin.id.clone(),
            path: pin.path.clone(),
            status: pin.status,
            generation: pin.generation,
            replays: pin.replays,
            method: pin.method.clone(),
            target: sent.target.clone(),
            headers: sent
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body: sent.body.as_ref().map(|body| body.to_vec()),
        };
        failing.map(save).collect()
    }

    /// Continues with the pins of the program before this one. Must run on tokio.
    pub(super) fn restore(self: &Arc<Self>, saved: Vec<SavedPin>) {
        let pins: Vec<_> = saved.into_iter().filter_map(SavedPin::open).collect();
        if pins.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.pins.extend(pins);
        if !std::mem::replace(&mut state.has_task, true) {
            tokio::spawn(send_after_reloads(Arc::clone(self)));
        }
        drop(state);
        self.publish(None);
    }

    /// Reports the pins, and the outcome of the newest round.
    fn publish(&self, round: Option<PinRound>) {
        let pins = self.list();
        let failing = pins.iter().filter(|pin| pin.state == "failing").count();
        self.recorder.set_pins(pins);
        if let Some(runtime) = self.runtime.upgrade() {
            runtime.events().emit(|| Event::Pins { failing, round });
        }
    }

    /// Waits for a reload; returns the failing requests, or `None` when the server stops.
    async fn next_round(&self) -> Option<Vec<(Pin, SentRequest)>> {
        self.reloaded.notified().await;
        let state = self.lock();
        if state.is_closed {
            return None;
        }
        Some(state.pins.iter().filter(|(pin, _)| pin.state == "failing").cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, PinsState> {
        self.state.lock()
    }

    async fn send(&self, mut pin: Pin, sent: SentRequest) -> Pin {
        let original = pin.id.parse().unwrap_or_default();
        pin.replays += 1;
        let Some(runtime) = self.runtime.upgrade() else { return pin };
        let Ok(replay) = sent.send(&runtime, original).await else { return pin };
        if let Some(response) = self.recorder.request(&replay) {
            pin.status = response.summary.status;
            pin.generation = response.summary.generation;
            pin.state = if pin.status < FIRST_FAILURE { "passing" } else { "failing" };
        }
        pin.replay = Some(replay);
        pin
    }
}

impl SavedPin {
    fn open(self) -> Option<(Pin, SentRequest)> {
        let Self { id, path, status, generation, replays, method, target, headers, body } = self;
        let headers = headers.into_iter().map(|(name, value)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?))
        });
        let sent = SentRequest {
            method: method.parse().ok()?,
            target,
            headers: headers.collect::<Option<_>>()?,
            body: body.map(Into::into),
        };
        let state = "failing";
        Some((Pin { id, method, path, state, status, generation, replay: None, replays }, sent))
    }
}

async fn send_after_reloads(pins: Arc<Pins>) {
    while let Some(round) = pins.next_round().await {
        if round.is_empty() {
            continue;
        }
        let sending = round.into_iter().map(|(pin, sent)| pins.send(pin, sent));
        let results = futures_util::future::join_all(sending).await;
        let passing = results.iter().filter(|pin| pin.state == "passing").count();
        let generation = results.iter().filter_map(|pin| pin.generation).max();
        let round = PinRound { generation, passing, failing: results.len() - passing };
        for result in results {
            let mut state = pins.lock();
            // It may have been unpinned meanwhile.
            if let Some((pin, _)) = state.pins.iter_mut().find(|(pin, _)| pin.id == result.id) {
                *pin = result;
            }
        }
        pins.publish(Some(round));
    }
}
