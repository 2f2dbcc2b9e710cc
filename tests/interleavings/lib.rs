//! The queue, the replies, the gate and the stop of the Python runtime, compiled with shuttle's threads,
//! locks and atomics: at each of their steps shuttle may switch to another thread.
//!
//! Includes the sources of the crate itself, and replaces the types that they use: locks, channels, the
//! response, and the pipe to the asyncio loop. Contains no other behavior.

// The unit tests of the sources need the real types.
#![cfg(not(test))]
// The scenarios use a part of each file.
#![allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub, unused_imports)]

// The sources of the stop name these crates.
extern crate self as crossbeam_channel;
extern crate self as libc;
extern crate self as tokio;
extern crate self as tokio_util;
extern crate self as tracing;

mod channel;
mod sync;
pub mod watch;

pub use channel::SendTimeoutError;

#[macro_export]
macro_rules! warn {
    ($text:literal) => {
        $crate::fail($text)
    };
}

/// Fails the test; unlike `panic!`, it has no type of its own, so the code after it compiles.
pub fn fail(text: &str) {
    panic!("{text}");
}

pub const SIGURG: i32 = 0;

mod time {
    use std::time::Duration;

    pub async fn timeout<F: Future>(_: Duration, wait: F) -> Result<F::Output, ()> {
        Ok(wait.await)
    }
}

mod task {
    pub use crate::channel::TaskTracker;
    use crate::sync::oneshot;

    pub mod task_tracker {
        pub use crate::channel::TaskTrackerToken;
    }

    pub fn spawn_blocking<T: Send + 'static>(
        run: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        shuttle::thread::spawn(move || {
            let _ = sender.send(run());
        });
        receiver
    }
}

mod crash_record {
    /// No scenario has one.
    #[derive(Debug)]
    pub struct CrashRecord;

    impl CrashRecord {
        pub fn add(&self, _: u64, _: &str, _: &str) -> Option<usize> {
            None
        }

        pub fn remove(&self, _: usize) {}

        pub fn set_running(&self, _: usize, _: bool) {}
    }
}

mod message {
    /// A response, reduced to the number of its request.
    #[derive(Debug, PartialEq, Eq)]
    pub struct PythonResponse(pub Box<u64>);

    /// A head, of which the list of requests reads nothing here.
    #[derive(Clone, Debug)]
    pub struct Head;

    impl Head {
        pub fn asks_for_profile(&self) -> bool {
            false
        }

        pub fn is_function_call(&self) -> bool {
            false
        }

        pub fn is_websocket(&self) -> bool {
            false
        }

        pub fn method(&self) -> &'static str {
            "GET"
        }

        pub fn path(&self) -> std::borrow::Cow<'static, str> {
            "/".into()
        }

        pub fn raw_path(&self) -> &'static str {
            "/"
        }
    }

    #[derive(Debug)]
    pub struct BlockingRequest {
        pub id: u64,
        pub method: String,
        pub path: String,
        pub time: std::time::Duration,
    }
}

#[path = "../../src/python_runtime"]
mod python_runtime {
    mod gate;
    mod in_flight;
    mod queue;
    mod reply;
    mod shutdown;
    mod shutdown_state;
    mod thread_usage;

    mod profile_demand {
        use std::time::{Duration, Instant};

        pub const SLOW: Duration = Duration::MAX;
        pub const MAX_SLOW: usize = 0;

        /// No scenario profiles.
        #[derive(Debug, Default)]
        pub struct ProfileDemand;

        #[derive(Debug, Default, PartialEq)]
        pub struct ProfileRound {
            pub demanded: Vec<(u64, Duration)>,
            pub slow: Vec<(u64, Duration)>,
            pub ended: Vec<u64>,
        }

        impl ProfileDemand {
            pub fn on_route(&self, _: u64, _: &str) {}

            pub fn demand(&self, _: u64) {}

            pub fn wake(&self) {}

            pub fn wait(
                &self,
                _: Option<Duration>,
                _: bool,
                _: impl Fn() -> bool,
                _: impl Fn(Instant, &[u64]) -> ProfileRound,
            ) -> ProfileRound {
                ProfileRound::default()
            }
        }
    }

    use crate::channel::Sender;
    use crate::sync::Mutex;
    use crate::sync::atomic::AtomicBool;

    /// The handle, as far as the stop uses it.
    pub struct PythonRuntime {
        control: Sender<messages::Control>,
        shutdown_state: shutdown_state::ShutdownState,
        stopped: AtomicBool,
        is_loading: AtomicBool,
        thread: Mutex<Option<PythonThread>>,
    }

    struct PythonThread(shuttle::thread::JoinHandle<()>);

    impl PythonThread {
        /// Interrupts nothing: no module loads.
        fn signal(&self, _: i32) {}

        fn join(self) -> std::thread::Result<()> {
            self.0.join()
        }
    }

    mod messages {
        use std::time::Duration;

        use crate::sync::oneshot;

        pub(crate) enum Control {
            /// Stands for the other messages.
            Explain,
            Shutdown {
                timeout: Duration,
                began: oneshot::Sender<()>,
                reply: oneshot::Sender<()>,
            },
        }
    }

    mod ended_requests {
        /// The channel to the overseer, which no scenario uses.
        #[derive(Debug, Default)]
        pub(crate) struct EndedRequests;
    }

    mod loop_signals {
        use crate::sync::atomic::{AtomicU64, Ordering};

        /// Counts the wakes of the asyncio loop.
        #[derive(Debug, Default)]
        pub(super) struct LoopSignals(AtomicU64);

        impl LoopSignals {
            pub(super) fn wake(&self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    #[path = "../../tests/interleavings/scenarios.rs"]
    pub mod scenarios;
    #[path = "../../tests/interleavings/stops.rs"]
    pub mod stops;
}

pub use python_runtime::{scenarios, stops};
