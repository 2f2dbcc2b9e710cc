//! A request as it is kept: a few numbers, and all its text in one buffer; beside it what a replay
//! needs (`original.rs`).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use crate::dispatcher;
use crate::message::{
    Phases, PoolTime, RequestRecord, RouteInfo, Traceback, header_texts, ms, unix_ms,
};
use crate::python_runtime::Serving;

use super::body::content;
use super::raw_request::{Original, Sent};
use crate::dev::protocol::{ErrorSummary, Holder, RequestDetail, RequestSummary};
use crate::dev::redact::Masking;
use crate::dev::redact::truncate;
use crate::dev::replay::ReplayOf;

/// Bytes of text whose memory the next request takes over; what is larger is given back.
const USUAL: usize = 8 * 1024;
/// The texts before the headers: method, path, query and the route's id.
const FIRST_HEADER: usize = 4;

/// A table of routes, to look up what answered a request when somebody asks.
pub(super) struct Routes {
    serving: Arc<Serving>,
    /// The ids of those of which nothing is kept.
    private: HashSet<String>,
    /// And those that ever were since the server started.
    was_private: HashSet<String>,
    places: OnceLock<HashMap<String, usize>>,
}

impl Routes {
    /// The table that `serving` has; `before` are those that it takes the place of.
    pub(super) fn new(serving: Arc<Serving>, before: Option<&Self>) -> Self {
        let private = serving.routes.iter().filter(|route| route.no_capture);
        let private: HashSet<String> = private.map(|route| route.id.clone()).collect();
        let mut was_private = before.map_or_else(HashSet::new, |before| before.was_private.clone());
        was_private.extend(private.iter().cloned());
        Self { serving, private, was_private, places: OnceLock::new() }
    }

    /// Whether nothing may be kept of what a request carried.
    fn hides(&self, record: &RequestRecord<'_>) -> bool {
        if record.generation > Some(self.serving.generation) {
            return true; // its routes are told of in a moment
        }
        // One that began before a reload may have a route that is gone by now; so may one of which
        // nobody can tell when it began: it was given up.
        let is_old = record.generation.is_none_or(|number| number < self.serving.generation);
        let private = if is_old { &self.was_private } else { &self.private };
        match record.route {
            Some(id) => private.contains(id),
            // Nobody can tell which one it was meant for.
            None => !private.is_empty() || !self.serving.last_reload.report.broken.is_empty(),
        }
    }

    fn find(&self, id: &str) -> Option<&RouteInfo> {
        let routes = &self.serving.routes;
        let places = self.places.get_or_init(|| {
            routes.iter().enumerate().map(|(place, route)| (route.id.clone(), place)).collect()
        });
        routes.get(*places.get(id)?)
    }
}

/// Of the text that is shown, secrets are masked and what is long is cut before it gets in here.
#[derive(Clone, Default)]
pub(super) struct Kept {
    seq: u64,
    /// Whether it must not be shown what it carried.
    is_private: bool,
    id: u64,
    time_ms: u64,
    status: u16,
    generation: Option<u64>,
    phases: Phases,
    total: Duration,
    cpu_time: Option<Duration>,
    holders: Vec<Holder>,
    pool: Option<PoolTime>,
    replay_of: Option<u64>,
    traceback: Option<Arc<Traceback>>,
    routes: Option<Arc<Routes>>,
    text: String,
    /// Where each text ends: the first [`FIRST_HEADER`], then names and values in turn.
    ends: Vec<usize>,
    /// How many of them belong to the request.
    request_ends: usize,
    original: Original,
}

