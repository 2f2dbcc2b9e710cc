//! The messages between `snaxum dev`, which builds a program in Rust, and the program that it runs.
//!
//! One JSON text a line, both ways, over a pair of sockets. Sends and receives nothing itself. The two may
//! be of different versions of this library: a field that is missing has its default, an unknown one is
//! ignored, and a message of an unknown type is skipped.
//!
//! # The start
//!
//! The builder starts the program with [`ProgramDescriptors`] in the environment variable
//! [`DEV_PROGRAM`], and sends a [`ProgramStart`] as the first line. The program reads it in the first call
//! of the library that needs it, and closes its descriptors for programs of its own. The variable stays in
//! the environment, where it has numbers only, and is ignored by every process but a child of the builder.
//!
//! # The takeover
//!
//! 1. A program is good once [`ProgramReport::Bound`] and [`ProgramReport::Loaded`] have come, in any order;
//!    if there is one before it, then without failures. If the one before has reported
//!    [`ProgramReport::Serving`], the builder waits for the same of the new one, but not for long: without
//!    it, connections cannot move there.
//! 2. The builder sends [`BuilderOrder::Leave`] to the one before, if that has reported `Serving`, else
//!    SIGTERM. The response is [`ProgramReport::Left`]: from then on only the new one accepts and responds. The
//!    old one ends by itself when its last response has ended.
//! 3. The builder sends [`BuilderOrder::Live`] to the new one, with the [`ProgramReport::Left::state`] of the
//!    old one. The first program gets it, too.
//!
//! # A save
//!
//! Before a reload of Python code the program sends [`ProgramReport::Ask`]. The builder reads the events of
//! its own files first, and replies whether a build is under way or about to begin: then Python saves wait
//! for its outcome. [`BuilderOrder::Building`] is sent at the start of each build, also without a question;
//! [`BuilderOrder::Built`] when it has ended and the same program is still serving. If its program was
//! rejected because of its Python modules, it is tried again after the next [`ProgramReport::Saved`].

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::{LoadOutcome, ModuleFailure, RustBuild};

/// The environment variable that has the [`ProgramDescriptors`], as JSON.
pub const DEV_PROGRAM: &str = "SNAXUM_DEV_PROGRAM";

/// The descriptors that a program inherits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramDescriptors {
    /// The process id of the builder, which is the parent of the program.
    pub builder: u32,
    /// The listening socket.
    pub socket: RawFd,
    /// The end of a pair of Unix sockets for the messages. If it closes, the program ends.
    pub control: RawFd,
    /// The table of [`LoadTable`](crate::server::LoadTable) that all programs of the builder share.
    pub table: RawFd,
    /// The place of the program in the table.
    pub place: usize,
    /// The ends of the [`Passage`](crate::server::Passage), for connections that move to another program.
    pub passage: [RawFd; 2],
    /// The bell of [`Turns`](crate::server::Turns), if the system has one.
    #[serde(default)]
    pub bell: Option<RawFd>,
    /// The file of a [`CrashRecord`](crate::crash_record::CrashRecord).
    #[serde(default)]
    pub crash_record: Option<RawFd>,
}

impl ProgramDescriptors {
    /// All descriptors.
    pub fn all(&self) -> impl Iterator<Item = RawFd> + use<> {
        let Self { socket, control, table, passage, bell, crash_record, .. } = *self;
        [socket, control, table].into_iter().chain(passage).chain(bell).chain(crash_record)
    }
}

/// The first message of the builder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgramStart {
    /// The token of the console; the same for all programs of the builder.
    pub token: String,
    /// Set if the MCP endpoint is to be open.
    pub mcp: Option<McpAccess>,
    /// The editor of the command line, if there is one, as it is written there.
    pub editor: Option<String>,
    /// The generation that served last; 0 if none did.
    pub generation: u64,
    /// The end of the program before, if it has crashed: a `Crash` of dev mode as JSON.
    pub crash: Option<Value>,
}

/// The access of assistants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpAccess {
    /// The token of the endpoint.
    pub token: String,
    /// Whether its tools may change something.
    pub may_write: bool,
}

/// A message from the program to the builder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ProgramReport {
    /// It has taken the socket.
    Bound,
    /// Python has started, and its modules have loaded or not.
    Loaded {
        /// The generation that serves; 0 if no module has loaded.
        generation: u64,
        /// The modules that do not load.
        failures: Vec<ModuleFailure>,
    },
    /// Its dev mode runs: the console and the API respond once it accepts.
    Dev,
    /// `server::serve` or one of its kin accepts from the socket, and follows [`BuilderOrder::Leave`].
    Serving,
    /// Reloading of Python code was paused, or resumed; builds should follow it.
    Paused {
        /// Whether it is paused now.
        is_paused: bool,
    },
    /// A Python save is about to be loaded, or a client waits until all saves are live.
    Ask {
        /// The number of the question.
        id: u64,
    },
    /// Python code was saved: a program that was rejected because of its Python modules may be good now.
    Saved {
        /// Whether it waits for the next build, because the last one has failed.
        is_held: bool,
    },
    /// A Python change, or a client, needs a new process of the same binary.
    Restart {
        /// Why, in words for a person.
        reason: String,
    },
    /// The response to [`BuilderOrder::Leave`]: it accepts no more, and its idle connections have moved or
    /// are closed.
    Left {
        /// Data for the program after it, which the builder does not read.
        state: Value,
    },
    /// It ends on purpose: every other end is a crash.
    Ending,
}

