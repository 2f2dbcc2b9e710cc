//! The stop, as connections see it: the signal, and the WebSockets that it waits for.
//!
//! Stops no Python.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::PythonRuntime;

/// The most time that WebSockets have to close. Their handlers are cancelled after half of it.
const SOCKET_LIMIT: Duration = Duration::from_secs(2);

/// The state of the stop.
#[derive(Debug, Default)]
pub(super) struct Stopping {
    /// Cancelled when the server begins to stop.
    begun: CancellationToken,
    /// The WebSockets on connections that no server of ours counts.
    sockets: TaskTracker,
}

impl Stopping {
    /// Waits until the WebSockets are closed.
    pub(super) async fn sockets_closed(&self, limit: Duration) {
        self.sockets.close();
        let _ = tokio::time::timeout(limit.min(SOCKET_LIMIT), self.sockets.wait()).await;
    }
}

impl PythonRuntime {
    /// Ends the event streams and closes the WebSockets: they have no end of their own. Call it when the
    /// server begins to stop.
    pub fn begin_shutdown(&self) {
        self.stopping.begun.cancel();
    }

    /// Is cancelled when the server begins to stop.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.begun.clone()
    }

    /// Delays [`shutdown`](Self::shutdown) until it is dropped: a WebSocket is open.
    pub(crate) fn socket_token(&self) -> TaskTrackerToken {
        self.stopping.sockets.token()
    }
}
