//! Records the calls of requests to databases and HTTP servers, bounded by their number and bytes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::message::{CallSummary, LibraryCall};

/// The most calls that are stored, and the most bytes of their texts.
const MAX_CALLS: usize = 5000;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most requests that have made calls and have not ended.
const MAX_RUNNING: usize = 1000;

/// The stored calls, and the sums of requests that have not ended.
#[derive(Default)]
pub(super) struct LibraryCalls {
    stored: VecDeque<(u64, Arc<LibraryCall>)>,
    bytes: usize,
    running: HashMap<u64, Box<CallSummary>>,
}

impl LibraryCalls {
    /// Returns the sum of the calls of a request that ends.
    pub(super) fn take(&mut self, request: u64) -> Option<Box<CallSummary>> {
        if self.running.is_empty() { None } else { self.running.remove(&request) }
    }

    /// The calls of a request, the oldest first.
    pub(super) fn of(&self, request: u64) -> Vec<Arc<LibraryCall>> {
        let its = self.stored.iter().filter(|(id, _)| *id == request);
        its.map(|(_, call)| Arc::clone(call)).collect()
    }

    /// Adds a call to the sum of a request that has not ended.
    pub(super) fn add_running(&mut self, request: u64, call: &LibraryCall) {
        if self.running.len() < MAX_RUNNING || self.running.contains_key(&request) {
            self.running.entry(request).or_default().add(call);
        }
    }

    /// Stores a call.
    pub(super) fn store(&mut self, request: u64, call: &Arc<LibraryCall>) {
        self.bytes += size(call);
        self.stored.push_back((request, Arc::clone(call)));
        while self.stored.len() > MAX_CALLS || self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.stored.pop_front() else { break };
            self.bytes -= size(&oldest);
        }
    }
}

fn size(call: &LibraryCall) -> usize {
    call.text.len() + call.values.as_ref().map_or(0, String::len) + call.file.len()
}
