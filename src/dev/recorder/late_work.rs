//! Decides whether the lines and calls after the end of a request belong to it: of a thread, a task or a
//! function that it has started.
//!
//! They do for a minute. Later ones belong to no request: a thread that the first request has started may
//! run as long as the server.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::state::{LIMITS, RecorderState};
use crate::message::LibraryCall;

/// How long after its end the work of a request belongs to it.
const MAX_LATE: Duration = Duration::from_secs(60);

/// How a line or a call belongs to the request that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Belonging {
    /// It came before the end.
    InTime,
    Late,
    /// It came so late that it belongs to none.
    TooLate,
}

impl RecorderState {
    /// Adds a call to its request; `has_ended` if that is no longer in flight.
    pub(super) fn add_call(&mut self, request: u64, call: &Arc<LibraryCall>, has_ended: bool) {
        if has_ended && self.belonging(request, SystemTime::now()) == Belonging::TooLate {
            return;
        }
        self.calls.store(request, call);
        match self.request_mut(request) {
            Some(recorded) => recorded.add_call(call),
            None => self.calls.add_running(request, call),
        }
    }

    /// Decides it for a request that is no longer in flight.
    pub(super) fn belonging(&self, request: u64, time: SystemTime) -> Belonging {
        match self.request(request) {
            Some(recorded) => after(self.close_of(request).unwrap_or(recorded.ended_at()), time),
            None => {
                // Its end is recorded next, unless it was dropped long ago.
                let is_full = self.requests.len() == LIMITS.requests;
                let oldest = self.requests.front().filter(|_| is_full);
                let is_dropped = oldest.is_some_and(|oldest| request < oldest.id());
                if is_dropped { Belonging::TooLate } else { Belonging::InTime }
            }
        }
    }

    /// When a WebSocket was closed.
    fn close_of(&self, request: u64) -> Option<SystemTime> {
        let id = request.to_string();
        let (_, closed) = self.closes.iter().rev().find(|(_, each)| each.close.request == id)?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_millis(closed.close.time_ms))
    }
}

fn after(end: SystemTime, time: SystemTime) -> Belonging {
    match time.duration_since(end) {
        Ok(age) if age > MAX_LATE => Belonging::TooLate,
        Ok(age) if !age.is_zero() => Belonging::Late,
        _ => Belonging::InTime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_belongs_to_its_request_for_a_minute_after_its_end() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(after(end, end - Duration::from_secs(1)), Belonging::InTime);
        assert_eq!(after(end, end), Belonging::InTime);
        assert_eq!(after(end, end + Duration::from_micros(1)), Belonging::Late);
        assert_eq!(after(end, end + MAX_LATE), Belonging::Late);
        assert_eq!(after(end, end + MAX_LATE + Duration::from_micros(1)), Belonging::TooLate);
    }
}
