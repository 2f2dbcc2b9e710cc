//! The connection of a program to the builder, `snaxum dev`, that has started it.
//!
//! Made by the first call of the library that needs it. A thread receives the orders, and ends the
//! process if the builder has ended. Neither loads nor serves anything.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::sync::Mutex;

use super::inherited::{InheritedDescriptors, ServingParts};
use super::protocol::{BuilderOrder, ProgramReport, ProgramStart, to_line};

/// How long the first message may take: the builder sends it at once.
const START_TIME: Duration = Duration::from_secs(10);
/// How long a reply may take, before a Python save is loaded without it.
const REPLY_TIME: Duration = Duration::from_secs(1);

static LINK: OnceLock<Option<BuilderLink>> = OnceLock::new();

type OrderListener = Box<dyn FnMut(BuilderOrder) + Send>;
type LeaveHook = Box<dyn FnOnce() -> Value + Send>;

/// The connection to the builder.
pub(crate) struct BuilderLink {
    start: ProgramStart,
    builder: u32,
    control: UnixStream,
    sending: Mutex<()>,
    serving: Mutex<Option<ServingParts>>,
    crash_record: Mutex<Option<File>>,
    orders: Mutex<PendingOrders>,
    /// The questions without a reply.
    questions: Mutex<HashMap<u64, SyncSender<bool>>>,
    last_question: AtomicU64,
    leaving: CancellationToken,
    can_move: AtomicBool,
    on_leave: Mutex<Option<LeaveHook>>,
}

/// The receiver of the orders, or the orders that wait for one.
enum PendingOrders {
    Waiting(Vec<BuilderOrder>),
    Received(OrderListener),
}

impl BuilderLink {
    /// The connection of this process; `None` unless `snaxum dev` has started it.
    pub(crate) fn get() -> Option<&'static Self> {
        LINK.get_or_init(Self::connect).as_ref()
    }

    fn connect() -> Option<Self> {
        let InheritedDescriptors { builder, control, serving, crash_record } =
            InheritedDescriptors::open()?;
        let receive = || {
            let _ = control.set_read_timeout(Some(START_TIME));
            let mut lines = BufReader::new(control.try_clone()?);
            let mut first = String::new();
            lines.read_line(&mut first)?;
            let start: ProgramStart = serde_json::from_str(&first)?;
            control.set_read_timeout(None)?;
            std::thread::Builder::new()
                .name("builder".to_owned())
                .spawn(move || receive_orders(lines))?;
            Ok(start)
        };
        let start = receive().unwrap_or_else(|error: io::Error| {
            // Nothing that follows could work.
            tracing::error!("`snaxum dev` has sent no parameters: {error}");
            std::process::exit(1)
        });
        Some(Self {
            start,
            builder,
            control,
            sending: Mutex::new(()),
            serving: Mutex::new(Some(serving)),
            crash_record: Mutex::new(crash_record),
            orders: Mutex::new(PendingOrders::Waiting(Vec::new())),
            questions: Mutex::default(),
            last_question: AtomicU64::new(0),
            leaving: CancellationToken::new(),
            can_move: AtomicBool::new(false),
            on_leave: Mutex::new(None),
        })
    }

    /// The parameters of the start.
    pub(crate) fn start(&self) -> &ProgramStart {
        &self.start
    }

    /// The process id of the builder.
    pub(crate) fn builder(&self) -> u32 {
        self.builder
    }

    /// The descriptors to serve with; `None` if they are taken.
    pub(crate) fn take_serving_parts(&self) -> Option<ServingParts> {
        self.serving.lock().take()
    }

    /// The file for a crash of this process; `None` if it is taken.
    pub(crate) fn take_crash_record(&self) -> Option<File> {
        self.crash_record.lock().take()
    }

    /// Sends a report. Blocks while the builder has no room for it.
    pub(crate) fn report(&self, report: &ProgramReport) {
        let _sending = self.sending.lock();
        let _ = (&self.control).write_all(&to_line(report)); // an error: the builder has ended
    }

    /// Asks whether Rust code was saved that is not live yet. Blocks until the reply, but not for long.
    pub(crate) fn ask(&self) -> bool {
        let id = self.last_question.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, reply) = sync_channel(1);
        self.questions.lock().insert(id, sender);
        self.report(&ProgramReport::Ask { id });
        let is_building = reply.recv_timeout(REPLY_TIME).unwrap_or(false);
        self.questions.lock().remove(&id);
        is_building
    }

    /// Calls `listener` for each order but `leave`, also for earlier ones.
    pub(crate) fn receive(&self, mut listener: impl FnMut(BuilderOrder) + Send + 'static) {
        let mut orders = self.orders.lock();
        if let PendingOrders::Waiting(waiting) = &mut *orders {
            waiting.drain(..).for_each(&mut listener);
        }
        *orders = PendingOrders::Received(Box::new(listener));
    }

    /// Is cancelled when another program replaces this one.
    pub(crate) fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Whether the other program takes connections that move.
    pub(crate) fn can_move(&self) -> bool {
        self.can_move.load(Ordering::Acquire)
    }

    /// Calls `hook` once this process accepts no more; it returns the data for the program after it.
    pub(crate) fn on_leave(&self, hook: impl FnOnce() -> Value + Send + 'static) {
        *self.on_leave.lock() = Some(Box::new(hook));
    }

    /// Reports that this process accepts no more.
    pub(crate) fn has_left(&self) {
        let hook = self.on_leave.lock().take();
        let state = hook.map_or(Value::Null, |hook| hook());
        self.report(&ProgramReport::Left { state });
    }

    fn on_order(&self, order: BuilderOrder) {
        match order {
            BuilderOrder::Leave { can_move } => {
                self.can_move.store(can_move, Ordering::Release);
                self.leaving.cancel();
            }
            BuilderOrder::Answer { id, is_building } => {
                // First: an order that ends the build may follow.
                if let PendingOrders::Received(listener) = &mut *self.orders.lock() {
                    listener(BuilderOrder::Answer { id, is_building });
                }
                if let Some(question) = self.questions.lock().remove(&id) {
                    let _ = question.try_send(is_building); // an error: it was too late
                }
            }
            other => match &mut *self.orders.lock() {
                PendingOrders::Waiting(waiting) => waiting.push(other),
                PendingOrders::Received(listener) => listener(other),
            },
        }
    }
}

impl AsFd for BuilderLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }
}

impl std::fmt::Debug for BuilderLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuilderLink").field("builder", &self.builder).finish_non_exhaustive()
    }
}

/// Passes the orders on to the end of the connection, which is the end of the builder.
fn receive_orders(mut lines: BufReader<UnixStream>) {
    let Some(link) = LINK.wait() else { return };
    let mut line = String::new();
    while matches!(lines.read_line(&mut line), Ok(1..)) {
        match serde_json::from_str(&line) {
            Ok(order) => link.on_order(order),
            Err(error) => tracing::debug!("a message of `snaxum dev` was skipped: {error}"),
        }
        line.clear();
    }
    // No other process stops or replaces this one.
    std::process::exit(1);
}
