//! A crash of the server process, as people read it: the request and the place in the code.
//!
//! Made by the process that started it, from the file that it left. Never starts a process.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::crash_record::{CrashState, signal_name};
use crate::event::Event;
use crate::message::{
    Frame, Head, LineOrigin, LogRecord, Phases, RequestRecord, SourceLine, Traceback, unix_ms,
};
use crate::python_runtime::PythonRuntime;

use super::engine::Dev;

/// The lines of source above and below the line of a frame.
const SOURCE_LINES: usize = 3;
/// The most requests that are named.
const MAX_NAMED: usize = 5;

/// The end of a server process that was not asked to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crash {
    /// The generation that served; 0 if none did.
    pub generation: u64,
    /// The cause, and the stack of the thread that ended the process.
    pub traceback: Traceback,
    /// Method and path of the request whose handler did it.
    pub culprit: Option<String>,
    /// Method and path of each request under way.
    requests: Vec<String>,
    time_ms: u64,
}

impl Crash {
    /// Describes the end of a process that left `state`.
    pub fn new(state: CrashState, status: ExitStatus, project: &Path, python_dir: &Path) -> Self {
        let CrashState { generation, requests, culprit, stack } = state;
        let exited = stack.lines().next().filter(|line| line.starts_with("os._exit("));
        let kind = match (status.signal(), status.code()) {
            (Some(signal), _) => signal_name(signal),
            (None, _) if exited.is_some() => exited.unwrap_or_default().to_owned(),
            (None, code) => format!("exit code {}", code.unwrap_or_default()),
        };
        let message = match status.signal() {
            Some(libc::SIGKILL) => "it was killed, by a person or for its use of memory",
            Some(_) => "it crashed in native code",
            None => "it was ended by code",
        };
        let frames = stack.lines().filter_map(|line| frame(line, project, python_dir));
        let mut frames: Vec<Frame> = frames.collect();
        frames.reverse(); // the newest call comes first
        let traceback = Traceback {
            kind,
            message: format!("the server process has ended: {message}"),
            frames,
            text: stack,
            ..Traceback::default()
        };
        let culprit = culprit.and_then(|index| requests.get(index).cloned());
        let time_ms = unix_ms(SystemTime::now());
        Self { generation, traceback, culprit, requests, time_ms }
    }

    /// Names the request, or the requests, in one line.
    pub fn headline(&self) -> String {
        let kind = &self.traceback.kind;
        if let Some(culprit) = &self.culprit {
            return format!("{culprit} ended the server process: {kind}");
        }
        let ended = format!("the server process has ended: {kind}");
        let named: Vec<&str> = self.requests.iter().take(MAX_NAMED).map(|each| &**each).collect();
        let more = match self.requests.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match &*named {
            [] => format!("{ended}, while no request ran"),
            _ => format!("{ended}, while these ran: {}{more}", named.join(", ")),
        }
    }
}

impl Dev {
    /// Records a crash of the process before this one, for the console and the API.
    pub fn record_crash(&self, crash: &Crash) {
        let (recorder, runtime) = (&self.inner.recorder, &self.inner.runtime);
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(crash.time_ms);
        let requests: Vec<&String> = match &crash.culprit {
            Some(culprit) => vec![culprit],
            None => crash.requests.iter().take(MAX_NAMED).collect(),
        };
        let mut first = None;
        for request in requests {
            let id =
                record_request(crash, request, time, runtime, |event| recorder.on_event(event));
            first = first.or(id);
        }
        let line = crash.headline();
        let record = LogRecord {
            time,
            request: first,
            reload: None,
            stream: "stderr",
            line: &line,
            origin: LineOrigin::default(),
        };
        recorder.on_event(&Event::Log(record));
    }
}

