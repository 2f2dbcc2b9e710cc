//! The queue, the replies and the gate of the Python runtime, compiled with shuttle's threads, locks and
//! atomics: at each of their steps shuttle may switch to another thread.
//!
//! Includes the sources of the crate itself, and replaces the types that they use: locks, the response,
//! and the pipe to the asyncio loop. Contains no other behavior.

// The unit tests of the sources need the real types.
#![cfg(not(test))]
// The scenarios use a part of each file.
#![allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]

mod sync;
pub mod watch;

mod message {
    /// A response, reduced to the number of its request.
    #[derive(Debug, PartialEq, Eq)]
    pub struct PythonResponse(pub Box<u64>);
}

#[path = "../../src/python_runtime"]
mod python_runtime {
    mod gate;
    mod queue;
    mod reply;

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
}

pub use python_runtime::scenarios;
