//! The part of `snaxum dev` that runs programs, step by step: a test decides what comes when.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;

use serde_json::{Value, json};
use snaxum::crash_record::CrashRecord;
use snaxum::server::{LoadTable, Passage, Turns};
use snaxum::supervision::protocol::{
    BuilderOrder, DEV_PROGRAM, ProgramDescriptors, ProgramStart, to_line,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};

use crate::quick_start;
use crate::support::{Project, in_time};

pub(super) const TOKEN: &str = "a-token-of-the-test";

/// The resources that all programs share.
pub(super) struct Builder {
    project: Project,
    socket: TcpListener,
    table_file: File,
    table: LoadTable,
    passage: Passage,
    bell: Option<OwnedFd>,
    generation: u64,
}

/// A program that runs; killed when it is dropped.
pub(super) struct Program {
    process: Child,
    reports: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
    place: usize,
}

impl Builder {
    pub(super) fn new(project: Project) -> Self {
        let table_file = LoadTable::create(4).expect("a file");
        Self {
            project,
            socket: TcpListener::bind("127.0.0.1:0").expect("a free port"),
            table: LoadTable::open(&table_file).expect("mapped"),
            table_file,
            passage: Passage::new().expect("a pair of sockets"),
            bell: Turns::new_bell(),
            generation: 0,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it has one")
    }

    pub(super) fn edit(&self, name: &str, text: &str) {
        std::fs::write(self.project.path().join("python").join(name), text).expect("written");
    }

    /// Starts a program, and returns when it has sent each report of a start.
    pub(super) async fn start(&mut self, version: &str) -> Program {
        let mut program = self.spawn(version).await;
        let mut missing = vec!["bound", "loaded", "dev", "serving"];
        while !missing.is_empty() {
            let report = program.report().await;
            if report["type"] == "loaded" {
                self.generation = report["generation"].as_u64().expect("a number");
                assert_eq!(report["failures"], json!([]));
            }
            missing.retain(|kind| report["type"] != *kind);
        }
        program
    }

    pub(super) async fn spawn(&self, version: &str) -> Program {
        let (control, of_program) = UnixStream::pair().expect("a pair of sockets");
        let crash_record = CrashRecord::create().expect("a file");
        let place = self.table.assign().expect("a free place");
        let descriptors = ProgramDescriptors {
            builder: std::process::id(),
            socket: self.socket.as_raw_fd(),
            control: of_program.as_raw_fd(),
            table: self.table_file.as_raw_fd(),
            place,
            passage: self.passage.ends().map(|end| end.as_raw_fd()),
            bell: self.bell.as_ref().map(|bell| bell.as_fd().as_raw_fd()),
            crash_record: Some(crash_record.as_raw_fd()),
        };
        let mut command = quick_start::command("taken-over", &self.project).await;
        command.env("VERSION", version);
        command.env(DEV_PROGRAM, serde_json::to_string(&descriptors).expect("plain data"));
        let inherited: Vec<RawFd> = descriptors.all().collect();
        let inherit = move || {
            for descriptor in &inherited {
                // SAFETY: sets a flag, or returns an error.
                unsafe { libc::fcntl(*descriptor, libc::F_SETFD, 0) };
            }
            Ok(())
        };
        // SAFETY: between fork and exec it only calls the kernel.
        unsafe { command.pre_exec(inherit) };
        let process = spawn(command);
        control.set_nonblocking(true).expect("a flag");
        let control = tokio::net::UnixStream::from_std(control).expect("a socket");
        let (reports, orders) = control.into_split();
        let reports = BufReader::new(reports).lines();
        let mut program = Program { process, reports, orders, place };
        let generation = self.generation;
        let start = ProgramStart { token: TOKEN.to_owned(), generation, ..ProgramStart::default() };
        program.write(&to_line(&start)).await;
        program
    }

    /// Lets `new` replace `old`; returns the state that was passed on, and how the old one ended.
    pub(super) async fn hand_over(
        &self,
        mut old: Program,
        new: &mut Program,
        build: Value,
    ) -> (Value, ExitStatus) {
        old.order(&BuilderOrder::Leave { can_move: true }).await;
        let state = old.report_of("left").await["state"].clone();
        let live = json!({ "type": "live", "build": build, "state": state });
        new.write(format!("{live}\n").as_bytes()).await;
        let status = in_time("the end of the old program", old.process.wait()).await;
        self.table.free(old.place);
        (state, status.expect("a child of ours"))
    }
}

fn spawn(mut command: Command) -> Child {
    command.kill_on_drop(true).spawn().expect("the program starts")
}

impl Program {
    /// The next report.
    pub(super) async fn report(&mut self) -> Value {
        let line = in_time("a report", self.reports.next_line()).await.expect("UTF-8");
        serde_json::from_str(&line.expect("the program runs")).expect("JSON")
    }

    /// The next report of a type; others are skipped.
    pub(super) async fn report_of(&mut self, kind: &str) -> Value {
        loop {
            let report = self.report().await;
            if report["type"] == kind {
                return report;
            }
        }
    }

    pub(super) async fn order(&mut self, order: &BuilderOrder) {
        self.write(&to_line(order)).await;
    }

    /// Replies to the next question.
    pub(super) async fn reply(&mut self, is_building: bool) {
        let id = self.report_of("ask").await["id"].as_u64().expect("a number");
        self.order(&BuilderOrder::Answer { id, is_building }).await;
    }

    async fn write(&mut self, line: &[u8]) {
        in_time("room for an order", self.orders.write_all(line)).await.expect("the program runs");
    }

    /// Waits for its end.
    pub(super) async fn ended(mut self) -> ExitStatus {
        in_time("the end of the program", self.process.wait()).await.expect("a child of ours")
    }

    /// Closes the connection, as the end of `snaxum dev` does.
    pub(super) async fn abandon(self) -> ExitStatus {
        let Self { mut process, reports, orders, .. } = self;
        drop((reports, orders));
        in_time("the end of the program", process.wait()).await.expect("a child of ours")
    }
}
