//! The side of a server that its operators use: the metrics address, the first lines of its output, and
//! the signal after a rotation of its logs.
//!
//! Serves no request of a client.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use snaxum::config::{LogFormat, SnaxumConfig};
use snaxum::error::Error;
use snaxum::server::{self, ConnectionLimits};
use snaxum::state_dir::StateDir;
use snaxum::telemetry::{MetricsSource, metrics_router, reopen_logs};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::json_lines;
use super::render::color;
use super::signal_mask;

/// The file in which `snaxum top` finds the address.
pub(crate) const METRICS_FILE: &str = "metrics.json";
/// How long a response of the metrics address may take once the server stops.
const METRICS_DRAIN: Duration = Duration::from_secs(3);

/// Opens the logs again with each SIGUSR1, which ends no process from now on.
pub(crate) fn reopen_logs_on_signal() -> Result<(), Error> {
    let signals = signal(SignalKind::user_defined1());
    let mut signals = signals.map_err(Error::io("cannot register signal handlers"))?;
    tokio::spawn(async move {
        while signals.recv().await.is_some() {
            reopen_logs();
        }
    });
    Ok(())
}

/// Prints a line about the server on stdout, without waiting for its reader.
pub(crate) fn announce(format: LogFormat, text: &str) {
    let line = match format {
        LogFormat::Text => format!("{text}\n"),
        LogFormat::Json => json_lines::line("info", text),
    };
    // Its reader may never read: a signal for the parent must not arrive there during an upgrade.
    signal_mask::spawn(move || color::print(&line));
}

/// Prints a warning of the configuration on stderr.
pub(crate) fn warn(format: LogFormat, text: &str) {
    match format {
        LogFormat::Text => color::print_warning(text),
        LogFormat::Json => tracing::warn!("{text}"),
    }
}

/// The address of the metrics, bound before anything loads.
pub(crate) struct MetricsAddress {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl MetricsAddress {
    /// Binds the address that the options name.
    pub(crate) async fn bind(config: &SnaxumConfig) -> Result<Option<Self>, Error> {
        let Some(address) = config.metrics else { return Ok(None) };
        let failed = |source| Error::MetricsAddress { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let opened = listener.into_std().and_then(|listener| Self::from_listener(listener.into()));
        opened.map(Some).map_err(failed)
    }

    /// Takes the socket of an address that is bound.
    pub(crate) fn from_listener(listener: OwnedFd) -> io::Result<Self> {
        let listener = std::net::TcpListener::from(listener);
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves the metrics of `source` until the result is dropped. Needs the async runtime.
    pub(crate) fn serve(
        self,
        source: impl MetricsSource,
        project: &Path,
    ) -> io::Result<MetricsServer> {
        let url = base_url(self.address);
        let file = MetricsFile::write(project, &url);
        if let Err(error) = &file {
            // The directory may be read-only, as in a container.
            tracing::debug!("cannot write `.snaxum/{METRICS_FILE}`: {error}");
        }
        let mut server = MetricsServer {
            url,
            stop: CancellationToken::new(),
            serving: None,
            listener: self.listener,
            _file: file.ok(),
        };
        server.resume(source)?;
        Ok(server)
    }
}

/// The served metrics.
pub(crate) struct MetricsServer {
    /// `http://127.0.0.1:9464`
    pub(crate) url: String,
    stop: CancellationToken,
    serving: Option<JoinHandle<usize>>,
    listener: std::net::TcpListener,
    _file: Option<MetricsFile>,
}

impl MetricsServer {
    /// Finishes the requests under way, and accepts no more connections: they wait.
    pub(crate) async fn pause(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            let _ = tokio::time::timeout(METRICS_DRAIN, serving).await;
        }
    }

    /// Serves again.
    pub(crate) fn resume(&mut self, source: impl MetricsSource) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener.try_clone()?)?;
        self.stop = CancellationToken::new();
        let router = metrics_router(source);
        let respond = move |request, _| {
            let response = router.clone().oneshot(request);
            async { response.await.unwrap_or_else(|never| match never {}) }
        };
        let (limits, stop) = (ConnectionLimits::default(), self.stop.clone());
        let serving = server::serve_to_the_end(listener, respond, limits, stop, METRICS_DRAIN);
        self.serving = Some(tokio::spawn(serving));
        Ok(())
    }
}

impl AsRawFd for MetricsServer {
    fn as_raw_fd(&self) -> RawFd {
        self.listener.as_raw_fd()
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The file with the address. Dropping it removes it.
struct MetricsFile {
    state: StateDir,
    content: String,
}

impl MetricsFile {
    fn write(project: &Path, url: &str) -> io::Result<Self> {
        let state = StateDir::create(project)?;
        let content = serde_json::json!({ "url": url, "pid": std::process::id() }).to_string();
        // Written aside and renamed: no reader sees half of it.
        let aside = format!("{METRICS_FILE}.{}", std::process::id());
        let _ = state.remove(&aside);
        state.create_new(&aside)?.write_all(content.as_bytes())?;
        state.rename(&aside, METRICS_FILE).inspect_err(|_| drop(state.remove(&aside)))?;
        Ok(Self { state, content })
    }
}

impl Drop for MetricsFile {
    fn drop(&mut self) {
        // Another server of this project may have replaced it.
        if self.state.read(METRICS_FILE).is_ok_and(|found| found == self.content.as_bytes()) {
            let _ = self.state.remove(METRICS_FILE);
        }
    }
}

/// Returns the URL at which this machine reaches a server that listens on `address`.
fn base_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
