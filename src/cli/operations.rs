//! The side of a server that its operators use: the metrics address, the first lines of its output, and
//! the signal after a rotation of its logs.
//!
//! Serves no request of a client.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use snaxum::config::{LogFormat, SnaxumConfig};
use snaxum::error::Error;
use snaxum::server;
use snaxum::state_dir::StateDir;
use snaxum::telemetry::{MetricsSource, metrics_router, reopen_logs};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::json_lines;
use super::render::color;

/// The file in which `snaxum top` finds the address.
pub(crate) const METRICS_FILE: &str = "metrics.json";

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
    std::thread::spawn(move || color::print(&line));
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
    listener: TcpListener,
    address: SocketAddr,
}

impl MetricsAddress {
    /// Binds the address that the options name.
    pub(crate) async fn bind(config: &SnaxumConfig) -> Result<Option<Self>, Error> {
        let Some(address) = config.metrics else { return Ok(None) };
        let failed = |source| Error::MetricsAddress { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Some(Self { listener, address }))
    }

    /// Serves the metrics of `source` until the result is dropped.
    pub(crate) fn serve(self, source: impl MetricsSource, project: &Path) -> MetricsServer {
        let stop = CancellationToken::new();
        let router = metrics_router(source);
        tokio::spawn(server::serve(self.listener, router, stop.clone(), Duration::ZERO));
        let url = base_url(self.address);
        let file = MetricsFile::write(project, &url);
        if let Err(error) = &file {
            // The directory may be read-only, as in a container.
            tracing::debug!("cannot write `.snaxum/{METRICS_FILE}`: {error}");
        }
        MetricsServer { url, stop, _file: file.ok() }
    }
}

/// The served metrics.
pub(crate) struct MetricsServer {
    /// `http://127.0.0.1:9464`
    pub(crate) url: String,
    stop: CancellationToken,
    _file: Option<MetricsFile>,
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
