//! The dispatch workers: threads that run `def` handlers, and pass other requests on.
//!
//! Starts them, replaces one whose handler hangs, and joins them at the end. Each stays attached to
//! the interpreter, which it releases only while it waits for a request. One more than
//! `dispatch-workers` run: while as many `def` handlers block, the spare starts the other requests.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pyo3::Python;

use crate::sync::Mutex;

use super::bridge::Bridge;
use super::cpu_time::CpuClock;
use super::in_flight::InFlight;
use super::messages::{Call, Calls};
use super::queue::{Consumer, Popped, SetAsideError, Slot};
use super::reply::{self, CallError, WakeBatch};
use super::thread_usage::ThreadSlot;

/// Deep recursion in user code should end in RecursionError, not in a crash.
pub(super) const STACK_BYTES: usize = 16 * 1024 * 1024;
/// How long the end waits for handlers without a client.
const CANCELLED_TIMEOUT: Duration = Duration::from_millis(500);
/// Responses wait at most this long for the next flush.
const FLUSH_AFTER: Duration = Duration::from_micros(50);

/// The dispatch workers of one runtime.
pub(crate) struct Workers {
    /// The number of `def` handlers that run at once.
    count: usize,
    /// The number of stuck handlers whose threads are replaced.
    max_stuck: usize,
    slots: Mutex<Vec<WorkerSlot>>,
    context: Mutex<Option<WorkerContext>>,
    itself: Weak<Self>,
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
    slot: Slot,
    /// [`LIVE`], [`STUCK`] or [`REPLACED`].
    status: AtomicU8,
    /// The last request that it ran when the client had disconnected; 0 if there was none.
    cancelled: AtomicU64,
}

/// The worker takes requests.
const LIVE: u8 = 0;
/// Its handler has exceeded the time limit.
const STUCK: u8 = 1;
/// And another worker has replaced it: it ends once its handler does.
const REPLACED: u8 = 2;

impl WorkerState {
    fn is(&self, status: u8) -> bool {
        self.status.load(Ordering::Acquire) == status
    }

    /// Changes the status if it is `from`; returns whether it was.
    fn change(&self, from: u8, to: u8) -> bool {
        self.status.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether no client waits for the handler that it runs.
    fn is_cancelled(&self) -> bool {
        self.usage.request() == Some(self.cancelled.load(Ordering::Acquire))
    }
}

impl Workers {
    /// Makes the list of the workers that run up to `count` handlers at once.
    pub(super) fn new(count: usize, max_stuck: usize) -> Arc<Self> {
        let (slots, context) = (Mutex::default(), Mutex::default());
        Arc::new_cyclic(|itself| {
            let itself = Weak::clone(itself);
            Self { count, max_stuck, slots, context, itself }
        })
    }

    /// Starts the workers, and remembers `context` for replacements.
    pub(super) fn start(&self, context: WorkerContext) {
        for _ in 0..=self.count {
            self.spawn(&context);
        }
        *self.context.lock() = Some(context);
    }

    fn spawn(&self, context: &WorkerContext) {
        let usage = context.in_flight.usage.slot();
        let (context, consumer) = (context.clone(), context.queue.consumer());
        let state = Arc::new(WorkerState {
            usage,
            slot: consumer.slot(),
            status: AtomicU8::new(LIVE),
            cancelled: AtomicU64::new(0),
        });
        let (shared, workers) = (Arc::clone(&state), Weak::clone(&self.itself));
        let mut slots = self.slots.lock();
        // A replaced worker ends when its handler returns.
        slots.retain(|slot| !slot.thread.is_finished());
        let names: Vec<_> = slots.iter().filter_map(|slot| slot.thread.thread().name()).collect();
        let mut free = (0..).map(|number| format!("dispatch-{number}"));
        let name = free.find(|name| !names.contains(&name.as_str())).unwrap_or_default();
        let started = thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || {
            work(&context, &consumer, &shared);
            drop((consumer, context));
            if shared.status.swap(LIVE, Ordering::AcqRel) == REPLACED
                && let Some(workers) = workers.upgrade()
            {
                workers.replace_stuck_ones();
            }
        });
        match started {
            Ok(thread) => slots.push(WorkerSlot { state, thread }),
            Err(error) => tracing::error!("cannot start a dispatch worker: {error}"),
        }
    }

    /// The workers, and the request that each runs; without the spare.
    pub(crate) fn snapshot(&self) -> Vec<DispatchWorker> {
        let slots = self.slots.lock();
        let live = slots.iter().filter(|slot| !slot.thread.is_finished());
        let mut workers: Vec<_> = live
            .map(|slot| DispatchWorker {
                name: slot.thread.thread().name().unwrap_or_default().to_owned(),
                request: slot.state.usage.request(),
                is_replaced: slot.state.is(REPLACED),
            })
            .collect();
        let live = || workers.iter().enumerate().filter(|(_, worker)| !worker.is_replaced);
        if live().count() > self.count {
            // It is idle, or starts the newest request.
            let spare = live().max_by_key(|(_, worker)| worker.request.unwrap_or(u64::MAX));
            if let Some((spare, _)) = spare {
                workers.remove(spare);
            }
        }
        workers
    }

    /// Whether so many handlers hang that another process should replace this one.
    pub(crate) fn is_exhausted(&self) -> bool {
        replaced(&self.slots.lock()) >= self.max_stuck
    }

