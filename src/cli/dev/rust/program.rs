//! The program, seen from the builder: starts a binary, sends it orders, receives its reports, and describes
//! its end.
//!
//! Decides nothing: the builder does.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use snaxum::crash_record::{CrashRecord, signal_name};
use snaxum::message::{Frame, ModuleFailure, Traceback};
use snaxum::server::{LoadTable, Passage, Turns};
use snaxum::supervision::protocol::{
    BuilderOrder, DEV_PROGRAM, ProgramDescriptors, ProgramReport, ProgramStart, to_line,
};
use snaxum::sync::Mutex;

use super::diagnostic::{SourcePlaces, source_around};
use super::grouped_process::GroupedProcess;

/// The programs that can run at once: one serves, one is tried, and the others drain.
const PLACES: usize = 16;
/// The lines of a program's stderr that an error shows.
const MAX_LINES: usize = 200;
/// The variable with the directories of shared libraries.
const LIBRARY_PATH: &str =
    if cfg!(target_os = "macos") { "DYLD_FALLBACK_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
/// The limit for the last lines of a program that has ended.
const LAST_LINES: Duration = Duration::from_millis(300);
/// The limit for an order to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The resources that all programs of a builder share.
pub(super) struct SharedSockets {
    pub(super) listener: TcpListener,
    table_file: File,
    table: LoadTable,
    passage: Passage,
    bell: Option<OwnedFd>,
}

impl SharedSockets {
    pub(super) fn new(listener: TcpListener) -> io::Result<Self> {
        let table_file = LoadTable::create(PLACES)?;
        let table = LoadTable::open(&table_file)?;
        Ok(Self { listener, table_file, table, passage: Passage::new()?, bell: Turns::new_bell() })
    }
}

/// How a program is started.
pub(super) struct Launch<'a> {
    pub(super) id: u64,
    pub(super) executable: &'a Path,
    pub(super) arguments: &'a [String],
    pub(super) directory: &'a Path,
    /// The directories of its libraries.
    pub(super) libraries: &'a [PathBuf],
    pub(super) start: &'a ProgramStart,
    /// Whether stdout belongs to the events of the builder.
    pub(super) prints_to_stderr: bool,
}

/// Something that a program did.
pub(super) enum ProgramEvent {
    Report(ProgramReport),
    Ended,
}

/// A running program. Dropping it kills it.
pub(super) struct Program {
    pub(super) id: u64,
    pub(super) executable: PathBuf,
    pub(super) began: Instant,
    process: GroupedProcess,
    control: UnixStream,
    place: usize,
    table: LoadTable,
    pub(super) crash_record: File,
    printed: Arc<Mutex<VecDeque<String>>>,
    /// Closed once all of its stderr is copied.
    relayed: Receiver<()>,
    pub(super) reports: ReceivedReports,
}

/// The reports that have come so far.
#[derive(Default)]
pub(super) struct ReceivedReports {
    /// When it had taken the socket.
    pub(super) bound: Option<Instant>,
    /// When its modules had loaded, and how.
    pub(super) loaded: Option<(Instant, u64, Vec<ModuleFailure>)>,
    pub(super) has_dev: bool,
    pub(super) is_serving: bool,
    pub(super) is_ending: bool,
}

impl Program {
    /// Starts a binary. `send` is called for each of its events, the last of which is its end.
    pub(super) fn start(
        launch: &Launch<'_>,
        shared: &SharedSockets,
        send: impl Fn(ProgramEvent) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let place = shared.table.assign().ok_or_else(|| {
            io::Error::other("too many old programs still drain; end them, or wait for them")
        })?;
        Self::start_in(place, launch, shared, Arc::new(send))
            .inspect_err(|_| shared.table.free(place))
    }

