//! Responds with the errors of the build while no program serves.
//!
//! Accepts from the socket of the programs, and stops before one takes it.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use snaxum::dev::UnbuiltProgram;
use snaxum::server::{self, ConnectionLimits};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The limit for the last responses.
const DRAIN: Duration = Duration::from_millis(200);

/// A running server. Dropping it stops it.
pub(super) struct WaitingPage(#[expect(dead_code, reason = "it is only dropped")] DropGuard);

impl WaitingPage {
    /// Serves `page` for each request. Needs the async runtime.
    pub(super) fn start(listener: &TcpListener, page: UnbuiltProgram) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        let (stop, page) = (CancellationToken::new(), Arc::new(page));
        let guard = stop.clone().drop_guard();
        let respond = move |request, _| {
            let response = page.respond(&request);
            async { response }
        };
        tokio::spawn(server::serve_with(
            listener,
            respond,
            ConnectionLimits::default(),
            stop,
            DRAIN,
        ));
        Ok(Self(guard))
    }
}
