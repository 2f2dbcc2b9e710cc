//! A route table as the recorder needs it: looks up a recorded route, and finds private requests.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use crate::message::{RequestRecord, RouteInfo};
use crate::python_runtime::ServingGeneration;

/// The start of the route of a call from Rust, unless its function is marked as private. The names of
/// the parameters follow, in the order of positional arguments.
const PUBLIC_CALL: &str = "call:";

/// The table of one generation. The index is built when a request is first shown.
pub(super) struct RouteIndex {
    serving: Arc<ServingGeneration>,
    /// The ids of routes whose requests are not captured.
    private: HashSet<String>,
    /// These ids, and the ids of older private routes since the server started.
    was_private: HashSet<String>,
    positions: OnceLock<HashMap<String, usize>>,
}

impl RouteIndex {
    /// Indexes the routes of `serving`, which replaces `before`.
    pub(super) fn new(serving: Arc<ServingGeneration>, before: Option<&Self>) -> Self {
        let private = serving.routes.iter().filter(|route| route.no_capture);
        let private: HashSet<String> = private.map(|route| route.id.clone()).collect();
        let mut was_private = before.map_or_else(HashSet::new, |before| before.was_private.clone());
        was_private.extend(private.iter().cloned());
        Self { serving, private, was_private, positions: OnceLock::new() }
    }

    /// The names of the parameters of a called function, separated by commas. `None` for a private
    /// function, or a request.
    pub(super) fn parameters<'a>(record: &RequestRecord<'a>) -> Option<&'a str> {
        record.route.filter(|_| record.head.is_function_call())?.strip_prefix(PUBLIC_CALL)
    }

    /// Whether a request's content must not be recorded.
    pub(super) fn is_private(&self, record: &RequestRecord<'_>) -> bool {
        if record.head.is_function_call() {
            // Python reports it with the result. A call without one may be of a private function.
            return Self::parameters(record).is_none();
        }
        self.is_private_route(record.route, record.generation)
    }

    /// The same, for the route and the generation of a request.
    pub(super) fn is_private_route(&self, route: Option<&str>, generation: Option<u64>) -> bool {
        if generation > Some(self.serving.generation) {
            return true; // its routes arrive in a moment
        }
        // A request that began before a reload may have a route that no longer exists. So may a
        // cancelled request, which has no generation.
        let is_old = generation.is_none_or(|number| number < self.serving.generation);
        let private = if is_old { &self.was_private } else { &self.private };
        match route {
            Some(id) => private.contains(id),
            // It may have been meant for a private route.
            None => !private.is_empty() || !self.serving.last_reload.report.broken.is_empty(),
        }
    }

    pub(super) fn find(&self, id: &str) -> Option<&RouteInfo> {
        let routes = &self.serving.routes;
        let positions = self.positions.get_or_init(|| {
            let routes = routes.iter().enumerate();
            routes.map(|(position, route)| (route.id.clone(), position)).collect()
        });
        routes.get(*positions.get(id)?)
    }
}
