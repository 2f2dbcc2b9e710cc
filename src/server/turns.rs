//! Turns: which process of a server takes the next connection, and when a connection moves to another.
//!
//! All processes of a server accept from one socket, and the one with the least to do takes the next
//! connection. Each reads the load of all in a table that they share, so they need no referee. A
//! connection that waits for its next request can move: away from a process that stops, so that its
//! client notices nothing, and away from one whose handlers block while another has nothing to do.

mod boundary;
mod load_table;
mod open_connection;
mod passage;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

use super::client_socket::ClientSocket;

pub(super) use boundary::{Boundary, LastBody};
pub use load_table::LoadTable;
pub(super) use open_connection::OpenConnection;
pub use passage::Passage;

/// How often a process checks a connection that another one is to take.
const RECHECK: Duration = Duration::from_millis(1);
/// How long it waits for a process that does not react before it takes the connection itself.
const PATIENCE: Duration = Duration::from_millis(100);
/// A process with requests that has completed none for so many milliseconds is blocked.
const STALL_MS: u64 = 5;

/// Called with the number of requests when there have been too many.
type OnWorn = Box<dyn Fn() + Send + Sync>;

/// The part of one process in the turns of its server.
pub struct Turns {
    table: LoadTable,
    /// Its place in the table.
    own: usize,
    passage: Passage,
    /// Wakes all processes, where the system has such a counter.
    bell: Option<OwnedFd>,
    /// Whether requests are counted, for other processes or for a limit.
    counts: bool,
    /// Whether other processes take turns all the time.
    is_shared: bool,
    is_leaving: AtomicBool,
    /// Cancelled once this process accepts no more connections.
    has_left: CancellationToken,
    max_requests: AtomicU64,
    on_worn: OnceLock<OnWorn>,
}

/// A request that is being handled, until it is dropped.
#[derive(Debug)]
pub struct CountedRequest(&'static Turns);

impl Turns {
    /// Takes part in the turns; `is_shared`: with more than one process. It lasts as long as the process.
    pub fn join(
        table: LoadTable,
        own: usize,
        passage: Passage,
        bell: Option<OwnedFd>,
        is_shared: bool,
    ) -> &'static Self {
        Box::leak(Box::new(Self {
            table,
            own,
            passage,
            bell,
            counts: is_shared,
            is_shared,
            is_leaving: AtomicBool::new(false),
            has_left: CancellationToken::new(),
            max_requests: AtomicU64::new(u64::MAX),
            on_worn: OnceLock::new(),
        }))
    }

    /// Makes the bell of a server, if the system has one: a counter that is never read.
    pub fn new_bell() -> Option<OwnedFd> {
        #[cfg(target_os = "linux")]
        {
            use rustix::event::{EventfdFlags, eventfd};
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()
        }
        #[cfg(not(target_os = "linux"))]
        None // a process that is not woken checks again soon
    }

    /// Calls `on_worn` once so many requests have been handled.
    pub fn limit_requests(&self, max_requests: u64, on_worn: impl Fn() + Send + Sync + 'static) {
        if self.on_worn.set(Box::new(on_worn)).is_ok() {
            self.max_requests.store(max_requests, Ordering::Relaxed);
        }
    }

    /// Moves the connections to another process from now on, each after its request.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
        self.table.places[self.own].set_accepting(false);
    }

    /// Waits until this process accepts no more connections.
    pub async fn end_of_accepting(&self) {
        self.has_left.cancelled().await;
    }

    /// Counts a connection that this process has just taken. Needs the async runtime.
    pub(super) fn open_connection(&'static self) -> OpenConnection {
        OpenConnection::new(&self.table.places[self.own], self.is_shared)
    }

    /// Counts a request as running, if that is of interest.
    pub fn begin_request(&'static self) -> Option<CountedRequest> {
        let has_limit = || self.max_requests.load(Ordering::Relaxed) != u64::MAX;
        if !self.counts && !has_limit() {
            return None;
        }
        let place = &self.table.places[self.own];
        if place.running.fetch_add(1, Ordering::Relaxed) == 0 {
            place.busy_since.store(now_ms(), Ordering::Relaxed);
        }
        Some(CountedRequest(self))
    }

    fn is_blocked_beside_an_idle_one(&self) -> bool {
        let place = &self.table.places[self.own];
        if place.running.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let time = now_ms().saturating_sub(STALL_MS);
        place.last_end.load(Ordering::Relaxed) <= time
            && place.busy_since.load(Ordering::Relaxed) <= time
            && self.table.has_idle_one(self.own)
    }
}

