//! The scenarios: each asserts a promise, whatever the order of the threads' steps.

use std::time::{Duration, Instant};

use shuttle::{future, thread};

use super::gate::Gate;
use super::queue::{Consumer, Popped, Queue, SetAsideError};
use super::reply::{self, Reply, ReplyFuture, WakeBatch};
use crate::message::PythonResponse;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};

/// A request: its number, its client, and whether its handler blocks.
struct Call {
    number: u64,
    reply: Reply,
    blocks: bool,
}

type Calls = Arc<Queue<Call>>;

/// Works as a dispatch worker does: responds, and sets aside what may block while it is the spare.
fn work(consumer: &Consumer<Call>, wakes: &Arc<WakeBatch>) {
    reply::defer_wakes();
    loop {
        let popped = consumer.try_pop().or_else(|| {
            wakes.flush();
            consumer.pop(&|| wakes.flush())
        });
        let Some(Popped { item: mut call, is_last, is_spare, .. }) = popped else { break };
        if is_last {
            wakes.flush();
        }
        if is_spare && call.blocks {
            match consumer.set_aside(call) {
                Ok(()) => continue,
                Err(SetAsideError::SlotFree(oldest)) => call = oldest,
                Err(SetAsideError::Full(call) | SetAsideError::AllStuck(call)) => {
                    drop(call.reply); // rejected
                    continue;
                }
            }
        }
        if call.blocks {
            thread::yield_now();
        }
        let number = call.number;
        call.reply.send(PythonResponse(Box::new(number)));
    }
    wakes.flush();
}

/// Sends `calls` requests, each from a thread that waits for the response, to `slots + 1` workers;
/// closes the queue when `closes_early` while they are on their way.
fn serve(slots: usize, calls: u64, capacity: usize, closes_early: bool) {
    let queue: Calls = Queue::new(capacity, slots);
    let wakes = WakeBatch::new(Arc::default(), Arc::default());
    let workers: Vec<_> = (0..=slots)
        .map(|_| {
            let (consumer, wakes) = (queue.consumer(), Arc::clone(&wakes));
            thread::spawn(move || work(&consumer, &wakes))
        })
        .collect();
    let clients: Vec<_> = (0..calls)
        .map(|number| {
            let (queue, wakes) = (Arc::clone(&queue), Arc::clone(&wakes));
            thread::spawn(move || {
                let (reply, response) = reply::channel(&wakes);
                let call = Call { number, reply, blocks: number % 2 == 0 };
                let is_queued = queue.push(call, Instant::now()).is_ok();
                let response = future::block_on(response);
                match response {
                    Some(Ok(response)) => assert_eq!(response, PythonResponse(Box::new(number))),
                    Some(Err(error)) => panic!("{error:?}"),
                    None => assert!(!is_queued || capacity < calls as usize, "lost: {number}"),
                }
            })
        })
        .collect();
    if closes_early {
        queue.close();
    }
    for client in clients {
        client.join().expect("no panic");
    }
    queue.close();
    for worker in workers {
        worker.join().expect("no panic");
    }
}

/// Every request gets one response, its own, and the workers end.
pub fn every_request_gets_its_response() {
    serve(2, 4, 8, false);
}

/// A queue that closes while requests arrive rejects them or responds to them, and hangs nowhere.
pub fn a_shutdown_loses_no_request() {
    serve(1, 3, 8, true);
}

/// A full queue rejects requests; the others get their response.
pub fn a_full_queue_loses_no_request() {
    serve(1, 4, 1, false);
}

/// Clients that leave at any moment take no response from the others, although one task wakes all.
pub fn a_client_that_leaves_delays_no_other() {
    let wakes = WakeBatch::new(Arc::default(), Arc::default());
    let (replies, futures): (Vec<Reply>, Vec<ReplyFuture>) =
        (0..4).map(|_| reply::channel(&wakes)).unzip();
    let clients: Vec<_> = (0..)
        .zip(futures)
        .map(|(number, response)| {
            let leaves = number % 2 == 1;
            thread::spawn(move || {
                if leaves {
                    let task = future::spawn(response);
                    thread::yield_now();
                    task.abort();
                    let _ = future::block_on(task);
                } else {
                    let response = future::block_on(response).expect("sent").expect("a response");
                    assert_eq!(response, PythonResponse(Box::new(number)));
                }
            })
        })
        .collect();
    let worker = thread::spawn(move || {
        reply::defer_wakes();
        for (number, reply) in (0..).zip(replies) {
            reply.send(PythonResponse(Box::new(number)));
            if number == 1 {
                wakes.flush();
            }
        }
        wakes.flush();
    });
    worker.join().expect("no panic");
    for client in clients {
        client.join().expect("no panic");
    }
}

/// A sender that drops its end leaves no client waiting.
pub fn a_dropped_reply_ends_the_wait() {
    let wakes = WakeBatch::new(Arc::default(), Arc::default());
    let (reply, response) = reply::channel(&wakes);
    let worker = thread::spawn(move || drop(reply));
    assert!(future::block_on(response).is_none());
    worker.join().expect("no panic");
}

const LONG: Duration = Duration::from_secs(60);

/// A file and the code made from it, each a number: its newest save, and the newest that is loaded.
#[derive(Default)]
struct Project {
    saved: AtomicU64,
    seen: Mutex<u64>,
    loaded: AtomicU64,
    gate: Gate,
}

impl Project {
    fn new() -> Arc<Self> {
        let project = Arc::new(Self::default());
        let weak = Arc::downgrade(&project);
        // As with the watcher, a request marks the saves that the kernel has queued.
        project.gate.set_probe(LONG, move |gate| {
            let Some(project) = weak.upgrade() else { return };
            project.drain(gate);
        });
        project
    }

    /// Marks a save that no thread has marked yet, under the lock of the watcher.
    fn drain(&self, gate: &Gate) {
        let mut seen = self.seen.lock();
        let saved = self.saved.load(Ordering::SeqCst);
        if *seen < saved {
            *seen = saved;
            gate.mark_dirty();
        }
    }

    /// One round of the reload thread.
    fn reload(&self) {
        self.drain(&self.gate);
        let changes = self.gate.changes();
        let saved = self.saved.load(Ordering::SeqCst);
        self.loaded.fetch_max(saved, Ordering::SeqCst);
        self.gate.release(changes);
    }
}

/// A client that saves and then sends a request gets a response of the code that it has saved.
pub fn no_request_passes_the_gate_before_the_reload_of_an_earlier_save() {
    run_saves(1);
}

/// The same with several saves, which the reload thread may see one by one or together.
pub fn the_gate_opens_after_the_last_of_several_saves() {
    run_saves(3);
}

fn run_saves(saves: u64) {
    let project = Project::new();
    let client = thread::spawn({
        let project = Arc::clone(&project);
        move || {
            for save in 1..=saves {
                project.saved.store(save, Ordering::SeqCst);
                future::block_on(project.gate.wait());
                assert!(project.loaded.load(Ordering::SeqCst) >= save, "stale after save {save}");
            }
        }
    });
    let other = thread::spawn({
        let project = Arc::clone(&project);
        move || future::block_on(project.gate.wait_idle())
    });
    let reloader = thread::spawn({
        let project = Arc::clone(&project);
        move || {
            while project.loaded.load(Ordering::SeqCst) < saves {
                project.reload();
                thread::yield_now();
            }
            project.reload();
        }
    });
    for each in [client, other, reloader] {
        each.join().expect("no assertion failed");
    }
}
