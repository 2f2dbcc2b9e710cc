//! The recorder's lists, and the limits that bound them. Every access is under one lock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::event::{ContractRecord, ReloadRecord};
use crate::message::{
    Profile, RequestRecord, StartRecord, StreamEndRecord, Traceback, WorkerEvent, unix_ms,
};
use crate::python_runtime::{PythonRuntime, ServingGeneration};

use super::errors::{ErrorStore, MAX_ERRORS};
use super::event::{RecordedClose, RecordedProfile, ServerChange};
use super::library_calls::LibraryCalls;
use super::request::RecordedRequest;
use super::route_index::RouteIndex;
use super::sequence::EventSequence;
use crate::dev::protocol::event_types::EventTypes;
use crate::dev::protocol::{
    Limits, LogLine, Pin, Reload, RequestStart, RequestSummary, ServerStatus, WebSocketMessage,
};
use crate::dev::redact::Redactor;

/// The most requests, reloads and lines that are stored.
pub(super) const LIMITS: Limits =
    Limits { requests: 500, reloads: 100, logs: 5000, errors: MAX_ERRORS };
/// The most bytes of bodies that are stored.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
/// The most routes whose requests are counted, old generations included.
const MAX_COUNTED: usize = 10_000;
/// The most changes of the server that are stored for clients that resume.
pub(super) const MAX_CHANGES: usize = 64;
/// The most request starts that are stored for them.
const MAX_STARTS: usize = 500;
/// The most profiles that are stored, of up to some 200 KB each.
const MAX_PROFILES: usize = 50;
/// The most reports of profiles that are stored for clients that resume.
const MAX_PROFILE_REPORTS: usize = 200;
/// The most ends of streams that are stored for them.
const MAX_STREAM_ENDS: usize = 200;
/// The most worker events that are stored for them.
const MAX_WORKER_EVENTS: usize = 200;

pub(super) struct RecorderState {
    pub(super) sequence: EventSequence,
    /// The number of requests since the start.
    pub(super) completed: u64,
    /// In boxes: a full ring reuses the oldest by moving a pointer.
    pub(super) requests: VecDeque<Box<RecordedRequest>>,
    /// The bytes of bodies in `requests`.
    body_bytes: usize,
    pub(super) redactor: Redactor,
    pub(super) captures_bodies: bool,
    pub(super) changes: VecDeque<(u64, ServerChange)>,
    pub(super) starts: VecDeque<(u64, Arc<RequestStart>)>,
    pub(super) stream_ends: VecDeque<(u64, Arc<RequestSummary>)>,
    pub(super) workers: VecDeque<(u64, Arc<WorkerEvent>)>,
    pub(super) profile_reports: VecDeque<(u64, RecordedProfile)>,
    pub(super) messages: VecDeque<(u64, Arc<WebSocketMessage>)>,
    pub(super) closes: VecDeque<(u64, Arc<RecordedClose>)>,
    pub(super) logs: VecDeque<(u64, Arc<LogLine>)>,
    /// The bytes of lines in `logs`.
    pub(super) log_bytes: usize,
    pub(super) calls: LibraryCalls,
    /// By request; the newest last.
    profiles: VecDeque<(u64, Arc<Profile>)>,
    pub(super) reloads: VecDeque<Arc<Reload>>,
    pub(super) errors: ErrorStore,
    pub(super) last_failure: Option<Arc<Traceback>>,
    routes: Arc<RouteIndex>,
    pub(super) pins: Arc<[Pin]>,
    /// The number of requests to each route, by its id.
    pub(super) hits: HashMap<String, u64>,
    /// Whether reloading is paused.
    pub(super) is_paused: bool,
    pub(super) is_closed: bool,
    /// Whether a client has read every event and waits for the next.
    pub(super) has_waiter: bool,
}

