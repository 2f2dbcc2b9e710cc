//! The shutdown as connections see it: the signal, and the WebSockets that it waits for.
//!
//! Stops no Python: `shutdown.rs` does.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::sync::atomic::{AtomicBool, Ordering};

/// The most time that WebSockets have to close. Their handlers are cancelled after half of it.
const SOCKET_LIMIT: Duration = Duration::from_secs(2);

/// The state of the shutdown.
#[derive(Debug, Default)]
pub(super) struct ShutdownState {
    /// Cancelled when the server begins to stop.
    begun: CancellationToken,
    /// Whether another process serves in place of this one.
    is_replaced: AtomicBool,
    /// The WebSockets on connections that no server of ours counts.
    sockets: TaskTracker,
}

impl ShutdownState {
    pub(super) fn begin(&self) {
        self.begun.cancel();
    }

    /// Records that another process serves in place of this one.
    pub(super) fn replace(&self) {
        self.is_replaced.store(true, Ordering::Release);
    }

    /// Whether only this process stops, and not the server.
    pub(super) fn is_replaced(&self) -> bool {
        self.is_replaced.load(Ordering::Acquire)
    }

    /// Is cancelled at the begin.
    pub(super) fn signal(&self) -> CancellationToken {
        self.begun.clone()
    }

    pub(super) fn socket_token(&self) -> TaskTrackerToken {
        self.sockets.token()
    }

    /// Waits until the WebSockets are closed.
    pub(super) async fn sockets_closed(&self, limit: Duration) {
        self.sockets.close();
        let _ = tokio::time::timeout(limit.min(SOCKET_LIMIT), self.sockets.wait()).await;
    }
}
