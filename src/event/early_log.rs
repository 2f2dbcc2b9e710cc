//! Lines that were printed before there was a listener: stores the newest, and counts the others.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::message::{LineOrigin, LogRecord};

/// The maximum number of stored lines.
const MAX_LINES: usize = 500;

/// The lines for the first listener.
#[derive(Default)]
pub(super) struct EarlyLog {
    lines: VecDeque<EarlyLine>,
    /// How many lines were dropped, and the last of them.
    dropped: Option<(u64, EarlyLine)>,
}

/// An owned [`LogRecord`].
struct EarlyLine {
    time: SystemTime,
    request: Option<u64>,
    reload: Option<u64>,
    stream: &'static str,
    line: String,
    level: Option<String>,
    logger: Option<String>,
    file: Option<String>,
    file_line: Option<u32>,
}

impl EarlyLog {
    pub(super) fn record(&mut self, record: &LogRecord<'_>) {
        let LogRecord { time, request, reload, stream, line, origin } = *record;
        if self.lines.len() == MAX_LINES
            && let Some(oldest) = self.lines.pop_front()
        {
            let before = self.dropped.as_ref().map_or(0, |(count, _)| *count);
            self.dropped = Some((before + 1, oldest));
        }
        self.lines.push_back(EarlyLine {
            time,
            request,
            reload,
            stream,
            line: line.to_owned(),
            level: origin.level.map(str::to_owned),
            logger: origin.logger.map(str::to_owned),
            file: origin.file.map(str::to_owned),
            file_line: origin.file_line,
        });
    }

    /// Passes the stored lines to `listener`, oldest first, after the number of dropped lines.
    pub(super) fn replay(self, listener: impl Fn(LogRecord<'_>)) {
        if let Some((count, last)) = self.dropped {
            let line = format!("… (earlier lines that were not recorded: {count})");
            listener(EarlyLine { line, ..last }.as_record());
        }
        for line in &self.lines {
            listener(line.as_record());
        }
    }
}

impl EarlyLine {
    fn as_record(&self) -> LogRecord<'_> {
        let Self { time, request, reload, stream, ref line, file_line, .. } = *self;
        let origin = LineOrigin {
            level: self.level.as_deref(),
            logger: self.logger.as_deref(),
            file: self.file.as_deref(),
            file_line,
        };
        LogRecord { time, request, reload, stream, line, origin }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::{Event, EventBus};

    fn print(bus: &EventBus, line: &str) {
        let time = SystemTime::UNIX_EPOCH;
        let origin = LineOrigin::default();
        bus.print(LogRecord {
            time,
            request: None,
            reload: Some(1),
            stream: "stdout",
            line,
            origin,
        });
    }

    fn listen(bus: &EventBus) -> Arc<Mutex<Vec<String>>> {
        let received = Arc::<Mutex<Vec<String>>>::default();
        let lines = Arc::clone(&received);
        bus.listen_from_the_start(move |event| {
            if let Event::Log(record) = event {
                lines.lock().expect("no panic").push(record.line.to_owned());
            }
        });
        received
    }

    #[test]
    fn the_first_listener_receives_earlier_lines_and_each_line_once() {
        let bus = EventBus::default();
        print(&bus, "before");
        bus.listen(|_| {});
        print(&bus, "between");

        let first = listen(&bus);
        print(&bus, "after");
        let second = listen(&bus);
        print(&bus, "last");

        assert_eq!(*first.lock().expect("no panic"), ["before", "between", "after", "last"]);
        assert_eq!(*second.lock().expect("no panic"), ["last"]);
    }

    #[test]
    fn dropped_lines_are_counted() {
        let bus = EventBus::default();
        for number in 0..MAX_LINES + 3 {
            print(&bus, &number.to_string());
        }
        let received = listen(&bus);
        let received = received.lock().expect("no panic");
        assert_eq!(received.len(), MAX_LINES + 1);
        assert_eq!(received[..2], ["… (earlier lines that were not recorded: 3)", "3"]);
    }
}
