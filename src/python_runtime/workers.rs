//! The dispatch workers: threads that run `def` handlers, and pass other requests on.
//!
//! Starts them, replaces one whose handler hangs, and joins them at the end. Each stays attached to
//! the interpreter, which it releases only while it waits for a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pyo3::Python;

use crate::sync::Mutex;

use super::bridge::Bridge;
use super::cpu_time::CpuClock;
use super::in_flight::InFlight;
use super::messages::{Call, Calls};
use super::queue::{Consumer, Popped};
use super::reply::{self, WakeBatch};
use super::thread_usage::ThreadSlot;

/// Deep recursion in user code should end in RecursionError, not in a crash.
pub(super) const STACK_BYTES: usize = 16 * 1024 * 1024;
/// Stuck handlers whose threads are replaced.
const MAX_STUCK: usize = 64;
/// Responses wait at most this long for the next flush.
const FLUSH_AFTER: Duration = Duration::from_micros(50);

/// The dispatch workers of one runtime.
#[derive(Default)]
pub(crate) struct Workers {
    slots: Mutex<Vec<WorkerSlot>>,
    context: Mutex<Option<WorkerContext>>,
}

/// The parts of the runtime that a dispatch worker uses.
#[derive(Clone)]
pub(super) struct WorkerContext {
    pub(super) bridge: Arc<Bridge>,
    pub(super) queue: Arc<Calls>,
    pub(super) wakes: Arc<WakeBatch>,
    pub(super) in_flight: Arc<InFlight>,
}

/// A dispatch worker, and the request that it runs.
#[derive(Clone, Debug)]
pub struct DispatchWorker {
    /// The name of its thread.
    pub name: String,
    /// The id of the request whose handler it runs.
    pub request: Option<u64>,
    /// Whether another worker has replaced it: its handler has exceeded the time limit.
    pub is_replaced: bool,
}

struct WorkerSlot {
    state: Arc<WorkerState>,
    thread: JoinHandle<()>,
}

/// The state of a worker that other threads read.
struct WorkerState {
    usage: Arc<ThreadSlot>,
    /// Set when another worker replaces it: it ends once its handler does.
    replaced: AtomicBool,
}

impl Workers {
    /// Starts `count` workers, and remembers `context` for replacements.
    pub(super) fn start(&self, count: usize, context: WorkerContext) {
        for _ in 0..count {
            self.spawn(&context);
        }
        *self.context.lock() = Some(context);
    }

    fn spawn(&self, context: &WorkerContext) {
        let usage = context.in_flight.usage.slot();
        let state = Arc::new(WorkerState { usage, replaced: AtomicBool::new(false) });
        let (context, consumer) = (context.clone(), context.queue.consumer());
        let shared = Arc::clone(&state);
        let mut slots = self.slots.lock();
        // A replaced worker ends when its handler returns.
        slots.retain(|slot| !slot.thread.is_finished());
        let started = thread::Builder::new()
            .name(format!("dispatch-{}", slots.len()))
            .stack_size(STACK_BYTES)
            .spawn(move || work(&context, &consumer, &shared));
        match started {
            Ok(thread) => slots.push(WorkerSlot { state, thread }),
            Err(error) => tracing::error!("cannot start a dispatch worker: {error}"),
        }
    }

    /// The workers, and the request that each runs.
    pub(crate) fn snapshot(&self) -> Vec<DispatchWorker> {
        let slots = self.slots.lock();
        let live = slots.iter().filter(|slot| !slot.thread.is_finished());
        live.map(|slot| DispatchWorker {
            name: slot.thread.thread().name().unwrap_or_default().to_owned(),
            request: slot.state.usage.request(),
            is_replaced: slot.state.replaced.load(Ordering::Acquire),
        })
        .collect()
    }

    /// Starts another worker if one is stuck in the handler of the request `id`.
    pub(crate) fn replace_stuck(&self, id: u64) {
        {
            let slots = self.slots.lock();
            let is_replaced = |slot: &&WorkerSlot| slot.state.replaced.load(Ordering::Acquire);
            let stuck = slots.iter().filter(is_replaced).filter(|slot| !slot.thread.is_finished());
            if stuck.count() >= MAX_STUCK {
                tracing::error!(
                    "{MAX_STUCK} handlers are stuck: stuck workers are no longer replaced; \
                     restart the server"
                );
                return;
            }
            let runs_it = |slot: &&WorkerSlot| slot.state.usage.request() == Some(id);
            match slots.iter().find(runs_it) {
                Some(slot) if !slot.state.replaced.swap(true, Ordering::AcqRel) => {}
                _ => return,
            }
        }
        let context = self.context.lock();
        if let Some(context) = context.as_ref() {
            self.spawn(context);
        }
    }

    /// Finishes the queued requests, and joins each worker that ends within `timeout`.
    pub(super) fn stop(&self, queue: &Calls, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        // Releases the bridge before the threads do.
        self.context.lock().take();
        let slots = std::mem::take(&mut *self.slots.lock());
        queue.close();
        // A thread cannot be joined with a deadline: another thread joins them and reports.
        let (done, all_joined) = crossbeam_channel::bounded(1);
        let joiner = thread::Builder::new().name("dispatch-join".into()).spawn(move || {
            for slot in slots {
                let replaced = slot.state.replaced.load(Ordering::Acquire);
                if !replaced && slot.thread.join().is_err() {
                    tracing::error!("a dispatch worker panicked");
                }
            }
            let _ = done.send(());
        });
        if joiner.is_ok() && all_joined.recv_deadline(deadline).is_err() {
            tracing::warn!("a handler is still running after {timeout:?}; exiting without it");
        }
    }
}

/// Runs requests until the queue is closed and empty, or the worker is replaced.
fn work(context: &WorkerContext, queue: &Consumer<Box<Call>>, state: &WorkerState) {
    let WorkerContext { bridge, wakes, in_flight, .. } = context;
    reply::defer_wakes();
    let flush = || wakes.flush();
    Python::attach(|py| {
        let mut last_popped = Instant::now();
        let mut cpu_clock = CpuClock::new(last_popped);
        loop {
            let mut has_waited = false;
            // Only the wait releases the interpreter.
            let popped = queue.try_pop().or_else(|| {
                has_waited = true;
                wakes.flush();
                py.detach(|| queue.pop(&flush))
            });
            let Some(Popped { item: mut call, at, is_last }) = popped else { return };
            // A deferred response must not wait for a slow handler.
            if is_last || at - last_popped > FLUSH_AFTER {
                wakes.flush();
            }
            last_popped = at;
            if call.reply.is_closed() {
                continue; // cancelled: the client disconnected, or the time limit passed
            }
            let mut began = at;
            if let (Some(timestamps), Some(guard)) = (&mut call.timestamps, &call.in_flight_guard) {
                if has_waited {
                    began = Instant::now(); // it may also have waited for the interpreter
                }
                (timestamps.taken, timestamps.attached) = (at, began);
                timestamps.cpu_time_before = cpu_clock.read(began);
                timestamps.blockers = guard.blockers(timestamps.queued, at);
            }
            in_flight.usage.begin(&state.usage, call.request.id, began);
            bridge.dispatch(py, *call);
            state.usage.clear();
            if state.replaced.load(Ordering::Acquire) {
                break;
            }
        }
        wakes.flush();
    });
}
