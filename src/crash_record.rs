//! A file that outlives a crash of this process: the requests that are under way, and the stack.
//!
//! The process that started this one creates it and reads it after a crash. Requests are stored in a
//! shared mapping, because a crash leaves no time to write them; the stack is appended by Python's
//! `faulthandler`. Requests are recorded in `snaxum dev` only.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::shared_mapping;
use crate::sync::Mutex;

/// The number of requests that are recorded at once; further ones are not.
const SLOTS: usize = 128;
/// The most bytes of a request's method and path.
const MAX_TEXT: usize = 224;
/// The most bytes of the stack that are read.
const MAX_STACK: usize = 1 << 20;
/// The most bytes of the stacks of all threads that are shown.
const MAX_STACKS: usize = 16 << 10;

/// The start of the line above the stack of the thread that ended the process.
const CRASHED_THREAD: &str = "Current thread 0x";

/// The start of the file, as bytes of this machine. All zeroes is valid: no request.
///
/// A parent of a production server may be of a later version than the process that has crashed: a change needs
/// another `OLDEST_PROTOCOL` (`cli/production/protocol.rs`).
#[repr(C)]
struct Table {
    generation: AtomicU64,
    /// Counts the requests that began on a thread.
    begun: AtomicU64,
    slots: [RecordSlot; SLOTS],
}

/// One request.
#[repr(C)]
struct RecordSlot {
    /// The id of the request; 0 if the slot is free.
    id: AtomicU64,
    /// The thread that runs its handler, as `pthread_self` names it, or 0.
    thread: AtomicU64,
    /// The value of `begun` when the thread began to run it.
    begun: AtomicU64,
    len: AtomicU64,
    text: [AtomicU8; MAX_TEXT],
}

/// The writer's view of the file.
pub struct CrashRecord {
    file: File,
    table: &'static Table,
    /// The slots that no request has.
    free: Mutex<Vec<usize>>,
    server_pid: u32,
}

/// The record of a process that has crashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashState {
    /// The generation that served; 0 if none did.
    pub generation: u64,
    /// Method and path of each request that was under way, the newest last.
    pub requests: Vec<String>,
    /// The index of the request whose handler the crashed thread ran.
    pub culprit: Option<usize>,
    /// The cause, and the stack of the thread that ended the process, as `faulthandler` writes them.
    pub stack: String,
}

impl CrashRecord {
    /// Creates the file, without a name.
    ///
    /// # Errors
    ///
    /// The system refuses.
    pub fn create() -> io::Result<File> {
        let file = shared_mapping::create()?;
        reset(&file)?;
        Ok(file)
    }

    /// Maps the file in the process whose crash it records. `server_pid` is the process that created
    /// it.
    ///
    /// # Errors
    ///
    /// The file cannot be mapped.
    pub fn open(file: File, server_pid: u32) -> io::Result<Self> {
        reset(&file)?; // a process before this one may have used it
        // SAFETY: every field is atomic, any bytes are valid, and `reset` has made the room.
        let tables = unsafe { shared_mapping::map::<Table>(&file, 1) }?;
        let table = &tables[0];
        Ok(Self { file, table, free: Mutex::new((0..SLOTS).rev().collect()), server_pid })
    }

    /// The file, which Python appends the stack to.
    pub(crate) fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// The process that created the file, and lives as long as the server.
    pub(crate) fn server_pid(&self) -> u32 {
        self.server_pid
    }

    /// Records the generation that serves.
    pub(crate) fn set_generation(&self, generation: u64) {
        self.table.generation.store(generation, Ordering::Relaxed);
    }

    /// Records a request; `None` if too many are recorded.
    pub(crate) fn add(&self, id: u64, method: &str, path: &str) -> Option<usize> {
        let index = self.free.lock().pop()?;
        let slot = &self.table.slots[index];
        let text = method.bytes().chain([b' ']).chain(path.bytes());
        let mut len = 0;
        for (to, byte) in slot.text.iter().zip(text) {
            to.store(byte, Ordering::Relaxed);
            len += 1;
        }
        slot.len.store(len, Ordering::Relaxed);
        slot.thread.store(0, Ordering::Relaxed);
        slot.id.store(id, Ordering::Release);
        Some(index)
    }

    /// Records that this thread runs the handler of a request from now on, or no longer.
    pub(crate) fn set_running(&self, index: usize, is_running: bool) {
        let slot = &self.table.slots[index];
        let thread = if is_running { this_thread() } else { 0 };
        let begun = self.table.begun.fetch_add(1, Ordering::Relaxed);
        slot.begun.store(begun, Ordering::Relaxed);
        slot.thread.store(thread, Ordering::Relaxed);
    }

    /// Removes a request that has ended.
    pub(crate) fn remove(&self, index: usize) {
        self.table.slots[index].id.store(0, Ordering::Relaxed);
        self.free.lock().push(index);
    }
}

impl std::fmt::Debug for CrashRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CrashRecord").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Reads the stacks of all threads, as `faulthandler` has written them to the file of a process that has
/// ended; the first lines, if there are many.
///
/// # Errors
///
/// The file cannot be read.
pub fn read_stacks(file: &File) -> io::Result<String> {
    let mut stacks = vec![0; MAX_STACKS];
    let count = file.read_at(&mut stacks, size_of::<Table>() as u64)?;
    Ok(String::from_utf8_lossy(&stacks[..count]).into_owned())
}

