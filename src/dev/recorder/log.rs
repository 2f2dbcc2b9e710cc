//! Records lines of output, bounded by their number and by their bytes.

use std::sync::Arc;

use crate::message::{LogRecord, unix_ms};

use super::late_work::Belonging;
use super::state::{LIMITS, RecorderState};
use crate::dev::protocol::LogLine;
use crate::dev::protocol::event_types::EventTypes;

/// The most bytes of lines that are stored.
const MAX_BYTES: usize = 4 * 1024 * 1024;

impl RecorderState {
    /// Adds a line; `has_ended` if its request is no longer in flight.
    pub(super) fn add_line(&mut self, record: &LogRecord<'_>, has_ended: bool) {
        let seq = self.sequence.add(EventTypes::LOG);
        let belonging = match record.request {
            Some(request) if has_ended => self.belonging(request, record.time),
            _ => Belonging::InTime,
        };
        let request = record.request.filter(|_| belonging != Belonging::TooLate);
        let line = LogLine {
            time_ms: unix_ms(record.time),
            request: request.map(|id| id.to_string()),
            is_late: belonging == Belonging::Late,
            reload: record.reload,
            stream: record.stream,
            line: record.line.to_owned(),
            level: record.origin.level.map(str::to_owned),
            logger: record.origin.logger.map(str::to_owned),
            file: record.origin.file.map(str::to_owned),
            file_line: record.origin.file_line,
        };
        self.log_bytes += line.line.len();
        self.logs.push_back((seq, Arc::new(line)));
        while self.logs.len() > LIMITS.logs || self.log_bytes > MAX_BYTES {
            let Some((_, oldest)) = self.logs.pop_front() else { break };
            self.log_bytes -= oldest.line.len();
        }
    }
}
