//! Stops Python: the order of its end, and the time limits.
//!
//! The runtime thread does the steps (`thread.rs`); this waits for them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::SendTimeoutError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::PythonRuntime;
use super::messages::Control;

/// How long an interrupted load may take to end when the server stops.
const LOAD_TIMEOUT: Duration = Duration::from_secs(1);
/// How long hooks and `atexit` functions may take after the last request.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

impl PythonRuntime {
    /// Ends the event streams and closes the WebSockets: they have no end of their own. Call it when the
    /// server begins to stop.
    pub fn begin_shutdown(&self) {
        self.shutdown_state.begin();
    }

    /// Is cancelled when the server begins to stop.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.shutdown_state.signal()
    }

    /// Delays [`shutdown`](Self::shutdown) until it is dropped: a WebSocket is open.
    pub(crate) fn socket_token(&self) -> TaskTrackerToken {
        self.shutdown_state.socket_token()
    }

    /// Finishes the queued requests, ends loop and pool, runs Python's `atexit` functions, and joins
    /// the threads; continues without handlers that are still running after `timeout`. Later calls
    /// are rejected.
    pub async fn shutdown(&self, timeout: Duration) {
        self.begin_shutdown();
        self.stopped.store(true, Ordering::Release);
        self.shutdown_state.sockets_closed(timeout).await;
        let ((began, begins), (reply, done)) = (oneshot::channel(), oneshot::channel());
        let message = Control::Shutdown { timeout, began, reply };
        let control = self.control.clone();
        // While a module loads, so many messages may wait that there is no room.
        let sending =
            tokio::task::spawn_blocking(move || control.send_timeout(message, LOAD_TIMEOUT));
        self.interrupt_load();
        let is_sent = match sending.await {
            Ok(Err(SendTimeoutError::Disconnected(_))) | Err(_) => return, // the thread has ended
            Ok(sent) => sent.is_ok(),
        };
        if !is_sent || tokio::time::timeout(LOAD_TIMEOUT, begins).await.is_err() {
            tracing::warn!("a module is still loading; exiting without it");
            return;
        }
        if tokio::time::timeout(timeout + STOP_TIMEOUT, done).await.is_err() {
            tracing::warn!("Python did not shut down in time; exiting anyway");
            return;
        }
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    /// Interrupts a module that loads: Python's handler of this signal raises an exception in it.
    fn interrupt_load(&self) {
        if let Some(thread) = &*self.thread.lock()
            && self.is_loading.load(Ordering::Acquire)
        {
            thread.signal(libc::SIGURG); // by default without effect
        }
    }
}