impl RecorderState {
    pub(super) fn new(runtime: &PythonRuntime) -> Self {
        let serving = runtime.serving();
        let first = Reload::from(&serving.last_reload);
        let mut redactor = Redactor::new(&runtime.config().redact_extra);
        redactor.add_values(&serving.last_reload.report.secrets);
        let mut errors = ErrorStore::default();
        errors.add_reload(&serving.last_reload, serving.failing);
        Self {
            sequence: EventSequence::new(),
            completed: 0,
            requests: VecDeque::with_capacity(LIMITS.requests),
            body_bytes: 0,
            redactor,
            captures_bodies: !runtime.config().no_capture_bodies,
            changes: VecDeque::new(),
            starts: VecDeque::new(),
            stream_ends: VecDeque::new(),
            workers: VecDeque::new(),
            profile_reports: VecDeque::new(),
            messages: VecDeque::new(),
            closes: VecDeque::new(),
            logs: VecDeque::new(),
            log_bytes: 0,
            errors,
            calls: LibraryCalls::default(),
            profiles: VecDeque::new(),
            last_failure: first.traceback.clone().map(Arc::new),
            reloads: VecDeque::from([Arc::new(first)]),
            routes: Arc::new(RouteIndex::new(serving, None)),
            pins: Arc::new([]),
            hits: HashMap::new(),
            is_paused: false,
            is_closed: false,
            has_waiter: false,
        }
    }

    /// Returns a recorded request.
    pub(super) fn request(&self, id: u64) -> Option<&RecordedRequest> {
        let found = self.requests.iter().rev().find(|request| request.id() == id);
        found.map(|request| &**request).or_else(|| self.errors.request(id))
    }

    /// Whether the content of requests to a route must not be recorded.
    pub(super) fn is_private_route(&self, route: &str, generation: u64) -> bool {
        self.routes.is_private_route(Some(route), Some(generation))
    }

    /// The path pattern of a route.
    pub(super) fn route_path(&self, id: &str) -> Option<String> {
        self.routes.find(id).map(|route| route.path.clone())
    }

    pub(super) fn add_start(&mut self, record: &StartRecord<'_>) {
        let start = RequestStart {
            id: record.id.to_string(),
            time_ms: unix_ms(record.time),
            method: record.head.method().to_owned(),
            path: self.redactor.path(&record.head.path()),
        };
        let seq = self.sequence.add(EventTypes::REQUEST_START);
        push(&mut self.starts, (seq, Arc::new(start)), MAX_STARTS);
    }

    pub(super) fn add_request(&mut self, record: &RequestRecord<'_>) {
        let has_passed = record.traceback.is_none() && matches!(record.status, 200..400);
        let is_mending = has_passed && self.errors.is_mended_by(record.route, record.generation);
        let mut types = EventTypes::REQUEST_END;
        if record.traceback.is_some() {
            types = types.or(EventTypes::ERROR).or(EventTypes::ERROR_STATE);
        } else if is_mending {
            types = types.or(EventTypes::ERROR_STATE);
        }
        let seq = self.sequence.add(types);
        self.completed += 1;
        // The newest reuses the memory of the oldest.
        let is_full = self.requests.len() == LIMITS.requests;
        let oldest = if is_full { self.requests.pop_front() } else { None };
        if let Some(oldest) = &oldest {
            self.body_bytes -= oldest.body_bytes();
        }
        let oldest = oldest.and_then(|oldest| self.errors.retain(oldest));
        let mut request = oldest.unwrap_or_default();
        request.fill(seq, record, &self.routes, &self.redactor, self.captures_bodies);
        request.set_calls(self.calls.take(record.id));
        self.body_bytes += request.body_bytes();
        if let Some(traceback) = record.traceback {
            self.last_failure = Some(Arc::clone(traceback));
            let error = self.errors.add_request(request.as_failed(), traceback);
            request.set_errors(vec![error]);
        } else if is_mending {
            let ended_ms = request.ended_ms();
            request.set_errors(self.errors.add_pass(record.route, record.generation, ended_ms));
        }
        self.requests.push_back(request);
        if self.body_bytes > MAX_BODY_BYTES {
            self.drop_oldest_bodies();
        }
        let Some(id) = record.route.filter(|_| !record.head.is_function_call()) else { return };
        if let Some(hits) = self.hits.get_mut(id) {
            *hits += 1;
        } else if self.hits.len() < MAX_COUNTED {
            self.hits.insert(id.to_owned(), 1);
        }
    }

