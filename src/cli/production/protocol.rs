//! The messages between the parent of a production server and the processes that serve.
//!
//! One JSON text a line, over a pair of sockets. Sends and receives nothing itself. The program on disk
//! may have been replaced since the parent started. A process that serves joins only a parent with the same
//! version of the messages. A parent also continues with processes of older versions, until a deploy replaces
//! them: it sends them no order that their version does not have, and never forks them.

use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

/// The version of the messages and of the table of loads: raise it with each change of one. The tests of this
/// file and of the table fail with a change.
///
/// `ParametersOfAnyVersion`, [`Succession`], [`TrialOutcome`] with [`Successor`], [`Report::Failed`], the line of
/// JSON, and the passage of connections never change, as programs of any two versions exchange them.
const PROTOCOL: u32 = 1;

/// The oldest version of processes that a parent continues with. Raise it, and [`PROTOCOL`], with the removal of a
/// report, or the change of an order, that such processes have, and with a change of the crash record, which the
/// parent reads after their end.
pub(super) const OLDEST_PROTOCOL: u32 = 1;

/// The version of this program.
#[cfg(not(debug_assertions))]
pub(super) fn protocol() -> u32 {
    PROTOCOL
}

/// The version of this program. The programs of a test differ in a file beside them.
#[cfg(debug_assertions)]
pub(super) fn protocol() -> u32 {
    static OWN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    let of_test = || crate::cli::invocation::file_beside("protocol")?.trim().parse().ok();
    *OWN.get_or_init(|| of_test().unwrap_or(PROTOCOL))
}

/// The parameters of a program that may replace the parent's, in the environment variable `HANDOVER`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub(super) enum Succession {
    /// Check whether you can continue from this state, and send the [`TrialOutcome`] to a socket.
    Trial { state: RawFd, outcome: RawFd },
    /// Continue from this state, which is in a file.
    Continue { state: RawFd },
}

/// Whether a program can replace the parent's; the error is for people.
pub(super) type TrialOutcome = Result<Successor, String>;

/// A program that can.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Successor {
    /// The version of its messages.
    pub(super) protocol: u32,
}

/// The part of [`ProcessParameters`] that all versions have.
#[derive(Debug, Deserialize)]
pub(super) struct ParametersOfAnyVersion {
    pub(super) protocol: u32,
    pub(super) control: RawFd,
}

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Accept connections from now on.
    Serve,
    /// Pass connections on to other processes, finish the requests and end.
    Drain,
    /// Act as on SIGINT.
    Interrupt,
    /// Act as on SIGTERM.
    Terminate,
    /// Send [`Report::Alive`].
    Ping,
    /// Open the logs again.
    ReopenLogs,
}

/// From a process that serves.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Report {
    /// The code is loaded, and the checks have passed: it can serve.
    Loaded {
        /// Whether some modules do not load.
        is_incomplete: bool,
    },
    /// The modules have started these threads, so a process that loads the code for others cannot fork.
    HasThreads { names: Vec<String> },
    /// It cannot serve, and ends.
    Failed {
        /// Why: tracebacks, or the text of an error.
        text: String,
        /// The exit code of a server that cannot start.
        code: u8,
    },
    /// It responds; `silent` pings have passed since Python last did.
    Alive { silent: u32 },
    /// Another process should replace it.
    Worn { why: String },
    /// It accepts no more connections.
    Closing,
    /// It ends on purpose: every other end is a crash.
    Ending,
}

/// The parameters of a process from its parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "kebab-case")]
pub(super) enum Parameters {
    Serve(ProcessParameters),
    Preload(PreloaderParameters),
}

/// The parameters of a process that loads the code, and forks the processes that serve.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PreloaderParameters {
    pub(super) protocol: u32,
    pub(super) parent: u32,
    pub(super) count: usize,
    pub(super) generation: u64,
    pub(super) control: RawFd,
    /// For requests to fork.
    pub(super) forks: RawFd,
    pub(super) crash_record: RawFd,
}

/// The parameters of a process that serves. It gets the descriptors with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProcessParameters {
    pub(super) protocol: u32,
    pub(super) parent: u32,
    /// Its place in the table of loads.
    pub(super) place: usize,
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) count: usize,
    pub(super) generation: u64,
    /// Whether all code must load: it is to replace code that serves.
    pub(super) is_checked: bool,
    /// Whether another process logs the same.
    pub(super) is_quiet: bool,
    pub(super) listener: RawFd,
    pub(super) control: RawFd,
    pub(super) crash_record: RawFd,
    pub(super) table: RawFd,
    pub(super) passage: [RawFd; 2],
    pub(super) bell: Option<RawFd>,
    /// For its metrics, if there are any.
    pub(super) metrics: Option<RawFd>,
}

impl ProcessParameters {
    /// The descriptors.
    pub(super) fn descriptors(&self) -> Vec<RawFd> {
        let mut found = Vec::new();
        self.clone().map_descriptors(|descriptor| {
            found.push(descriptor);
            descriptor
        });
        found
    }