impl Drop for CountedRequest {
    fn drop(&mut self) {
        let Self(turns) = self;
        let place = &turns.table.places[turns.own];
        place.running.fetch_sub(1, Ordering::Relaxed);
        place.last_end.store(now_ms(), Ordering::Relaxed);
        let served = place.served.fetch_add(1, Ordering::Relaxed) + 1;
        if served == turns.max_requests.load(Ordering::Relaxed)
            && let Some(on_worn) = turns.on_worn.get()
        {
            on_worn();
        }
    }
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").field("own", &self.own).finish_non_exhaustive()
    }
}

/// Whether one connection can move to another process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mobility {
    turns: Option<&'static Turns>,
    /// Whether another process can continue it.
    is_movable: bool,
}

impl Mobility {
    /// For a server of one process, and for connections within it.
    pub(super) const NONE: Self = Self { turns: None, is_movable: false };

    /// `is_plain`: a connection begins with its first request.
    pub(super) fn new(turns: Option<&'static Turns>, is_plain: bool) -> Self {
        Self { turns, is_movable: turns.is_some() && is_plain }
    }

    pub(super) fn is_possible(&self) -> bool {
        self.is_movable
    }

    /// Whether the process passes its connections on and ends.
    pub(super) fn is_leaving(&self) -> bool {
        self.turns.is_some_and(|turns| turns.is_leaving.load(Ordering::Relaxed))
    }

    /// Whether a connection that waits for a request should move.
    pub(super) fn should_move(&self) -> bool {
        self.is_movable
            && self.turns.is_some_and(|turns| {
                self.is_leaving() || (turns.is_shared && turns.is_blocked_beside_an_idle_one())
            })
    }

    /// Moves the connection, which is new or waits for its next request; false if there is no room for it.
    pub(super) fn pass_on(&self, socket: &impl ClientSocket, is_new: bool) -> bool {
        let turns = self.turns.filter(|_| self.is_movable);
        let both = turns.zip(socket.movable());
        both.is_some_and(|(turns, descriptor)| turns.passage.send(descriptor, is_new))
    }
}

/// Waits for connections in turns with other processes.
pub(super) struct TurnWaiter {
    turns: &'static Turns,
    listener: AsyncFd<OwnedFd>,
    passage: AsyncFd<OwnedFd>,
    bell: Option<AsyncFd<OwnedFd>>,
    /// Whether it has taken a connection: the turn may be that of another process.
    has_taken: bool,
    /// How many connections from other processes it may still take in this turn.
    share: usize,
}

/// A connection that waits for this process.
pub(super) enum Turn {
    /// At the listener, unless another process is faster.
    Accept,
    /// From another process; new ones have not begun with a request.
    Moved { connection: OwnedFd, is_new: bool },
}

