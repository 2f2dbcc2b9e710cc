//! The streams of one connection of HTTP/2: how many are open, which wait for their client, and how
//! many it has reset.
//!
//! A client may accept no more bytes of one response while it reads others. Its task notices
//! that, and after the send timeout it resets the stream, which frees what produces the response.
//!
//! A client that resets a stream makes room for the next one, while the handler of the first may still
//! run (CVE-2023-44487). So the rate of resets is limited.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body as ResponseBody;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::sync::Mutex;

/// The bytes of a response that are given to a stream at once; the connection stores no more of it.
pub(super) const MAX_PART: usize = 64 * 1024;
/// Added to the count of frames while the next one waits for the client.
const WAITING: usize = 1 << (usize::BITS - 1);
/// The streams that a client may reset at once, and per second from then on, as in nghttp2: more than a
/// browser does that leaves one page after the other.
const RESET_BURST: f64 = 1000.0;
const RESETS_PER_SECOND: f64 = 33.0;

thread_local! {
    /// The stream of the next task that hyper starts in this thread: right after the call of the
    /// service, or while the task of a stream turns it into a tunnel. No other code runs in between.
    static OF_NEXT_TASK: RefCell<Option<Arc<OpenStream>>> = const { RefCell::new(None) };
}

/// The streams of a connection, and the tasks that they run in.
#[derive(Clone)]
pub(super) struct Streams(Arc<StreamsState>);

struct StreamsState {
    send_timeout: Duration,
    open: AtomicUsize,
    /// Notified when a stream begins or ends.
    change: Notify,
    resets: Mutex<ResetBudget>,
    /// Notified when the client has reset more streams than it may.
    flood: Notify,
}

/// The number of resets that are left, and when it was counted.
struct ResetBudget {
    left: f64,
    counted: Instant,
}

/// A request of HTTP/2 and its response.
pub(super) struct OpenStream {
    streams: Arc<StreamsState>,
    /// The frames that the client was sent, and [`WAITING`].
    progress: AtomicUsize,
    /// Whether hyper has all of the response.
    has_ended: AtomicBool,
    /// Whether a response may turn it into a connection of another protocol.
    may_be_tunnel: bool,
}

impl Streams {
    pub(super) fn new(send_timeout: Duration) -> Self {
        Self(Arc::new(StreamsState {
            send_timeout,
            open: AtomicUsize::new(0),
            change: Notify::new(),
            resets: Mutex::new(ResetBudget { left: RESET_BURST, counted: Instant::now() }),
            flood: Notify::new(),
        }))
    }

    /// Records a request, right before hyper starts its task; its stream is open until the last of
    /// these values is dropped.
    pub(super) fn begin(&self, may_be_tunnel: bool) -> Arc<OpenStream> {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.change.notify_one();
        let stream = Arc::new(OpenStream {
            streams: Arc::clone(&self.0),
            progress: AtomicUsize::new(0),
            has_ended: AtomicBool::new(false),
            may_be_tunnel,
        });
        OF_NEXT_TASK.set(Some(Arc::clone(&stream)));
        stream
    }

    /// Waits until the client has reset more streams than it may.
    pub(super) async fn flooded(&self) {
        self.0.flood.notified().await;
    }

    /// Waits until no stream has been open for a time: `first` before the first one, then `later`.
    pub(super) async fn idle(&self, first: Duration, later: Duration) {
        let mut limit = first;
        loop {
            let change = self.0.change.notified();
            if self.0.open.load(Ordering::Relaxed) > 0 {
                change.await;
            } else if timeout(limit, change).await.is_err() {
                return;
            }
            limit = later;
        }
    }
}

impl ResetBudget {
    /// Counts a reset; false if it is one too many.
    fn take(&mut self) -> bool {
        let passed = self.counted.elapsed().as_secs_f64();
        self.left = (self.left + passed * RESETS_PER_SECOND).min(RESET_BURST) - 1.0;
        self.counted = Instant::now();
        self.left >= 0.0
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.open.fetch_sub(1, Ordering::Relaxed);
        self.streams.change.notify_one();
        if !self.has_ended.load(Ordering::Relaxed) && !self.streams.resets.lock().take() {
            self.streams.flood.notify_one();
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, task: F) {
        match OF_NEXT_TASK.take() {
            Some(stream) => tokio::spawn(run(task, stream)),
            None => tokio::spawn(task),
        };
    }
}

/// Runs the task of a stream, at most until its client has accepted nothing for the send timeout.
async fn run(task: impl Future<Output = ()>, stream: Arc<OpenStream>) {
    let mut task = pin!(task);
    let mut wait: Option<(usize, Pin<Box<Sleep>>)> = None;
    poll_fn(|context| {
        if stream.may_be_tunnel {
            OF_NEXT_TASK.set(Some(Arc::clone(&stream)));
        }
        let polled = task.as_mut().poll(context);
        if stream.may_be_tunnel {
            OF_NEXT_TASK.set(None);
        }
        if polled.is_ready() {
            return Poll::Ready(());
        }
        let progress = stream.progress.load(Ordering::Relaxed);
        if progress & WAITING == 0 {
            wait = None;
            return Poll::Pending;
        }
        let (_, deadline) = match wait.take() {
            Some(same) if same.0 == progress => wait.insert(same),
            _ => wait.insert((progress, Box::pin(sleep(stream.streams.send_timeout)))),
        };
        ready!(deadline.as_mut().poll(context));
        tracing::debug!("a stream was reset: its client has accepted nothing for too long");
        Poll::Ready(())
    })
    .await;
}

/// The body of a response, in parts that a stream can wait between.
pub(super) struct StreamBody {
    body: ResponseBody,
    rest: Bytes,
    stream: Arc<OpenStream>,
}

impl StreamBody {
    pub(super) fn new(body: ResponseBody, stream: Arc<OpenStream>) -> Self {
        let body = Self { body, rest: Bytes::new(), stream };
        match body.is_end_stream() {
            true => body.end(),
            false => body.record(true),
        }
        body
    }

    fn end(&self) {
        self.stream.has_ended.store(true, Ordering::Relaxed);
    }

    /// Records a frame, and whether the next one waits for the client from now on.
    fn record(&self, is_sent: bool) {
        let count = self.stream.progress.load(Ordering::Relaxed) & !WAITING;
        let waiting = if is_sent { WAITING } else { 0 };
        self.stream.progress.store(((count + 1) & !WAITING) | waiting, Ordering::Relaxed);
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = match this.rest.is_empty() {
            true => Pin::new(&mut this.body).poll_frame(context),
            false => Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.rest))))),
        };
        this.record(matches!(polled, Poll::Ready(Some(Ok(_)))));
        let polled = match polled {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(mut data) => {
                    if data.len() > MAX_PART {
                        this.rest = data.split_off(MAX_PART);
                    }
                    if this.is_end_stream() {
                        this.end();
                    }
                    Frame::data(data)
                }
                Err(trailers) => {
                    this.end();
                    trailers
                }
            }))),
            other => other,
        };
        if let Poll::Ready(None | Some(Err(_))) = polled {
            this.end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}
