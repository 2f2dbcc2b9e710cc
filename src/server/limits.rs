//! The limits of a connection, from the options of the same names.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{ServerOptions, SnaxumConfig};

/// The maximum that a client may send, and how long the server waits for it. 0 disables a time.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// The maximum size of a request's target and headers; a larger one gets a 431.
    pub max_header_size: usize,
    /// How long a client may take to send a request's target and headers.
    pub header_timeout: Duration,
    /// How long a connection may be idle between two requests.
    pub idle_timeout: Duration,
    /// How long a response may wait for a client that reads nothing.
    pub send_timeout: Duration,
    /// The maximum number of open connections; 0 leaves it to the limit of open files.
    pub max_connections: usize,
    /// The time between two pings of a connection of HTTP/2.
    pub ping_interval: Duration,
    /// How long a client that has shut down its sending side may get no byte before it is tested.
    pub half_close_timeout: Duration,
}

impl ConnectionLimits {
    /// Takes the limits from the options.
    pub fn new(config: &SnaxumConfig) -> Self {
        Self {
            max_header_size: config.max_header_size,
            header_timeout: config.header_timeout,
            idle_timeout: config.idle_timeout,
            send_timeout: config.send_timeout,
            half_close_timeout: config.half_close_timeout,
            max_connections: config.max_connections,
            ping_interval: config.ping_interval,
        }
    }
}

impl Default for ConnectionLimits {
    /// The defaults of the options.
    fn default() -> Self {
        Self::new(&ServerOptions::default().into_config(PathBuf::new()))
    }
}

/// The time to wait: decades without a limit.
pub(super) fn or_forever(limit: Duration) -> Duration {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
    if limit.is_zero() { THIRTY_YEARS } else { limit.min(THIRTY_YEARS) }
}