impl TurnWaiter {
    /// Takes turns at `listener` from now on.
    pub(super) fn new(turns: &'static Turns, listener: BorrowedFd<'_>) -> io::Result<Self> {
        // A copy: the runtime registers a descriptor once.
        let watch = |descriptor: BorrowedFd<'_>| {
            let copy = descriptor.try_clone_to_owned()?;
            // SAFETY: an `OwnedFd` is open, and the same, until it is dropped.
            let watched = unsafe { AsyncFd::register_with_interest(copy, Interest::READABLE) };
            watched.map_err(io::Error::from)
        };
        let waiter = Self {
            turns,
            listener: watch(listener)?,
            passage: watch(turns.passage.exit())?,
            bell: turns.bell.as_ref().map(|bell| watch(bell.as_fd())).transpose()?,
            has_taken: false,
            share: 0,
        };
        turns.table.places[turns.own].set_accepting(true);
        Ok(waiter)
    }

    /// Waits for the turn of this process.
    pub(super) async fn next(&mut self) -> Turn {
        let own = &self.turns.table.places[self.turns.own];
        let mut awaited = None;
        loop {
            own.react();
            self.share = self.share.saturating_sub(1);
            if self.share > 0 {
                if let Some((connection, is_new)) = self.turns.passage.receive() {
                    return Turn::Moved { connection, is_new };
                }
                self.share = 0; // the turn is over: the process with the least to do takes later ones
            }
            let [has_moved, has_new] = self.pending();
            if !has_moved && !has_new {
                (awaited, self.has_taken) = (None, false);
                self.woken().await;
                continue;
            }
            let least = self.turns.table.least();
            let is_late = match awaited {
                Some((same, since)) if same == least => Instant::now() - since >= PATIENCE,
                _ => {
                    awaited = Some((least, Instant::now()));
                    false
                }
            };
            if is_late && let Some((index, _)) = least {
                self.turns.table.skip(index);
            }
            if is_late || least.is_none_or(|(index, _)| index == self.turns.own) {
                self.has_taken = true;
                own.take_turn(now_ns());
                self.share = if has_moved { self.fair_share() } else { 0 };
                if self.share > 1 {
                    self.ring(); // the others take theirs meanwhile
                }
                let moved = has_moved.then(|| self.turns.passage.receive()).flatten();
                if let Some((connection, is_new)) = moved {
                    return Turn::Moved { connection, is_new };
                }
                if has_new {
                    return Turn::Accept;
                }
                continue;
            }
            if std::mem::take(&mut self.has_taken) {
                self.ring();
            }
            tokio::select! {
                () = self.woken() => {}
                () = tokio::time::sleep(RECHECK) => {}
            }
        }
    }

    /// The part of the connections from other processes that this one takes in one turn: a process that leaves
    /// passes on all of its own at once, and one after the other they would wait for many turns.
    fn fair_share(&self) -> usize {
        self.turns.passage.waiting() / self.turns.table.accepting().max(1)
    }

    /// Whether connections wait: from other processes, and new ones.
    fn pending(&self) -> [bool; 2] {
        let mut both = [&self.passage, &self.listener]
            .map(|descriptor| PollFd::new(descriptor.get_ref(), PollFlags::IN));
        let _ = poll(&mut both, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        both.map(|polled| polled.revents().contains(PollFlags::IN))
    }

    /// Waits until one of the descriptors has had an event since the last call.
    async fn woken(&self) {
        let ready = async |descriptor: &AsyncFd<OwnedFd>| match descriptor.readable().await {
            Ok(mut guard) => guard.clear_ready(),
            Err(_) => std::future::pending().await, // the runtime ends
        };
        tokio::select! {
            () = ready(&self.listener) => {}
            () = ready(&self.passage) => {}
            () = async {
                match &self.bell {
                    Some(bell) => ready(bell).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }

    /// Wakes the other processes: one of them is to take what still waits.
    fn ring(&self) {
        if let Some(bell) = &self.turns.bell {
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
    }
}

impl Drop for TurnWaiter {
    fn drop(&mut self) {
        self.turns.table.places[self.turns.own].set_accepting(false);
        self.turns.has_left.cancel();
    }
}

/// The time of the system's clock in milliseconds; all processes read the same.
fn now_ms() -> u64 {
    #[cfg(target_os = "linux")]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    read_clock(CLOCK) / 1_000_000
}

fn now_ns() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

fn read_clock(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a time of our own.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    // Never negative: it counts from the start of the system.
    (time.tv_sec as u64) * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_process_takes_its_share_of_many_connections_in_one_turn() {
        let table = LoadTable::open(&LoadTable::create(2).expect("a file")).expect("mapped");
        let passage = Passage::new().expect("a pair of sockets");
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let [mut first, mut second] = [(); 2].map(|()| {
            let ends = passage.ends().map(|end| end.try_clone_to_owned().expect("a copy"));
            let [entrance, exit] = ends;
            let (own, passage) =
                (table.assign().expect("a place"), Passage::from_ends(entrance, exit));
            let turns = Turns::join(table, own, passage, None, true);
            TurnWaiter::new(turns, listener.as_fd()).expect("it is registered")
        });
        let (_client, server) = UnixStream::pair().expect("a pair of sockets");
        (0..6).for_each(|_| assert!(passage.send(server.as_fd(), false)));
        let takes = |waiter: &mut TurnWaiter| waiter.next().now_or_never().is_some();
        (0..3).for_each(|_| assert!(takes(&mut first), "half of them"));
        assert!(!takes(&mut first), "it is the turn of the other one");
        assert!(takes(&mut second));
    }
}
