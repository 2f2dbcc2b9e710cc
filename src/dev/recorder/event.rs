//! A recorded event, and the messages that it makes for a client.

use std::sync::Arc;

use crate::event::ContractRecord;
use crate::message::{LoadOutcome, WorkerEvent};
use crate::python_runtime::ServingGeneration;

use crate::dev::protocol::event_types::EventTypes;
use crate::dev::protocol::{
    ErrorSummary, EventBody, LogLine, Pin, Reload, RequestStart, RequestSummary, ServerStatus,
    TrackedError, WebSocketClose, WebSocketMessage, encode,
};

/// An event on its way to a client.
pub(super) enum RecordedEvent {
    Start(Arc<RequestStart>),
    Request(Box<RequestSummary>, Vec<Arc<TrackedError>>),
    StreamEnd(Arc<RequestSummary>),
    Change(ServerChange),
    Log(Arc<LogLine>),
    Worker(Arc<WorkerEvent>),
    Profile(RecordedProfile),
    Message(Arc<WebSocketMessage>),
    Close(Arc<RecordedClose>),
}

/// A profile, without its content.
#[derive(Clone, Copy)]
pub(super) struct RecordedProfile {
    pub(super) request: u64,
    pub(super) is_running: bool,
    pub(super) samples: u64,
}

/// The end of a WebSocket, with the error of its handler.
pub(super) struct RecordedClose {
    pub(super) close: WebSocketClose,
    pub(super) error: Option<Arc<TrackedError>>,
}

/// A change of the server.
#[derive(Clone)]
pub(super) enum ServerChange {
    ReloadStart(Vec<String>),
    /// With the errors that it has, mends or may have mended.
    Reload(Arc<Reload>, Box<ServerStatus>, Arc<[Arc<TrackedError>]>),
    Routes(Arc<ServingGeneration>),
    Contract(Arc<ContractRecord>),
    Pins(Arc<[Pin]>),
    Status(Box<ServerStatus>),
}

impl ServerChange {
    /// The types of all changes.
    pub(super) const TYPES: EventTypes = EventTypes::RELOAD_START
        .or(EventTypes::RELOAD_OK)
        .or(EventTypes::RELOAD_FAIL)
        .or(EventTypes::ROUTES)
        .or(EventTypes::ROUTE_DIFF)
        .or(EventTypes::CONTRACT_DIFF)
        .or(EventTypes::PINS)
        .or(EventTypes::STATUS);

    /// The types of the messages that it makes.
    pub(super) fn types(&self) -> EventTypes {
        match self {
            Self::ReloadStart(_) => EventTypes::RELOAD_START,
            Self::Reload(reload, _, errors) => {
                let ended = match reload.outcome {
                    LoadOutcome::Failed => EventTypes::RELOAD_FAIL,
                    _ => EventTypes::RELOAD_OK.or(EventTypes::ROUTE_DIFF),
                };
                let ended =
                    if errors.is_empty() { ended } else { ended.or(EventTypes::ERROR_STATE) };
                if reload.traceback.is_some() { ended.or(EventTypes::ERROR) } else { ended }
            }
            Self::Routes(_) => EventTypes::ROUTES,
            Self::Contract(_) => EventTypes::CONTRACT_DIFF,
            Self::Pins(_) => EventTypes::PINS,
            Self::Status(_) => EventTypes::STATUS,
        }
    }

    fn write(&self, mut add: impl FnMut(EventTypes, EventBody<'_>)) {
        match self {
            Self::ReloadStart(files) => {
                add(EventTypes::RELOAD_START, EventBody::ReloadStart { files })
            }
            Self::Status(status) => {
                add(EventTypes::STATUS, EventBody::Status { status: status.clone() })
            }
            Self::Pins(pins) => add(EventTypes::PINS, EventBody::Pins { pins }),
            Self::Routes(serving) => {
                add(EventTypes::ROUTES, EventBody::Routes { routes: &serving.routes })
            }
            Self::Contract(record) => {
                let (reload, generation) = (record.reload, record.generation);
                let contract = &record.diff;
                let body = EventBody::ContractDiff { reload, generation, contract };
                add(EventTypes::CONTRACT_DIFF, body);
            }
            Self::Reload(reload, status, errors) => {
                let status = status.clone();
                if reload.outcome == LoadOutcome::Failed {
                    add(EventTypes::RELOAD_FAIL, EventBody::ReloadFail { reload, status });
                } else {
                    add(EventTypes::RELOAD_OK, EventBody::ReloadOk { reload, status });
                    let (id, generation, diff) = (reload.id, reload.generation, &reload.diff);
                    add(
                        EventTypes::ROUTE_DIFF,
                        EventBody::RouteDiff { reload: id, generation, diff },
                    );
                }
                let first = reload.traceback.as_ref().map(ErrorSummary::from);
                for error in first.iter().chain(&reload.others) {
                    let (reload, generation) = (Some(reload.id), Some(reload.generation));
                    add(
                        EventTypes::ERROR,
                        EventBody::Error { request: None, reload, generation, error },
                    );
                }
                for error in errors.iter() {
                    add(EventTypes::ERROR_STATE, EventBody::ErrorState { error });
                }
            }
        }
    }
}

impl RecordedEvent {
    /// Writes its messages of these types, a whole one before a message that repeats a part of it.
    pub(super) fn write(&self, seq: u64, types: EventTypes, frames: &mut Vec<String>) {
        let mut add = |kind: EventTypes, body: EventBody<'_>| {
            if types.has_any(kind) {
                frames.push(encode(seq, body));
            }
        };
        match self {
            Self::Start(request) => {
                add(EventTypes::REQUEST_START, EventBody::RequestStart { request })
            }
            Self::Request(request, errors) => {
                add(EventTypes::REQUEST_END, EventBody::RequestEnd { request });
                if let Some(error) = &request.error {
                    let (request, generation) = (Some(&*request.id), request.generation);
                    add(
                        EventTypes::ERROR,
                        EventBody::Error { request, reload: None, generation, error },
                    );
                }
                for error in errors {
                    add(EventTypes::ERROR_STATE, EventBody::ErrorState { error });
                }
            }
            Self::StreamEnd(request) => {
                add(EventTypes::STREAM_END, EventBody::StreamEnd { request });
            }
            Self::Log(log) => add(EventTypes::LOG, EventBody::Log { log }),
            Self::Worker(worker) => add(EventTypes::WORKER, EventBody::Worker { worker }),
            Self::Profile(RecordedProfile { request, is_running, samples }) => {
                let (request, is_running, samples) = (&*request.to_string(), *is_running, *samples);
                add(EventTypes::PROFILE, EventBody::Profile { request, is_running, samples });
            }
            Self::Message(message) => {
                add(EventTypes::WEBSOCKET_MESSAGE, EventBody::WebSocketMessage { message })
            }
            Self::Close(closed) => {
                let close = &closed.close;
                add(EventTypes::WEBSOCKET_CLOSE, EventBody::WebSocketClose { close });
                if let Some(error) = &close.error {
                    let (request, generation) = (Some(&*close.request), Some(close.generation));
                    add(
                        EventTypes::ERROR,
                        EventBody::Error { request, reload: None, generation, error },
                    );
                }
                if let Some(error) = &closed.error {
                    add(EventTypes::ERROR_STATE, EventBody::ErrorState { error });
                }
            }
            Self::Change(change) => change.write(add),
        }
    }
}
