//! Records the messages of WebSockets, and their ends.

use std::sync::Arc;

use crate::message::{SocketCloseRecord, SocketMessage, SocketMessageRecord, ms, unix_ms};

use super::body::redacted_body;
use super::event::RecordedClose;
use super::request::FailedRequest;
use super::state::{RecorderState, push};
use crate::dev::protocol::event_types::EventTypes;
use crate::dev::protocol::{ErrorSummary, WebSocketClose, WebSocketMessage};

/// The most messages that are stored, and the most ends.
const MAX_MESSAGES: usize = 1000;
const MAX_CLOSES: usize = 200;
/// The most bytes that are stored of one message.
const MAX_TEXT: usize = 2 * 1024;

impl RecorderState {
    pub(super) fn add_message(&mut self, record: &SocketMessageRecord<'_>) {
        let seq = self.sequence.add(EventTypes::WEBSOCKET_MESSAGE);
        let (kind, bytes) = match record.message {
            SocketMessage::Text(text) => ("text", text.as_bytes()),
            SocketMessage::Binary(bytes) => ("binary", &**bytes),
        };
        let is_captured =
            self.captures_bodies && !self.is_private_route(record.route, record.generation);
        let shown = if is_captured { &bytes[..bytes.len().min(MAX_TEXT)] } else { &[] };
        let content = redacted_body(shown, bytes.len(), &[], &self.redactor);
        let (text, note) = content.map_or((None, None), |content| (content.text, content.note));
        let message = WebSocketMessage {
            request: record.request.to_string(),
            number: record.number,
            time_ms: unix_ms(record.time),
            direction: if record.is_incoming { "in" } else { "out" },
            kind,
            size: bytes.len() as u64,
            text,
            note,
        };
        push(&mut self.messages, (seq, Arc::new(message)), MAX_MESSAGES);
    }

    pub(super) fn add_close(&mut self, record: &SocketCloseRecord<'_>) {
        let types = match record.traceback {
            Some(_) => {
                EventTypes::WEBSOCKET_CLOSE.or(EventTypes::ERROR).or(EventTypes::ERROR_STATE)
            }
            None => EventTypes::WEBSOCKET_CLOSE,
        };
        let seq = self.sequence.add(types);
        let close = WebSocketClose {
            request: record.request.to_string(),
            time_ms: unix_ms(record.time),
            path: self.redactor.path(&record.head.path()),
            route: self.route_path(record.route),
            generation: record.generation,
            code: record.close.code,
            reason: self.redactor.body(&record.close.reason, "text/plain"),
            by: record.close.by,
            total_ms: ms(record.total),
            received: record.received,
            sent: record.sent,
            error: record.traceback.map(|raised| ErrorSummary::from(&**raised)),
        };
        let mut error = None;
        if let Some(traceback) = record.traceback {
            self.last_failure = Some(Arc::clone(traceback));
            let failed = FailedRequest {
                id: record.request,
                ended_ms: close.time_ms,
                generation: Some(record.generation),
                method: record.head.method().to_owned(),
                path: close.path.clone(),
                route: close.route.clone(),
                route_id: record.route,
            };
            error = Some(self.errors.add_request(failed, traceback));
            let found = self.requests.iter_mut().rev().find(|each| each.id() == record.request);
            if let Some(request) = found {
                request.set_traceback(Arc::clone(traceback));
            }
        }
        push(&mut self.closes, (seq, Arc::new(RecordedClose { close, error })), MAX_CLOSES);
    }
}
