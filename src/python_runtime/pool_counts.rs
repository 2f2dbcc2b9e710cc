//! The state of the process pool for metrics, as Python has reported it last.
//!
//! Asks one question at a time, since Python may not respond for long. Never goes back: counters stay while
//! Python computes, and once it has stopped.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;

use crate::telemetry::PoolCounts;

use super::messages::Control;

/// How long a measurement waits for Python.
const TIMEOUT: Duration = Duration::from_millis(100);

/// The newest state.
#[derive(Default)]
pub(super) struct LastPoolCounts(tokio::sync::Mutex<PoolQuestion>);

#[derive(Default)]
struct PoolQuestion {
    /// Where Python responds to the open question.
    response: Option<oneshot::Receiver<Value>>,
    counts: Option<PoolCounts>,
}

impl LastPoolCounts {
    /// Asks Python, and waits for a moment; returns the newest state.
    pub(super) async fn ask(
        &self,
        control: &crossbeam_channel::Sender<Control>,
    ) -> Option<PoolCounts> {
        let PoolQuestion { response, counts } = &mut *self.0.lock().await;
        if response.is_none() {
            let (reply, question) = oneshot::channel();
            let message = Control::Describe { what: "pool", about: Vec::new(), reply };
            *response = control.try_send(message).is_ok().then_some(question);
        }
        if let Some(question) = response
            && let Ok(status) = tokio::time::timeout(TIMEOUT, question).await
        {
            *response = None;
            *counts = status.ok().as_ref().and_then(pool_counts).or(*counts);
        }
        *counts
    }
}

/// Reads the state of the pool; `None` if there is none.
fn pool_counts(status: &Value) -> Option<PoolCounts> {
    let count = |name: &str| status[name].as_u64();
    Some(PoolCounts {
        workers: status["workers"].as_array()?.len() as u64,
        busy: count("busy")?,
        waiting: count("waiting")?,
        done: count("done")?,
        failed: count("failed")?,
        replaced: count("replaced")?,
    })
}
