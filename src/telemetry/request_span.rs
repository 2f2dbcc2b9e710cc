//! A request as it becomes a span of OpenTelemetry, with its phases and its tasks in the pool.
//!
//! Plain data. `spans` makes the format of collectors from it.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::message::{Phases, PoolTaskTime};

use super::identity::TraceContext;

/// A request that has ended.
#[derive(Debug)]
#[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "only spans are made of it"))]
pub(super) struct RequestSpan {
    pub(super) trace: TraceContext,
    /// The header `tracestate` of the client.
    pub(super) trace_state: Option<String>,
    pub(super) request_id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) scheme: &'static str,
    /// The version of HTTP.
    pub(super) version: &'static str,
    /// The pattern.
    pub(super) route: Option<String>,
    pub(super) client: Option<IpAddr>,
    pub(super) status: u16,
    /// `None` if it has not reached Python.
    pub(super) generation: Option<u64>,
    pub(super) start: SystemTime,
    /// The same, for its tasks.
    pub(super) began: Instant,
    pub(super) total: Duration,
    pub(super) phases: Phases,
    pub(super) tasks: Vec<PoolTaskTime>,
}