/// A message from the builder to the program.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum BuilderOrder {
    /// Another program serves: accept no more connections, pass on or close the idle ones, finish the
    /// requests and end.
    Leave {
        /// Whether the other program takes connections that move.
        can_move: bool,
    },
    /// A build has begun, or a restart is tried: Python saves wait for its outcome.
    Building {
        /// The files that changed, relative to the project; none for a restart.
        files: Vec<String>,
    },
    /// The build has ended, and this program is still serving.
    Built {
        /// The build.
        build: Box<BuildReport>,
    },
    /// A requested restart has failed, and this program is still serving. Nothing was built.
    RestartFailed {
        /// Why, in words for a person; may have several lines.
        reason: String,
    },
    /// This program serves from now on.
    Live {
        /// The build that made it; null after a restart or a crash, and at the start.
        build: Option<Box<BuildReport>>,
        /// The [`ProgramReport::Left::state`] of the program before it, or null.
        state: Value,
    },
    /// The reply to [`ProgramReport::Ask`].
    Answer {
        /// The number of the question.
        id: u64,
        /// Whether a build or a restart is under way, or about to begin.
        is_building: bool,
    },
    /// No build follows the reply after all, because no text has changed. The last one is still the newest.
    NotBuilt,
}

/// A build that has ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildReport {
    /// When it began, in milliseconds since 1970 (UTC).
    pub time_ms: u64,
    /// `ok`: its program serves. `failed`: it does not compile, or its program is not good. `noop`: the
    /// program is the same as before.
    pub outcome: LoadOutcome,
    /// Why its program is not tried, or not good, or the same; empty if the failures state it.
    pub reason: String,
    /// The files that changed, relative to the project.
    pub files: Vec<String>,
    /// From the first file event to the start of cargo, in milliseconds.
    pub settle_ms: f64,
    /// From the first file event to the end.
    pub total_ms: f64,
    /// Its phases and warnings.
    pub build: RustBuild,
    /// The errors, the main one first: of rustc under the name of their crate, and of Python modules that do not
    /// load in the new program.
    pub failures: Vec<ModuleFailure>,
}

/// A message as a line.
pub fn to_line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(message: &impl Serialize) -> String {
        String::from_utf8(to_line(message)).expect("UTF-8").trim_end().to_owned()
    }

    #[test]
    fn a_report_is_an_object_with_its_type() {
        for (report, text) in [
            (ProgramReport::Bound, r#"{"type":"bound"}"#),
            (
                ProgramReport::Loaded { generation: 2, failures: vec![] },
                r#"{"type":"loaded","generation":2,"failures":[]}"#,
            ),
            (ProgramReport::Paused { is_paused: true }, r#"{"type":"paused","is_paused":true}"#),
            (ProgramReport::Ask { id: 3 }, r#"{"type":"ask","id":3}"#),
            (ProgramReport::Left { state: Value::Null }, r#"{"type":"left","state":null}"#),
        ] {
            assert_eq!(json(&report), text);
        }
    }

    #[test]
    fn an_order_is_an_object_with_its_type() {
        for (order, text) in [
            (BuilderOrder::Leave { can_move: true }, r#"{"type":"leave","can_move":true}"#),
            (
                BuilderOrder::Live { build: None, state: Value::Null },
                r#"{"type":"live","build":null,"state":null}"#,
            ),
            (
                BuilderOrder::Answer { id: 3, is_building: false },
                r#"{"type":"answer","id":3,"is_building":false}"#,
            ),
            (
                BuilderOrder::RestartFailed { reason: "why".to_owned() },
                r#"{"type":"restart-failed","reason":"why"}"#,
            ),
        ] {
            assert_eq!(json(&order), text);
        }
    }

    #[test]
    fn missing_fields_have_defaults_and_unknown_ones_are_ignored() {
        let start: ProgramStart =
            serde_json::from_str(r#"{"token":"abc","newer":1}"#).expect("a start");
        assert_eq!((&*start.token, start.generation, start.mcp), ("abc", 0, None));
        let text = r#"{"type":"built","build":{"outcome":"failed","reason":"it panicked"}}"#;
        let order = serde_json::from_str(text).expect("an order");
        let BuilderOrder::Built { build } = order else { panic!("{order:?}") };
        assert_eq!((build.outcome, &*build.reason), (LoadOutcome::Failed, "it panicked"));
        assert_eq!(build.build, RustBuild::default());
    }

    #[test]
    fn each_descriptor_is_passed_on() {
        let text =
            r#"{"builder":9,"socket":3,"control":4,"table":5,"place":1,"passage":[6,7],"bell":8}"#;
        let descriptors: ProgramDescriptors = serde_json::from_str(text).expect("descriptors");
        assert_eq!(descriptors.all().collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
    }
}