    fn start_in(
        place: usize,
        launch: &Launch<'_>,
        shared: &SharedSockets,
        send: Arc<impl Fn(ProgramEvent) + Send + Sync + 'static>,
    ) -> io::Result<Self> {
        let (control, of_program) = UnixStream::pair()?;
        control.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let crash_record = CrashRecord::create()?;
        let descriptors = ProgramDescriptors {
            builder: std::process::id(),
            socket: shared.listener.as_raw_fd(),
            control: of_program.as_raw_fd(),
            table: shared.table_file.as_raw_fd(),
            place,
            passage: shared.passage.ends().map(|end| end.as_raw_fd()),
            bell: shared.bell.as_ref().map(|bell| bell.as_fd().as_raw_fd()),
            crash_record: Some(crash_record.as_raw_fd()),
        };
        let mut command = Command::new(launch.executable);
        command.args(launch.arguments).current_dir(launch.directory);
        command.env(DEV_PROGRAM, serde_json::to_string(&descriptors).expect("plain data"));
        let paths = launch.libraries.iter().cloned().chain(known_libraries());
        if let Ok(paths) = std::env::join_paths(paths) {
            command.env(LIBRARY_PATH, paths);
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        if launch.prints_to_stderr {
            command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
        }
        let began = Instant::now();
        let on_end = {
            let send = Arc::clone(&send);
            move || send(ProgramEvent::Ended)
        };
        let mut process = GroupedProcess::spawn(command, descriptors.all().collect(), on_end)?;
        let stderr = process.child_mut().stderr.take().expect("it is piped");
        let printed = Arc::new(Mutex::new(VecDeque::new()));
        let (relaying, relayed) = mpsc::channel();
        thread::Builder::new().name("program-stderr".into()).spawn({
            let printed = Arc::clone(&printed);
            move || {
                relay(stderr, &printed);
                drop::<Sender<()>>(relaying);
            }
        })?;
        let reader = control.try_clone()?;
        thread::Builder::new().name("program-reports".into()).spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                // A newer program may have other reports.
                if let Ok(report) = serde_json::from_slice(&line) {
                    send(ProgramEvent::Report(report));
                }
            }
        })?;
        let mut program = Self {
            id: launch.id,
            executable: launch.executable.to_owned(),
            began,
            process,
            control,
            place,
            table: shared.table,
            crash_record,
            printed,
            relayed,
            reports: ReceivedReports::default(),
        };
        program.write(launch.start);
        Ok(program)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends an order. It is lost if it cannot be written: the program is ending.
    pub(super) fn send(&mut self, order: &BuilderOrder) {
        self.write(order);
    }

    fn write(&mut self, message: &impl Serialize) {
        if let Err(error) = self.control.write_all(&to_line(message)) {
            tracing::debug!("the program {} does not read its orders: {error}", self.pid());
        }
    }

    /// Stores a report of its progress.
    pub(super) fn receive(&mut self, report: &ProgramReport) {
        let now = Instant::now();
        let reports = &mut self.reports;
        match report {
            ProgramReport::Bound => reports.bound = Some(now),
            ProgramReport::Loaded { generation, failures } => {
                reports.loaded = Some((now, *generation, failures.clone()));
            }
            ProgramReport::Dev => reports.has_dev = true,
            ProgramReport::Serving => reports.is_serving = true,
            ProgramReport::Ending => reports.is_ending = true,
            _ => {}
        }
    }

    /// Whether it has taken the socket and loaded its modules.
    pub(super) fn is_started(&self) -> bool {
        self.reports.bound.is_some() && self.reports.loaded.is_some()
    }

    pub(super) fn generation(&self) -> u64 {
        self.reports.loaded.as_ref().map_or(0, |(_, generation, _)| *generation)
    }

    /// Sends a signal to it.
    pub(super) fn signal(&self, signal: i32) {
        self.process.signal(signal);
    }

    /// Ends it and its children.
    pub(super) fn kill(&self) {
        self.process.signal_group(libc::SIGKILL);
    }

    /// Stops or continues it and its children.
    pub(super) fn signal_group(&self, signal: i32) {
        self.process.signal_group(signal);
    }

    /// Returns how it has ended, after its last output.
    pub(super) fn reap(&mut self) -> io::Result<ExitStatus> {
        let status = self.process.reap()?; // its children, too, which may have its stderr open
        // A process of another session may have its stderr open.
        let _ = self.relayed.recv_timeout(LAST_LINES);
        Ok(status)
    }

    /// The last lines of its stderr.
    pub(super) fn last_lines(&self) -> Vec<String> {
        self.printed
            .lock()
            .iter()
            .map(|line| console::strip_ansi_codes(line).into_owned())
            .collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        let _ = self.process.reap();
        self.table.free(self.place);
    }
}

/// The directories that the environment names, or the directories of the system that the variable replaces.
fn known_libraries() -> Vec<PathBuf> {
    match std::env::var_os(LIBRARY_PATH).filter(|known| !known.is_empty()) {
        Some(known) => std::env::split_paths(&known).collect(),
        None if cfg!(target_os = "macos") => {
            let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join("lib"));
            home.into_iter().chain(["/usr/local/lib", "/usr/lib"].map(PathBuf::from)).collect()
        }
        None => Vec::new(), // an empty name would be the current directory
    }
}

/// Copies the stderr of a program to that of this process, and stores its last lines.
fn relay(stderr: impl io::Read, printed: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let mut text = line.clone();
        text.push(b'\n');
        let _ = io::stderr().write_all(&text); // a closed terminal must not end the program
        let mut printed = printed.lock();
        if printed.len() == MAX_LINES {
            printed.pop_front();
        }
        printed.push_back(String::from_utf8_lossy(&line).into_owned());
    }
}

/// Describes the end of a program that has not served: its panic, or its exit code and its last lines.
pub(super) fn failed_start(
    status: ExitStatus,
    lines: &[String],
    is_bound: bool,
    places: &SourcePlaces,
) -> Traceback {
    let text = lines.join("\n");
    // It listens by itself, where `snaxum dev` does already.
    let is_in_use = text.contains("Address already in use");
    let hint = (!is_bound && (status.success() || is_in_use)).then(|| BIND_HINT.to_owned());
    if let Some(mut panic) = panic(lines, places) {
        (panic.hint, panic.text) = (hint, text);
        return panic;
    }
    let kind = match (status.signal(), status.code()) {
        (Some(signal), _) => signal_name(signal),
        (None, code) => format!("exit code {}", code.unwrap_or_default()),
    };
    let last = lines.iter().rev().find(|line| !line.trim().is_empty());
    Traceback {
        kind,
        message: match last {
            Some(last) => format!("the program ended while it started: {}", last.trim()),
            None => "the program ended while it started".to_owned(),
        },
        hint,
        text,
        ..Traceback::default()
    }
}

