//! Records the calls of requests to databases and HTTP servers, bounded by their number and bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::message::{CallSummary, LibraryCall, RepeatedCall};

/// The most calls that are stored, and the most bytes of their texts.
const MAX_CALLS: usize = 5000;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The number of calls from one line that are named.
const REPEATED: u64 = 5;
/// The most requests that have made calls and have not ended. A request that ended long ago may
/// still make calls, so the oldest is dropped.
const MAX_RUNNING: usize = 1000;

/// The stored calls, and the sums of requests that have not ended.
#[derive(Default)]
pub(super) struct LibraryCalls {
    stored: VecDeque<(u64, Arc<LibraryCall>)>,
    bytes: usize,
    running: BTreeMap<u64, Box<CallSummary>>,
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
        add(self.running.entry(request).or_default(), call);
        if self.running.len() > MAX_RUNNING {
            self.running.pop_first();
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

pub(super) fn add(summary: &mut CallSummary, call: &LibraryCall) {
    summary.count = summary.count.max(call.number);
    summary.ms += call.ms;
    match call.kind.as_str() {
        "sql" => summary.sql_ms += call.ms,
        _ => summary.http_ms += call.ms,
    }
    let most = summary.repeated.as_ref().map_or(REPEATED - 1, |repeated| repeated.count);
    if call.nth > most || (call.nth == most && most >= REPEATED) {
        summary.repeated = Some(RepeatedCall {
            text: call.text.clone(),
            file: call.file.clone(),
            line: call.line,
            count: call.nth,
            ms: call.group_ms,
        });
    }
}

/// A call of a request whose content must not be shown.
pub(super) fn without_content(call: &LibraryCall) -> LibraryCall {
    LibraryCall { text: String::new(), values: None, error: None, ..call.clone() }
}

/// The sum of the calls of a request, without their content if that must not be shown.
pub(super) fn shown_summary(calls: Option<&CallSummary>, is_private: bool) -> Option<CallSummary> {
    let mut calls = calls.cloned()?;
    if let Some(repeated) = calls.repeated.as_mut().filter(|_| is_private) {
        repeated.text.clear();
    }
    Some(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u64, line: u32, nth: u64) -> LibraryCall {
        LibraryCall {
            time_ms: 0.0,
            ms: 1.5,
            kind: "sql".into(),
            library: "sqlite3".into(),
            text: format!("select {number}"),
            values: None,
            file: "python/app.py".into(),
            line,
            function: "f".into(),
            status: None,
            error: None,
            number,
            group: line.into(),
            nth,
            group_ms: nth as f64 * 1.5,
        }
    }

    #[test]
    fn the_call_that_is_repeated_most_is_named() {
        let mut summary = CallSummary::default();
        for nth in 1..5 {
            add(&mut summary, &call(nth, 7, nth));
        }
        assert_eq!((summary.count, summary.ms, &summary.repeated), (4, 6.0, &None));
        add(&mut summary, &LibraryCall { kind: "http".into(), ms: 2.0, ..call(4, 9, 1) });
        assert_eq!((summary.ms, summary.sql_ms, summary.http_ms), (8.0, 6.0, 2.0));
        for nth in 1..=9 {
            add(&mut summary, &call(4 + nth, 8, nth));
        }
        add(&mut summary, &call(14, 7, 5));
        let repeated = summary.repeated.expect("line 8");
        assert_eq!((repeated.line, repeated.count, repeated.ms), (8, 9, 13.5));
        assert_eq!((repeated.text, summary.count), ("select 13".into(), 14));
    }
}