    /// Records that no client waits for the request `id`: its handler does not delay the end. Returns
    /// whether a worker runs it.
    pub(crate) fn mark_cancelled(&self, id: u64) -> bool {
        let slots = self.slots.lock();
        let runs_it = |slot: &&WorkerSlot| slot.state.usage.request() == Some(id);
        let Some(slot) = slots.iter().find(runs_it) else { return false };
        slot.state.cancelled.store(id, Ordering::Release);
        true
    }

    /// Starts another worker if one is stuck in the handler of the request `id`.
    pub(crate) fn replace_stuck(&self, id: u64) {
        let runs_it = |slot: &&WorkerSlot| slot.state.usage.request() == Some(id);
        {
            let slots = self.slots.lock();
            let Some(slot) = slots.iter().find(runs_it) else { return };
            slot.state.change(LIVE, STUCK);
        }
        self.replace_stuck_ones();
    }

    /// Replaces the workers that are stuck, up to a limit. After that a stuck worker retains its slot,
    /// and without a free slot requests are rejected at once.
    fn replace_stuck_ones(&self) {
        let context = self.context.lock();
        let Some(context) = context.as_ref() else { return }; // the server stops
        while self.replace_one(&context.queue) {
            self.spawn(context);
        }
    }

    /// Frees the slot of a stuck worker; false if there is none, or too many are.
    fn replace_one(&self, queue: &Calls) -> bool {
        let slots = self.slots.lock();
        let mut stuck = slots.iter().map(|slot| &*slot.state).filter(|state| state.is(STUCK));
        if replaced(&slots) < self.max_stuck {
            // Its handler may just have returned.
            let Some(state) = stuck.find(|state| state.change(STUCK, REPLACED)) else {
                return false;
            };
            queue.free(&state.slot);
            return true;
        }
        let mut count = 0;
        for state in stuck {
            count += 1;
            for call in queue.mark_stuck(&state.slot) {
                call.reply.fail(CallError::AllStuck);
            }
        }
        if count > 0 {
            tracing::error!(
                "{} handlers are stuck, {count} more than `max-stuck` allows to replace: restart the server",
                self.max_stuck + count
            );
        }
        false
    }

    /// Finishes the queued requests, and joins each worker that ends within `timeout`.
    pub(super) fn stop(&self, queue: &Calls, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        // Releases the bridge before the threads do.
        self.context.lock().take();
        let slots = std::mem::take(&mut *self.slots.lock());
        queue.close();
        // A thread cannot be joined with a deadline: another thread joins them and reports.
        let (done, all_joined) = crossbeam_channel::bounded(2);
        let joiner = thread::Builder::new().name("dispatch-join".into()).spawn(move || {
            let (cancelled, others): (Vec<_>, Vec<_>) = slots
                .into_iter()
                .filter(|slot| slot.state.is(LIVE))
                .partition(|slot| slot.state.is_cancelled());
            for slots in [others, cancelled] {
                if slots.into_iter().any(|slot| slot.thread.join().is_err()) {
                    tracing::error!("a dispatch worker panicked");
                }
                let _ = done.send(());
            }
        });
        if joiner.is_err() {
            return;
        }
        if all_joined.recv_deadline(deadline).is_err() {
            tracing::warn!("a handler is still running after {timeout:?}; exiting without it");
        } else if all_joined.recv_timeout(CANCELLED_TIMEOUT).is_err() {
            tracing::warn!(
                "a handler whose client has disconnected is still running; exiting without it"
            );
        }
    }
}

/// Counts the stuck workers that others have replaced.
fn replaced(slots: &[WorkerSlot]) -> usize {
    slots.iter().filter(|slot| slot.state.is(REPLACED)).count()
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
            let Some(Popped { item: mut call, at, is_last, is_spare }) = popped else { return };
            // A deferred response must not wait for a slow handler.
            if is_last || at - last_popped > FLUSH_AFTER {
                wakes.flush();
            }
            last_popped = at;
            if is_spare && bridge.blocks(py, &call.request.head) {
                match queue.set_aside(call) {
                    Ok(()) => continue,
                    Err(SetAsideError::SlotFree(oldest)) => call = oldest,
                    Err(SetAsideError::Full(call)) => {
                        call.reply.fail(CallError::QueueFull);
                        continue;
                    }
                    Err(SetAsideError::AllStuck(call)) => {
                        call.reply.fail(CallError::AllStuck);
                        continue;
                    }
                }
            }
            // It may also have waited for the interpreter.
            let is_late = has_waited && call.timestamps.is_some();
            let began = if is_late { Instant::now() } else { at };
            // In this order: a client that leaves afterwards finds the request on this worker.
            in_flight.usage.begin(&state.usage, call.request.id, began);
            if call.reply.is_closed() {
                state.usage.clear();
                continue; // cancelled: the client disconnected, or the time limit passed
            }
            if let Some(timestamps) = &mut call.timestamps {
                (timestamps.taken, timestamps.attached) = (at, began);
                if let Some(guard) = &call.in_flight_guard {
                    timestamps.cpu_time_before = cpu_clock.read(began);
                    timestamps.blockers = guard.blockers(timestamps.queued, at);
                    guard.set_running(true);
                }
            }
            bridge.dispatch(py, *call);
            state.usage.clear();
            if !state.is(LIVE) && !state.change(STUCK, LIVE) {
                break; // replaced
            }
        }
        wakes.flush();
    });
}
