//! An event as it is kept, and the messages that it makes.

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;

use crate::message::{LoadOutcome, WorkerEvent};
use crate::python_runtime::Serving;

use super::subscription::encode;
use crate::dev::protocol::event_types::Types;
use crate::dev::protocol::{
    Body, ErrorSummary, LogLine, Pin, Reload, RequestStart, RequestSummary, Status,
};

/// An event on its way to a console.
pub(super) enum Item {
    Start(Arc<RequestStart>),
    Request(Box<RequestSummary>),
    Change(Change),
    Log(Arc<LogLine>),
    Worker(Arc<WorkerEvent>),
}

/// A change of the server.
#[derive(Clone)]
pub(super) enum Change {
    ReloadStart(Vec<String>),
    Reload(Arc<Reload>, Box<Status>),
    Routes(Arc<Serving>),
    Pins(Arc<[Pin]>),
    Status(Box<Status>),
}

impl Change {
    /// The types of all.
    pub(super) const TYPES: Types = Types::RELOAD_START
        .or(Types::RELOAD_OK)
        .or(Types::RELOAD_FAIL)
        .or(Types::ROUTES)
        .or(Types::ROUTE_DIFF)
        .or(Types::PINS)
        .or(Types::STATUS);

    /// The types of the messages that it makes.
    pub(super) fn types(&self) -> Types {
        match self {
            Self::ReloadStart(_) => Types::RELOAD_START,
            Self::Reload(reload, _) => {
                let ended = match reload.outcome {
                    LoadOutcome::Failed => Types::RELOAD_FAIL,
                    _ => Types::RELOAD_OK.or(Types::ROUTE_DIFF),
                };
                if reload.traceback.is_some() { ended.or(Types::ERROR) } else { ended }
            }
            Self::Routes(_) => Types::ROUTES,
            Self::Pins(_) => Types::PINS,
            Self::Status(_) => Types::STATUS,
        }
    }

    fn write(&self, mut add: impl FnMut(Types, Body<'_>)) {
        match self {
            Self::ReloadStart(files) => add(Types::RELOAD_START, Body::ReloadStart { files }),
            Self::Status(status) => add(Types::STATUS, Body::Status { status: status.clone() }),
            Self::Pins(pins) => add(Types::PINS, Body::Pins { pins }),
            Self::Routes(serving) => add(Types::ROUTES, Body::Routes { routes: &serving.routes }),
            Self::Reload(reload, status) => {
                let status = status.clone();
                if reload.outcome == LoadOutcome::Failed {
                    add(Types::RELOAD_FAIL, Body::ReloadFail { reload, status });
                } else {
                    add(Types::RELOAD_OK, Body::ReloadOk { reload, status });
                    let (id, generation, diff) = (reload.id, reload.generation, &reload.diff);
                    add(Types::ROUTE_DIFF, Body::RouteDiff { reload: id, generation, diff });
                }
                let first = reload.traceback.as_ref().map(ErrorSummary::from);
                for error in first.iter().chain(&reload.others) {
                    let (reload, generation) = (Some(reload.id), Some(reload.generation));
                    add(Types::ERROR, Body::Error { request: None, reload, generation, error });
                }
            }
        }
    }
}

impl Item {
    /// Writes those of its messages that are wanted, the whole one before what repeats a part of it.
    pub(super) fn write(&self, seq: u64, wanted: Types, frames: &mut Vec<Utf8Bytes>) {
        let mut add = |types: Types, body: Body<'_>| {
            if wanted.has_any(types) {
                frames.push(encode(seq, body));
            }
        };
        match self {
            Self::Start(request) => add(Types::REQUEST_START, Body::RequestStart { request }),
            Self::Request(request) => {
                add(Types::REQUEST_END, Body::RequestEnd { request });
                if let Some(error) = &request.error {
                    let (request, generation) = (Some(&*request.id), request.generation);
                    add(Types::ERROR, Body::Error { request, reload: None, generation, error });
                }
            }
            Self::Log(log) => add(Types::LOG, Body::Log { log }),
            Self::Worker(worker) => add(Types::WORKER, Body::Worker { worker }),
            Self::Change(change) => change.write(add),
        }
    }
}
