//! An attempt to replace the program: the save, the build, and the program that is tried. Plain state: the
//! builder decides.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use snaxum::config::SnaxumConfig;
use snaxum::dev::Crash;
use snaxum::supervision::protocol::BuildReport;

use super::build::Build;
use super::program::Program;

/// How long a program that is good may take until it accepts: then connections can move to it.
const SERVING_TIMEOUT: Duration = Duration::from_secs(2);
/// The same while no other serves: one with a server of its own never reports it.
const FIRST_TIMEOUT: Duration = Duration::from_millis(500);

/// Files that one build is for.
#[derive(Default)]
pub(super) struct Save {
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) since: Option<Instant>,
}

pub(super) struct RunningBuild {
    pub(super) build: Build,
    pub(super) save: Save,
    pub(super) time: SystemTime,
    pub(super) cancelled: Option<Instant>,
}

/// A program that is tried.
pub(super) struct Candidate {
    pub(super) program: Program,
    pub(super) cause: StartCause,
    /// How long it may take then until it accepts.
    serving_timeout: Duration,
    /// When it had taken the socket and loaded its modules.
    pub(super) good_at: Option<Instant>,
    /// When the old program was asked to leave, and its limit.
    pub(super) asked: Option<(Instant, Instant)>,
}

/// Why a program is started.
pub(super) enum StartCause {
    Build {
        report: Box<BuildReport>,
        /// The first file event, or the start.
        since: Instant,
    },
    /// A request for a new process.
    Restart,
    /// The end of the one before.
    Crash(Box<Crash>),
}

impl Candidate {
    /// `is_first`: while no other program serves.
    pub(super) fn new(program: Program, cause: StartCause, is_first: bool) -> Self {
        let serving_timeout = if is_first { FIRST_TIMEOUT } else { SERVING_TIMEOUT };
        Self { program, cause, serving_timeout, good_at: None, asked: None }
    }

    pub(super) fn is_taking_over(&self) -> bool {
        self.asked.is_some()
    }

    /// Returns when its next step is due at the latest.
    pub(super) fn deadline(&self, config: &SnaxumConfig) -> Option<Instant> {
        match (self.asked, self.good_at) {
            (Some((_, until)), _) => Some(until),
            (None, Some(good_at)) => Some(good_at + self.serving_timeout),
            (None, None) => {
                let limit = config.cargo_start_timeout;
                (!limit.is_zero()).then(|| self.program.began + limit)
            }
        }
    }

    pub(super) fn is_late(&self, config: &SnaxumConfig) -> bool {
        self.deadline(config).is_some_and(|deadline| deadline <= Instant::now())
    }
}