    /// Returns a request among the newest.
    pub(super) fn request_mut(&mut self, id: u64) -> Option<&mut RecordedRequest> {
        let found = self.requests.iter_mut().rev().find(|request| request.id() == id);
        found.map(|request| &mut **request)
    }

    /// Adds the end of a streamed response to its request, unless that is no longer stored.
    pub(super) fn add_stream_end(&mut self, record: &StreamEndRecord) {
        let Some(request) = self.request_mut(record.request) else { return };
        let before = request.body_bytes();
        request.end_stream(record);
        // An open stream counts as the largest.
        let freed = before - request.body_bytes();
        let summary = Arc::new(request.summary());
        self.body_bytes -= freed;
        let seq = self.sequence.add(EventTypes::STREAM_END);
        push(&mut self.stream_ends, (seq, summary), MAX_STREAM_ENDS);
    }

    /// Replaces the profile of a request.
    pub(super) fn add_profile(&mut self, request: u64, profile: &Arc<Profile>) {
        self.profiles.retain(|(id, _)| *id != request);
        push(&mut self.profiles, (request, Arc::clone(profile)), MAX_PROFILES);
        let seq = self.sequence.add(EventTypes::PROFILE);
        let Profile { is_running, samples, .. } = **profile;
        let report = RecordedProfile { request, is_running, samples };
        push(&mut self.profile_reports, (seq, report), MAX_PROFILE_REPORTS);
    }

    pub(super) fn profiled(&self) -> impl Iterator<Item = u64> {
        self.profiles.iter().map(|(id, _)| *id)
    }

    pub(super) fn profile(&self, request: u64) -> Option<&Arc<Profile>> {
        self.profiles.iter().rev().find(|(id, _)| *id == request).map(|(_, profile)| profile)
    }

    pub(super) fn add_worker_event(&mut self, event: &Arc<WorkerEvent>) {
        let seq = self.sequence.add(EventTypes::WORKER);
        push(&mut self.workers, (seq, Arc::clone(event)), MAX_WORKER_EVENTS);
    }

    pub(super) fn add_reload(&mut self, record: &Arc<ReloadRecord>, status: Box<ServerStatus>) {
        let reload = Arc::new(Reload::from(record));
        let errors = self.errors.add_reload(record, status.state == "failing");
        if let Some(traceback) = &reload.traceback {
            self.last_failure = Some(Arc::new(traceback.clone()));
        }
        push(&mut self.reloads, Arc::clone(&reload), LIMITS.reloads);
        self.add_change(ServerChange::Reload(reload, status, errors.into()));
    }

    /// Adds what a reload changed for clients to the recorded reload.
    pub(super) fn add_contract(&mut self, record: &Arc<ContractRecord>) {
        let found = self.reloads.iter_mut().rev().find(|reload| reload.id == record.reload);
        if let Some(reload) = found {
            Arc::make_mut(reload).contract = Some(record.diff.clone());
        }
        self.add_change(ServerChange::Contract(Arc::clone(record)));
    }

    /// Replaces the route table.
    pub(super) fn set_routes(&mut self, serving: Arc<ServingGeneration>) {
        self.routes = Arc::new(RouteIndex::new(Arc::clone(&serving), Some(&self.routes)));
        self.add_change(ServerChange::Routes(serving));
    }

    pub(super) fn add_change(&mut self, change: ServerChange) {
        let seq = self.sequence.add(change.types());
        push(&mut self.changes, (seq, change), MAX_CHANGES);
    }

    fn drop_oldest_bodies(&mut self) {
        for request in &mut self.requests {
            if self.body_bytes <= MAX_BODY_BYTES {
                break;
            }
            self.body_bytes -= request.body_bytes();
            request.drop_bodies();
        }
    }
}

pub(super) fn push<T>(ring: &mut VecDeque<T>, item: T, limit: usize) {
    if ring.len() == limit {
        ring.pop_front();
    }
    ring.push_back(item);
}