/// Describes a program that has not reported its start in time.
pub(super) fn late_start(
    limit: Duration,
    reports: &ReceivedReports,
    lines: &[String],
) -> Traceback {
    let limit = limit.as_secs();
    let (message, hint) = match (&reports.bound, &reports.loaded) {
        (None, Some(_)) => (
            format!("the program does not take the socket of `snaxum dev` within {limit} s"),
            Some(BIND_HINT.to_owned()),
        ),
        (Some(_), None) => {
            (format!("the Python modules of the program do not load within {limit} s"), None)
        }
        _ => (
            format!("the program neither takes the socket nor starts Python within {limit} s"),
            Some(BIND_HINT.to_owned()),
        ),
    };
    Traceback {
        kind: "no start".to_owned(),
        message,
        hint,
        text: lines.join("\n"),
        ..Traceback::default()
    }
}

/// How a program gets the socket.
const BIND_HINT: &str =
    "call `snaxum::server::bind(address).await` in place of `TcpListener::bind`";

/// Reads the last panic in the output of a program, as in `thread 'main' panicked at src/main.rs:9:5:`.
fn panic(lines: &[String], places: &SourcePlaces) -> Option<Traceback> {
    let at = lines.iter().rposition(|line| line.contains(" panicked at "))?;
    let (_, place) = lines[at].split_once(" panicked at ")?;
    let message: Vec<&str> = lines[at + 1..]
        .iter()
        .map(|line| &**line)
        .take_while(|line| {
            !line.starts_with("stack backtrace:") && !line.starts_with("note: run with")
        })
        .collect();
    let mut parts = place.trim_end_matches(':').rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    let (line, column): (u32, u32) = (line.parse().ok()?, column.parse().ok()?);
    let path = places.workspace.join(file);
    let frame = Frame {
        file: places.shown(Path::new(file)),
        line,
        end_line: Some(line),
        column: Some(column.saturating_sub(1)),
        user: places.is_of_user(&path),
        source: source_around(&path, line),
        ..Frame::default()
    };
    Some(Traceback {
        kind: "panic".to_owned(),
        message: message.join("\n").trim().to_owned(),
        frames: vec![frame],
        ..Traceback::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> SourcePlaces {
        SourcePlaces { workspace: "/p".into(), root: "/p".into(), crates: vec!["/p".into()] }
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_panic_at_the_start_has_its_place_and_message() {
        let printed = "starting\n\nthread 'main' (71) panicked at src/main.rs:9:5:\nno database\nat all\n\
                       note: run with `RUST_BACKTRACE=1`";
        let status = ExitStatus::from_raw(101 << 8);
        let raised = failed_start(status, &lines(printed), false, &places());
        assert_eq!((&*raised.kind, &*raised.message), ("panic", "no database\nat all"));
        let frame = raised.culprit().expect("a place");
        assert_eq!((&*frame.file, frame.line, frame.column), ("src/main.rs", 9, Some(4)));
        assert!(raised.text.starts_with("starting"));
    }

    #[test]
    fn a_program_that_ends_at_once_shows_its_last_line() {
        let failed =
            failed_start(ExitStatus::from_raw(1 << 8), &lines("Error: no key\n"), false, &places());
        assert_eq!(failed.kind, "exit code 1");
        assert_eq!(failed.message, "the program ended while it started: Error: no key");
        assert_eq!(failed.hint, None);
        let in_use = lines("Error: Os { code: 98, message: \"Address already in use\" }");
        let failed = failed_start(ExitStatus::from_raw(1 << 8), &in_use, false, &places());
        assert!(failed.hint.is_some_and(|hint| hint.contains("in place of `TcpListener::bind`")));
        let silent = failed_start(ExitStatus::from_raw(0), &[], false, &places());
        assert!(silent.hint.is_some_and(|hint| hint.contains("snaxum::server::bind")));
        let killed = failed_start(ExitStatus::from_raw(libc::SIGSEGV), &[], true, &places());
        assert_eq!(killed.kind, "SIGSEGV");
    }

    #[test]
    fn the_error_of_a_program_that_ignores_the_socket_names_the_call() {
        let loaded = Some((Instant::now(), 1, Vec::new()));
        let reports = ReceivedReports { loaded, ..ReceivedReports::default() };
        let late = late_start(Duration::from_secs(30), &reports, &[]);
        assert!(late.message.contains("does not take the socket"), "{late:?}");
        assert!(late.hint.is_some_and(|hint| hint.contains("in place of `TcpListener::bind`")));
    }
}
