//! From events of the core to what is drawn of them.

use std::sync::Arc;

use snaxum::event;
use snaxum::message::{self, RequestRecord, ms, unix_ms};

use super::super::super::lines::requests::Holder;
use super::super::super::lines::{Reload, Request};

pub(super) fn request(record: &RequestRecord<'_>) -> Request {
    Request {
        id: record.id.to_string(),
        time_ms: unix_ms(record.time),
        method: record.head.method().to_owned(),
        path: record.head.path().into_owned(),
        route: record.route.map(ToOwned::to_owned),
        status: record.status,
        generation: record.generation,
        total_ms: ms(record.total),
        phases: record.phases,
        blocked_by: record.holders.iter().map(holder).collect(),
        error: record.traceback.map(|raised| (&**raised).into()),
        traceback: record.traceback.cloned(),
        others: 0,
    }
}

fn holder(holder: &message::Holder) -> Holder {
    Holder { id: holder.id.to_string(), path: holder.path.clone() }
}

pub(super) fn reload(reload: &Arc<event::Reload>) -> Reload {
    let report = &reload.report;
    let tracebacks: Vec<_> = report.failures.iter().map(|failure| &failure.traceback).collect();
    Reload {
        time_ms: unix_ms(reload.time),
        generation: report.generation,
        outcome: report.outcome,
        cause: reload.cause.to_owned(),
        rung: report.rung.clone(),
        reason: report.reason.clone(),
        files: reload.files.clone(),
        modules: report.modules.clone(),
        phases: report.phases.clone(),
        total_ms: ms(reload.total),
        diff: report.diff.clone(),
        state_reset: report.state_reset.clone(),
        warnings: report.warnings.clone(),
        notes: report.notes.clone(),
        traceback: tracebacks.first().map(|raised| (*raised).clone()),
        others: tracebacks.iter().skip(1).map(|raised| (*raised).into()).collect(),
        tracebacks: tracebacks.into_iter().cloned().collect(),
    }
}
