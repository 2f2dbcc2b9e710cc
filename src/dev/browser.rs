//! The part of dev mode in the user's own pages: a script that loads them anew after a save.
//!
//! `inject.rs` puts it in, `channel.rs` tells it what became of a save, `csp.rs` lets it through
//! the page's own policy. Holds no secret: whoever can load a page of the app may know all of it.

mod csp;
pub(super) mod inject;
pub(super) mod socket;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use crate::config::SnaxumConfig;
use crate::event::Event;
use crate::message::LoadOutcome;
use crate::python_runtime::PythonRuntime;

/// Pages that listen at once.
const MAX_CHANNELS: usize = 64;
/// News that a slow page may be behind; one that is further behind is told the state.
const MAX_BEHIND: usize = 16;

/// What pages are told.
pub(super) struct Live {
    runtime: Weak<PythonRuntime>,
    /// Tells two runs of the server apart.
    run: String,
    news: broadcast::Sender<News>,
    places: Arc<Semaphore>,
    end: CancellationToken,
    is_injecting: bool,
    has_overlay: bool,
    has_told_of_policy: AtomicBool,
}

/// One message.
#[derive(Clone, Copy, Debug)]
struct News {
    generation: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// New code serves.
    Reload,
    /// A style sheet was saved.
    Css,
    /// The newest save does not load.
    Error,
    /// What is on disk serves.
    Ok,
}

impl Live {
    pub(super) fn new(runtime: &Arc<PythonRuntime>, run: &str) -> Self {
        let SnaxumConfig { no_inject, no_overlay, .. } = *runtime.config();
        Self {
            runtime: Arc::downgrade(runtime),
            run: run.to_owned(),
            news: broadcast::Sender::new(MAX_BEHIND),
            places: Arc::new(Semaphore::new(MAX_CHANNELS)),
            end: CancellationToken::new(),
            is_injecting: !no_inject,
            has_overlay: !no_overlay,
            has_told_of_policy: AtomicBool::new(false),
        }
    }

    /// Passes on what became of a save; runs where it was emitted and returns at once.
    pub(super) fn hear(&self, event: &Event<'_>) {
        let Event::ReloadEnd(reload) = event else { return };
        let report = &reload.report;
        let kind = match report.outcome {
            LoadOutcome::Ok => Kind::Reload,
            LoadOutcome::Noop if report.broken.is_empty() => Kind::Ok,
            LoadOutcome::Failed | LoadOutcome::Noop => Kind::Error,
        };
        self.tell(News { generation: report.generation, kind });
    }

    /// Says that a style sheet was saved that no module was made from.
    pub(super) fn style_saved(&self) {
        if let Some(now) = self.now() {
            self.tell(News { kind: Kind::Css, ..now });
        }
    }

    /// Ends all channels.
    pub(super) fn close(&self) {
        self.end.cancel();
    }

    /// The state of the server, for a page that has just come.
    fn now(&self) -> Option<News> {
        let serving = self.runtime.upgrade()?.serving();
        let kind = if serving.failing { Kind::Error } else { Kind::Ok };
        Some(News { generation: serving.generation, kind })
    }

    fn tell(&self, news: News) {
        let _ = self.news.send(news); // an error: no page listens
    }

    fn warn_of_policy(&self, problem: &csp::Problem) {
        if !self.has_told_of_policy.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a page does not reload by itself: its Content-Security-Policy {problem}; \
                 --no-inject leaves all pages alone"
            );
        }
    }
}