impl Kept {
    /// Becomes another request.
    pub(super) fn fill(
        &mut self,
        seq: u64,
        record: &RequestRecord<'_>,
        routes: &Arc<Routes>,
        masking: &Masking,
        with_bodies: bool,
    ) {
        let is_private = routes.hides(record);
        (self.seq, self.is_private) = (seq, is_private);
        self.id = record.id;
        self.time_ms = unix_ms(record.time);
        self.status = record.status;
        self.generation = record.generation;
        self.phases = record.phases;
        self.total = record.total;
        self.cpu_time = record.cpu_time;
        self.pool = record.pool;
        self.holders.clear();
        self.holders.extend(record.blockers.iter().map(|holder| Holder {
            id: holder.id.to_string(),
            method: holder.method.clone(),
            path: masking.path(&holder.path),
            ms: ms(holder.time),
        }));
        self.replay_of = record.head.extension().map(|ReplayOf(id)| *id);
        self.traceback = record.traceback.cloned();
        self.routes = Some(Arc::clone(routes));

        self.text.clear();
        self.text.shrink_to(USUAL);
        self.ends.clear();
        self.add(record.head.method());
        masking.add_path(&mut self.text, &record.head.path());
        self.end();
        if is_private {
            Masking::add_names(&mut self.text, record.head.query());
        } else {
            masking.add_query(&mut self.text, record.head.query());
        }
        self.end();
        self.add(record.route.unwrap_or_default());
        self.add_headers(record.head.headers(), masking, &[]);
        self.request_ends = self.ends.len();
        self.add_headers(record.response_headers, masking, &dispatcher::DEV_HEADERS);
        self.original.fill(record, with_bodies && !is_private);
    }

    /// Bytes of its bodies.
    pub(super) fn body_bytes(&self) -> usize {
        self.original.body_bytes()
    }

    pub(super) fn forget_bodies(&mut self) {
        self.original.forget_bodies();
    }

    /// What was sent, secrets and all; `None` if it is not kept from end to end.
    pub(super) fn sent(&self) -> Option<Sent> {
        self.original.sent(self.text_at(0))
    }

    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn is_private(&self) -> bool {
        self.is_private
    }

    pub(super) fn total(&self) -> Duration {
        self.total
    }

    /// When it was answered, in milliseconds since 1970.
    pub(super) fn ended_ms(&self) -> u64 {
        self.time_ms.saturating_add(u64::try_from(self.total.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn summary(&self) -> RequestSummary {
        let [method, path, query, route] = std::array::from_fn(|place| self.text_at(place));
        let route = self.routes.as_ref().and_then(|routes| routes.find(route));
        RequestSummary {
            id: self.id.to_string(),
            time_ms: self.time_ms,
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            status: self.status,
            generation: self.generation,
            route: route.map(|route| route.path.clone()),
            handler: route.map(|route| route.handler.clone()),
            mode: route.map(|route| route.mode.clone()),
            phases: self.phases,
            total_ms: ms(self.total),
            py_cpu_ms: self.cpu_time.map(ms),
            blocked_by: self.holders.clone(),
            pool: self.pool,
            replay_of: self.replay_of.map(|id| id.to_string()),
            error: self.traceback.as_deref().map(ErrorSummary::from),
        }
    }

    pub(super) fn detail(&self, masking: &Masking) -> RequestDetail {
        let request_headers = self.headers(FIRST_HEADER, self.request_ends);
        let response_headers = self.headers(self.request_ends, self.ends.len());
        RequestDetail {
            summary: self.summary(),
            request_body: content(self.original.request_body(), &request_headers, masking),
            response_body: content(self.original.response_body(), &response_headers, masking),
            request_headers,
            response_headers,
            traceback: self.traceback.as_deref().cloned(),
            logs: Vec::new(), // they are not kept in here
        }
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
        self.end();
    }

    /// Adds all headers; those of the names `own` hold no secret.
    fn add_headers(&mut self, headers: &HeaderMap, masking: &Masking, own: &[HeaderName]) {
        let (start, count) = (self.text.len(), headers.len());
        for (place, (name, value)) in header_texts(headers).enumerate() {
            let (before, ends) = (self.text.len(), self.ends.len());
            self.add(name);
            if own.iter().any(|own| own == name) {
                self.text.push_str(&value);
            } else {
                masking.add_header(&mut self.text, name, &value);
            }
            self.end();
            if self.text.len() - start > truncate::HEADERS {
                self.text.truncate(before);
                self.ends.truncate(ends);
                self.add("…");
                self.add(&format!("({} headers more)", count - place));
                return;
            }
        }
    }

    /// Ends a text, cut if it is too long.
    fn end(&mut self) {
        let start = self.ends.last().copied().unwrap_or_default();
        truncate::cut(&mut self.text, start);
        self.ends.push(self.text.len());
    }

    fn text_at(&self, place: usize) -> &str {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[place]]
    }

    fn headers(&self, from: usize, to: usize) -> Vec<(String, String)> {
        let pair = |place| (self.text_at(place).to_owned(), self.text_at(place + 1).to_owned());
        (from..to).step_by(2).map(pair).collect()
    }
}