impl CrashState {
    /// Reads the file after the process that wrote it has ended.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn read(file: &File) -> io::Result<Self> {
        let mut table = vec![0; size_of::<Table>()];
        file.read_exact_at(&mut table, 0)?;
        let mut stack = vec![0; MAX_STACK];
        let count = file.read_at(&mut stack, table.len() as u64)?;
        let stack = crashed_stack(&String::from_utf8_lossy(&stack[..count]));
        let number = |bytes: &[u8], at: usize| {
            u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
        };
        let slots = &table[std::mem::offset_of!(Table, slots)..];
        let mut found: Vec<(u64, u64, u64, String)> = slots
            .chunks_exact(size_of::<RecordSlot>())
            .filter(|slot| number(slot, 0) != 0)
            .map(|slot| {
                let len = (number(slot, 24) as usize).min(MAX_TEXT);
                let text = &slot[std::mem::offset_of!(RecordSlot, text)..][..len];
                let text = String::from_utf8_lossy(text).into_owned();
                (number(slot, 0), number(slot, 8), number(slot, 16), text)
            })
            .collect();
        found.sort();
        let crashed = crashed_thread(&stack);
        let on_it = found.iter().enumerate().filter(|(_, slot)| Some(slot.1) == crashed);
        let newest = on_it.max_by_key(|(_, slot)| slot.2).map(|(index, _)| index);
        let culprit = newest.or((found.len() == 1).then_some(0));
        let requests = found.into_iter().map(|(.., text)| text).collect();
        Ok(Self { generation: number(&table, 0), requests, culprit, stack })
    }
}

/// The name of a signal that ends a process.
pub fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGKILL => "SIGKILL",
        libc::SIGTERM => "SIGTERM",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// Removes everything; the stack will be appended.
fn reset(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.set_len(size_of::<Table>() as u64)?;
    file.seek(SeekFrom::End(0)).map(drop)
}

/// Removes the stacks of the other threads.
fn crashed_stack(text: &str) -> String {
    let cause = text.lines().next().unwrap_or_default();
    let stack = text.lines().skip_while(|line| !line.starts_with(CRASHED_THREAD));
    let stack = stack.take_while(|line| !line.is_empty());
    std::iter::once(cause).chain(stack).collect::<Vec<_>>().join("\n")
}

/// The id of the thread that `faulthandler` names.
fn crashed_thread(stack: &str) -> Option<u64> {
    let line = stack.lines().find_map(|line| line.strip_prefix(CRASHED_THREAD))?;
    u64::from_str_radix(line.split_whitespace().next()?, 16).ok()
}

/// The id of this thread, as Python's `threading.get_ident` returns it.
fn this_thread() -> u64 {
    // SAFETY: has no precondition.
    unsafe { libc::pthread_self() as u64 }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn record() -> (CrashRecord, File) {
        let file = CrashRecord::create().expect("a temporary file");
        let copy = file.try_clone().expect("a descriptor");
        (CrashRecord::open(file, 1).expect("mapped"), copy)
    }

    #[test]
    fn the_requests_under_way_are_read_from_the_file() {
        let (record, file) = record();
        record.set_generation(7);
        let first = record.add(1, "GET", "/a").expect("room");
        record.add(2, "POST", "/b").expect("room");
        record.set_running(first, true);
        assert_eq!(
            CrashState::read(&file).expect("read"),
            CrashState {
                generation: 7,
                requests: vec!["GET /a".to_owned(), "POST /b".to_owned()],
                culprit: None,
                stack: String::new(),
            }
        );
        record.remove(first);
        let state = CrashState::read(&file).expect("read");
        assert_eq!((state.requests.len(), state.culprit), (1, Some(0)));
    }

    /// If this test fails, raise `PROTOCOL` and `OLDEST_PROTOCOL`, and only then change the numbers.
    #[test]
    fn the_layout_is_that_of_the_version_of_the_messages() {
        use std::mem::offset_of;
        let table = (size_of::<Table>(), offset_of!(Table, begun), offset_of!(Table, slots));
        assert_eq!(table, (32_784, 8, 16));
        let slot = (offset_of!(RecordSlot, thread), offset_of!(RecordSlot, begun));
        assert_eq!(slot, (8, 16));
        let text = (offset_of!(RecordSlot, len), offset_of!(RecordSlot, text), MAX_TEXT);
        assert_eq!(text, (24, 32, 224));
    }

    #[test]
    fn the_request_on_the_crashed_thread_is_the_culprit() {
        let (record, mut file) = record();
        for (id, path) in [(1, "/a"), (2, "/b"), (3, "/c")] {
            let index = record.add(id, "GET", path).expect("room");
            record.set_running(index, id < 3);
        }
        file.seek(SeekFrom::End(0)).expect("the end");
        writeln!(
            file,
            "Fatal\n\nCurrent thread 0x{:016x} (most recent call first):",
            this_thread()
        )
        .expect("written");
        let state = CrashState::read(&file).expect("read");
        assert_eq!(state.culprit, Some(1));
    }

    #[test]
    fn long_paths_are_cut_and_further_requests_are_not_recorded() {
        let (record, file) = record();
        let path = "/x".repeat(1000);
        let added = (1..=SLOTS as u64).map(|id| record.add(id, "GET", &path));
        assert!(added.collect::<Vec<_>>().iter().all(Option::is_some));
        assert_eq!(record.add(1000, "GET", "/"), None);
        let state = CrashState::read(&file).expect("read");
        assert_eq!((state.requests.len(), state.requests[0].len()), (SLOTS, MAX_TEXT));
    }
}
