//! The scenarios of the stop: each asserts a promise, whatever the order of the threads' steps.

use std::time::{Duration, Instant};

use shuttle::{future, thread};

use super::in_flight::{InFlight, InFlightGuard};
use super::messages::Control;
use super::queue::Queue;
use super::reply::{self, Reply, WakeBatch};
use super::shutdown_state::ShutdownState;
use super::{PythonRuntime, PythonThread};
use crate::channel::{Receiver, Sender, bounded};
use crate::message::{Head, PythonResponse};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Arc, Mutex};

const LONG: Duration = Duration::from_secs(60);

/// A request: its number, its client, and its place in the list of requests.
struct Call {
    number: u64,
    reply: Reply,
    guard: InFlightGuard,
}

/// A runtime with two workers, and what its clients have received.
struct Server {
    runtime: PythonRuntime,
    queue: Arc<Queue<Call>>,
    wakes: Arc<WakeBatch>,
    // The source has the `Arc` of the standard library.
    in_flight: std::sync::Arc<InFlight>,
    responses: AtomicU64,
    rejections: AtomicU64,
}

impl Server {
    fn new() -> Arc<Self> {
        let queue = Queue::<Call>::new(8, 1);
        let wakes = WakeBatch::new(Arc::default(), Arc::default());
        let (control, received) = bounded(1);
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (consumer, wakes) = (queue.consumer(), Arc::clone(&wakes));
                thread::spawn(move || {
                    reply::defer_wakes();
                    while let Some(popped) = consumer.try_pop().or_else(|| {
                        wakes.flush();
                        consumer.pop(&|| wakes.flush())
                    }) {
                        let Call { number, reply, guard } = popped.item;
                        thread::yield_now(); // the handler
                        drop(guard);
                        reply.send(PythonResponse(Box::new(number)));
                        if popped.is_last {
                            wakes.flush();
                        }
                    }
                    wakes.flush();
                })
            })
            .collect();
        let python = thread::spawn({
            let queue = Arc::clone(&queue);
            move || run(&received, &queue, workers)
        });
        let runtime = PythonRuntime {
            control,
            shutdown_state: ShutdownState::default(),
            stopped: AtomicBool::new(false),
            is_loading: AtomicBool::new(false),
            thread: Mutex::new(Some(PythonThread(python))),
        };
        Arc::new(Self {
            runtime,
            queue,
            wakes,
            in_flight: std::sync::Arc::default(),
            responses: AtomicU64::new(0),
            rejections: AtomicU64::new(0),
        })
    }

    /// Sends a request, as `PythonRuntime::call` does, and counts its one outcome.
    async fn call(&self, number: u64) {
        let outcome = if self.runtime.stopped.load(Ordering::Acquire) {
            None
        } else {
            let (reply, response) = reply::channel(&self.wakes);
            let guard = self.in_flight.add(number, Head, Instant::now());
            match self.queue.push(Call { number, reply, guard }, Instant::now()) {
                Ok(()) => Some(response.await.expect("queued requests get a response")),
                Err(_) => None,
            }
        };
        match outcome {
            Some(response) => {
                assert_eq!(response.expect("none is rejected"), PythonResponse(Box::new(number)));
                self.responses.fetch_add(1, Ordering::SeqCst);
            }
            None => {
                assert!(self.runtime.stopped.load(Ordering::Acquire), "{number} was rejected");
                self.rejections.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Starts clients, each in a thread of its own, that send one request each.
    fn clients(self: &Arc<Self>, count: u64) -> Vec<thread::JoinHandle<()>> {
        let client = |number| {
            let server = Arc::clone(self);
            thread::spawn(move || future::block_on(server.call(number)))
        };
        (1..=count).map(client).collect()
    }

    /// Asserts that each request had one outcome, and that none is left.
    fn assert_all_have_ended(&self, requests: u64) {
        let responses = self.responses.load(Ordering::SeqCst);
        assert_eq!(responses + self.rejections.load(Ordering::SeqCst), requests);
        assert!(self.in_flight.since_before(Instant::now() + LONG).is_empty(), "left in the list");
        assert!(self.runtime.thread.lock().is_none(), "the thread has not been joined");
    }
}

/// Works as the runtime thread does, without Python.
fn run(control: &Receiver<Control>, queue: &Queue<Call>, workers: Vec<thread::JoinHandle<()>>) {
    let stop = loop {
        match control.recv() {
            Some(Control::Explain) => {}
            Some(Control::Shutdown { began, reply, .. }) => {
                let _ = began.send(());
                break Some(reply);
            }
            None => break None,
        }
    };
    queue.close();
    for worker in workers {
        worker.join().expect("no panic");
    }
    if let Some(reply) = stop {
        let _ = reply.send(());
    }
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no assertion failed");
    }
}

/// A stop while requests arrive: it ends, and each of them gets its response or is rejected.
pub fn a_stop_ends_and_each_request_has_one_outcome() {
    let server = Server::new();
    let clients = server.clients(3);
    future::block_on(server.runtime.shutdown(LONG));
    join(clients);
    server.assert_all_have_ended(3);
}

/// Two threads that stop at once, while other messages wait for the runtime thread.
pub fn two_stops_at_once_both_end() {
    let server = Server::new();
    let control: Sender<Control> = server.runtime.control.clone();
    let other = thread::spawn(move || {
        let _ = control.send_timeout(Control::Explain, LONG);
    });
    let second = thread::spawn({
        let server = Arc::clone(&server);
        move || future::block_on(server.runtime.shutdown(LONG))
    });
    let clients = server.clients(1);
    future::block_on(server.runtime.shutdown(LONG));
    join(clients.into_iter().chain([second, other]));
    server.assert_all_have_ended(1);
}

/// WebSockets that end when they receive the signal, one of them opened during the stop.
pub fn a_stop_waits_for_the_websockets_that_receive_its_signal() {
    let server = Server::new();
    let closed = Arc::new(AtomicU64::new(0));
    let socket = |server: &Arc<Server>| {
        let (server, closed) = (Arc::clone(server), Arc::clone(&closed));
        // Before the request is responded to.
        let token = server.runtime.socket_token();
        thread::spawn(move || {
            future::block_on(server.runtime.stopping().cancelled());
            closed.fetch_add(1, Ordering::SeqCst);
            drop(token);
        })
    };
    let open = socket(&server);
    let late = thread::spawn({
        let server = Arc::clone(&server);
        let socket = socket(&server);
        move || {
            future::block_on(server.call(1));
            join([socket]);
        }
    });
    future::block_on(server.runtime.shutdown(LONG));
    assert_eq!(closed.load(Ordering::SeqCst), 2, "the stop did not wait");
    join([open, late]);
    server.assert_all_have_ended(1);
}
