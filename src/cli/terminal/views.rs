//! From events of the core to what is drawn of them.

use snaxum::message::{self, RequestRecord, ms, unix_ms};

use crate::cli::render::Request;
use crate::cli::render::request::Holder;

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
        blocked_by: record.blockers.iter().map(holder).collect(),
        error: record.traceback.map(|raised| (&**raised).into()),
        traceback: record.traceback.cloned(),
        others: 0,
    }
}

fn holder(holder: &message::BlockingRequest) -> Holder {
    Holder { id: holder.id.to_string(), path: holder.path.clone() }
}
