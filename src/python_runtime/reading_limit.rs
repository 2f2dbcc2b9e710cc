//! The time limit of a handler that reads its body as it arrives.

use std::pin::pin;
use std::time::{Duration, Instant};

use crate::message::ChunkReceiver;

/// Waits for a response; the time limit begins again with each chunk that the handler reads.
pub(super) async fn wait<F: Future>(
    response: F,
    chunks: &ChunkReceiver,
    limit: Duration,
    deadline: &mut Instant,
) -> Option<F::Output> {
    let mut response = pin!(response);
    loop {
        match tokio::time::timeout_at((*deadline).into(), &mut response).await {
            Ok(response) => return Some(response),
            Err(_) => {
                let later = chunks.last_received()? + limit;
                if later <= *deadline {
                    return None;
                }
                *deadline = later;
            }
        }
    }
}