/// Emits the end of a request that has no response; returns its new id.
fn record_request(
    crash: &Crash,
    request: &str,
    time: SystemTime,
    runtime: &PythonRuntime,
    emit: impl FnOnce(&Event<'_>),
) -> Option<u64> {
    let (method, path) = request.split_once(' ')?;
    let request = axum::http::Request::builder().method(method).uri(path).body(()).ok()?;
    let (head, id) = (Head::new(request.into_parts().0), runtime.next_request_id());
    emit(&Event::RequestEnd(RequestRecord {
        id,
        time,
        head: &head,
        request_body: None,
        response_body: None,
        response_headers: &HeaderMap::new(),
        status: 500,
        generation: Some(crash.generation),
        route: None,
        total: Duration::ZERO,
        phases: Phases::default(),
        cpu_time: None,
        blockers: &[],
        pool: None,
        traceback: Some(&Arc::new(crash.traceback.clone())),
        is_stream: false,
        stream: None,
    }));
    Some(id)
}

/// Reads a line of `faulthandler`, such as `  File "/a/b.py", line 3 in f`; `None` for another line
/// and for the framework's frames.
fn frame(line: &str, project: &Path, python_dir: &Path) -> Option<Frame> {
    let (file, rest) = line.strip_prefix("  File \"")?.rsplit_once("\", line ")?;
    let (number, function) = rest.split_once(" in ")?;
    if file.starts_with('<') {
        return None;
    }
    let (path, line) = (Path::new(file), number.parse().ok()?);
    let is_user = path.starts_with(python_dir);
    let inside = path.strip_prefix(project).unwrap_or(path);
    let source = if is_user { source_around(path, line) } else { Vec::new() };
    Some(Frame {
        file: inside.display().to_string(),
        line,
        function: function.to_owned(),
        user: is_user,
        source,
        ..Frame::default()
    })
}

fn source_around(path: &Path, line: u32) -> Vec<SourceLine> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let first = (line as usize).saturating_sub(SOURCE_LINES).max(1);
    let lines = text.lines().zip(1..).skip(first - 1).take(2 * SOURCE_LINES + 1);
    lines.map(|(text, line)| SourceLine { line, text: text.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crash(status: i32, stack: &str, requests: &[&str], culprit: Option<usize>) -> Crash {
        let requests = requests.iter().map(ToString::to_string).collect();
        let state = CrashState { generation: 1, requests, culprit, stack: stack.to_owned() };
        Crash::new(state, ExitStatus::from_raw(status), Path::new("/p"), Path::new("/p/python"))
    }

    #[test]
    fn a_crash_names_its_request_and_its_place() {
        let stack = "Fatal Python error: Segmentation fault\n\n\
            Current thread 0x0000000000000001 (most recent call first):\n  \
            File \"/lib/ctypes.py\", line 9 in string_at\n  \
            File \"/p/python/a.py\", line 3 in crash\n  \
            File \"<snaxum>/_runtime/dispatch.py\", line 7 in dispatch\n";
        let crash = crash(libc::SIGSEGV, stack, &["GET /a", "GET /b"], Some(1));
        assert_eq!(crash.headline(), "GET /b ended the server process: SIGSEGV");
        let frames: Vec<_> = crash.traceback.frames.iter().map(|f| (&*f.file, f.line)).collect();
        assert_eq!(frames, [("python/a.py", 3), ("/lib/ctypes.py", 9)]);
        assert_eq!(crash.traceback.culprit().map(|frame| &*frame.function), Some("crash"));
    }

    #[test]
    fn without_a_culprit_the_requests_are_named() {
        let exited = crash(3 << 8, "os._exit(3)\n\n", &[], None);
        assert_eq!(
            exited.headline(),
            "the server process has ended: os._exit(3), while no request ran"
        );
        let many = ["GET /"; 7];
        let killed = crash(libc::SIGKILL, "", &many, None).headline();
        assert!(
            killed.starts_with("the server process has ended: SIGKILL, while these ran: GET /")
        );
        assert!(killed.ends_with("GET / and 2 more"), "{killed}");
    }
}
