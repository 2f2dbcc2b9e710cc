//! Lines that were printed before anybody could listen: the newest are kept, the others counted.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::message::LogRecord;

use super::Event;

/// Lines that are kept.
const MAX_LINES: usize = 500;

/// What is told of them to the first who listens.
#[derive(Default)]
pub(super) struct EarlyLines {
    lines: VecDeque<Line>,
    /// How many were too many, and what the last of them belongs to.
    lost: Option<(u64, Line)>,
}

/// A [`LogRecord`] of its own.
struct Line {
    time: SystemTime,
    request: Option<u64>,
    reload: Option<u64>,
    stream: &'static str,
    line: String,
}

impl EarlyLines {
    pub(super) fn keep(&mut self, record: &LogRecord<'_>) {
        let LogRecord { time, request, reload, stream, line } = *record;
        if self.lines.len() == MAX_LINES
            && let Some(oldest) = self.lines.pop_front()
        {
            let before = self.lost.as_ref().map_or(0, |(count, _)| *count);
            self.lost = Some((before + 1, oldest));
        }
        self.lines.push_back(Line { time, request, reload, stream, line: line.to_owned() });
    }

    /// Tells of them, oldest first, and of how many are missing.
    pub(super) fn tell(self, listener: &impl Fn(&Event<'_>)) {
        if let Some((count, last)) = self.lost {
            let line = format!("… (lines before that were too many to keep: {count})");
            listener(&Event::Log(Line { line, ..last }.record()));
        }
        for line in &self.lines {
            listener(&Event::Log(line.record()));
        }
    }
}

impl Line {
    fn record(&self) -> LogRecord<'_> {
        let Self { time, request, reload, stream, ref line } = *self;
        LogRecord { time, request, reload, stream, line }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::EventBus;

    fn print(bus: &EventBus, line: &str) {
        let time = SystemTime::UNIX_EPOCH;
        bus.print(LogRecord { time, request: None, reload: Some(1), stream: "stdout", line });
    }

    fn listen(bus: &EventBus) -> Arc<Mutex<Vec<String>>> {
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let lines = Arc::clone(&heard);
        bus.listen_from_the_start(move |event| {
            if let Event::Log(record) = event {
                lines.lock().expect("no panic").push(record.line.to_owned());
            }
        });
        heard
    }

    #[test]
    fn the_first_who_asks_hears_what_was_printed_before_and_each_line_once() {
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
    fn what_is_too_much_is_counted() {
        let bus = EventBus::default();
        for number in 0..MAX_LINES + 3 {
            print(&bus, &number.to_string());
        }
        let heard = listen(&bus);
        let heard = heard.lock().expect("no panic");
        assert_eq!(heard.len(), MAX_LINES + 1);
        assert_eq!(heard[..2], ["… (lines before that were too many to keep: 3)", "3"]);
    }
}
