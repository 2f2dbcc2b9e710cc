//! `snaxum top`: a terminal view of a running server, from its metrics address.
//!
//! Reads `/metrics.json` at intervals. Never changes the server.

mod view;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use axum::http::header::HOST;
use console::{Term, truncate_str};
use serde::Deserialize;
use snaxum::config::parse_duration;
use snaxum::error::Error;
use snaxum::state_dir::StateDir;
use snaxum::telemetry::Snapshot;
use tokio::net::TcpStream;

use super::client::connection::{Connection, local_address};
use super::operations::METRICS_FILE;
use super::project;
use super::render::color::{self, escape};

/// How long the server has to respond.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Clears the terminal below its first line.
const CLEAR: &str = "\u{1b}[H\u{1b}[J";
/// The least time between two updates: each asks all processes.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The options of `snaxum top`.
#[derive(clap::Args)]
pub(crate) struct TopArgs {
    /// Directory of the project, or the metrics address as IP:PORT
    #[arg(value_name = "DIR", default_value = ".")]
    target: String,
    /// Print the state once, as it also does without a terminal
    #[arg(long)]
    once: bool,
    /// Time between two updates
    #[arg(long, value_name = "TIME", value_parser = parse_interval, default_value = "1s")]
    interval: Duration,
}

/// Shows the server until Ctrl-C.
pub(crate) fn run(args: &TopArgs) -> Result<ExitCode, Error> {
    let address = find(&args.target)?;
    project::tokio_runtime()?.block_on(async {
        let mut earlier: Option<(Instant, Snapshot)> = None;
        loop {
            let (now, snapshot) = (Instant::now(), read(address).await?);
            let change = earlier.as_ref().map(|(time, snapshot)| (snapshot, now - *time));
            let is_terminal = io::stdout().is_terminal();
            let (rows, width) = Term::stdout().size();
            let text = view::render(&snapshot, change, width.into());
            if args.once || !is_terminal {
                color::print(&text);
                return Ok(ExitCode::SUCCESS);
            }
            // A line more, or a longer one, would move the first one out of view.
            let lines = text.lines().take(usize::from(rows).max(2) - 1);
            let shown: Vec<_> =
                lines.map(|line| truncate_str(line, usize::from(width), "")).collect();
            color::print(&format!("{CLEAR}{}\n", shown.join("\n")));
            earlier = Some((now, snapshot));
            tokio::time::sleep(args.interval).await;
        }
    })
}

/// The part of `.snaxum/metrics.json` that the command uses.
#[derive(Deserialize)]
struct Announced {
    url: String,
}

fn parse_interval(value: &str) -> Result<Duration, String> {
    match parse_duration(value)? {
        short if short < MIN_INTERVAL => Err(format!("`{value}`; it must be at least 100ms")),
        interval => Ok(interval),
    }
}

/// Finds the metrics address of a project's server, or parses an address.
fn find(target: &str) -> Result<SocketAddr, Error> {
    let dir = Path::new(target);
    if !dir.exists()
        && let Ok(address) = target.strip_prefix("http://").unwrap_or(target).parse()
    {
        return Ok(address);
    }
    let none = || Error::NoMetrics(dir.to_owned());
    let text = StateDir::read_in(dir, METRICS_FILE).map_err(|_| none())?;
    let announced: Announced = serde_json::from_slice(&text).map_err(|_| none())?;
    // The file may have come with the project: only a person names another machine.
    let remote = || Error::RemoteMetrics(escape(announced.url.trim_start_matches("http://")));
    local_address(&announced.url).map(|(address, _)| address).ok_or_else(remote)
}

async fn read(address: SocketAddr) -> Result<Snapshot, Error> {
    let lost = |problem: String| Error::MetricsLost { address: address.to_string(), problem };
    let reading = async {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let mut connection = Connection::open(stream).await.map_err(|error| error.to_string())?;
        let request = Request::get("/metrics.json").header(HOST, address.to_string());
        let request = request.body(Body::empty()).map_err(|error| error.to_string())?;
        let (status, body) =
            connection.exchange(request).await.map_err(|error| error.to_string())?;
        match serde_json::from_slice(&body) {
            Ok(snapshot) if status.is_success() => Ok(snapshot),
            _ => Err("it is not the metrics address of this version".to_owned()),
        }
    };
    let read = tokio::time::timeout(TIMEOUT, reading).await;
    read.unwrap_or_else(|_| Err(format!("no response within {} s", TIMEOUT.as_secs())))
        .map_err(lost)
}