    /// Replaces each descriptor by that which `map` returns.
    pub(super) fn map_descriptors(&mut self, mut map: impl FnMut(RawFd) -> RawFd) {
        let Self { listener, control, crash_record, table, passage, bell, metrics, .. } = self;
        let all = [listener, control, crash_record, table].into_iter().chain(passage);
        all.chain(bell).chain(metrics).for_each(|descriptor| *descriptor = map(*descriptor));
    }
}

/// A message as a line.
pub(super) fn to_line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("plain data");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    /// The messages of version 1. If this test fails, read the rules of [`PROTOCOL`] and [`OLDEST_PROTOCOL`],
    /// raise these accordingly, and only then change the texts.
    #[test]
    fn the_messages_of_the_version_are_these() {
        assert_eq!((PROTOCOL, OLDEST_PROTOCOL), (1, 1));
        let orders = "`serve`, `drain`, `interrupt`, `terminate`, `ping`, `reopen-logs`";
        assert_eq!(variants::<Order>(), orders);
        let reports = "`loaded`, `has-threads`, `failed`, `alive`, `worn`, `closing`, `ending`";
        assert_eq!(variants::<Report>(), reports);
        for (report, text) in [
            (Report::Loaded { is_incomplete: true }, r#"{"loaded":{"is_incomplete":true}}"#),
            (Report::HasThreads { names: vec!["a".into()] }, r#"{"has-threads":{"names":["a"]}}"#),
            (Report::Alive { silent: 2 }, r#"{"alive":{"silent":2}}"#),
            (Report::Worn { why: "a".into() }, r#"{"worn":{"why":"a"}}"#),
            (Report::Closing, r#""closing""#),
            (Report::Ending, r#""ending""#),
        ] {
            assert_eq!(json(&report), text);
        }
        let serve = ProcessParameters {
            protocol: 1,
            parent: 2,
            place: 3,
            number: 4,
            count: 5,
            generation: 6,
            is_checked: true,
            is_quiet: false,
            listener: 7,
            control: 8,
            crash_record: 9,
            table: 10,
            passage: [11, 12],
            bell: Some(13),
            metrics: None,
        };
        assert_eq!(
            json(&Parameters::Serve(serve)),
            concat!(
                r#"{"role":"serve","protocol":1,"parent":2,"place":3,"number":4,"count":5,"generation":6,"#,
                r#""is_checked":true,"is_quiet":false,"listener":7,"control":8,"crash_record":9,"table":10,"#,
                r#""passage":[11,12],"bell":13,"metrics":null}"#
            )
        );
        let preload = PreloaderParameters {
            protocol: 1,
            parent: 2,
            count: 3,
            generation: 4,
            control: 5,
            forks: 6,
            crash_record: 7,
        };
        assert_eq!(
            json(&Parameters::Preload(preload)),
            concat!(
                r#"{"role":"preload","protocol":1,"parent":2,"count":3,"generation":4,"control":5,"forks":6,"#,
                r#""crash_record":7}"#
            )
        );
        assert_eq!(variants_of::<Parameters>(r#"{"role":"?"}"#), "`serve`, `preload`");
    }

    /// A change of these breaks the upgrade from each version before: add a message in place of it.
    #[test]
    fn the_messages_between_all_versions_are_these() {
        assert_eq!(variants_of::<Succession>(r#"{"role":"?"}"#), "`trial`, `continue`");
        for (message, text) in [
            (
                Succession::Trial { state: 1, outcome: 2 },
                r#"{"role":"trial","state":1,"outcome":2}"#,
            ),
            (Succession::Continue { state: 1 }, r#"{"role":"continue","state":1}"#),
        ] {
            assert_eq!(json(&message), text);
        }
        for (outcome, text) in [
            (Ok(Successor { protocol: 1 }), r#"{"Ok":{"protocol":1}}"#),
            (Err("why".to_owned()), r#"{"Err":"why"}"#),
        ] {
            let outcome: TrialOutcome = outcome;
            assert_eq!(json(&outcome), text);
        }
        let failed = Report::Failed { text: "why".to_owned(), code: 1 };
        assert_eq!(json(&failed), r#"{"failed":{"text":"why","code":1}}"#);
        let any = r#"{"protocol":1,"control":2,"newer":3}"#;
        let ParametersOfAnyVersion { protocol, control } =
            serde_json::from_str(any).expect("both fields");
        assert_eq!((protocol, control), (1, 2));
    }

    fn json(message: &impl Serialize) -> String {
        String::from_utf8(to_line(message)).expect("UTF-8").trim_end().to_owned()
    }

    fn variants<T: DeserializeOwned>() -> String {
        variants_of::<T>(r#""?""#)
    }

    /// The names of all variants, from the error for an unknown one.
    fn variants_of<T: DeserializeOwned>(wrong: &str) -> String {
        let error = serde_json::from_str::<T>(wrong).err().expect("an unknown variant").to_string();
        let names = error.split_once("expected ").expect("the names").1;
        let names = names.split(" at line").next().unwrap_or_default();
        names.trim_start_matches("one of ").replace(" or ", ", ")
    }
}
