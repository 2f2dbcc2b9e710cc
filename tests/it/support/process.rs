//! Processes of a server, read from /proc.

use std::fs;
use std::time::Duration;

use super::in_time;

/// A process of the server, distinguished from a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: String,
}

impl Process {
    /// All descendants of `pid`.
    pub(crate) fn below(pid: u32) -> Vec<Self> {
        let all: Vec<(u32, Self)> = fs::read_dir("/proc")
            .expect("a /proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::read)
            .collect();
        let mut found = vec![];
        let mut parents = vec![pid];
        while let Some(parent) = parents.pop() {
            for (_, process) in all.iter().filter(|(above, _)| *above == parent) {
                parents.push(process.pid);
                found.push(process.clone());
            }
        }
        found
    }

    /// The children of `pid`.
    pub(crate) fn children_of(pid: u32) -> Vec<Self> {
        let names = fs::read_dir("/proc").expect("a /proc");
        let pids = names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let children = pids.filter_map(Self::read).filter(|(above, _)| *above == pid);
        children.map(|(_, process)| process).collect()
    }

    /// The process with this id.
    pub(crate) fn of(pid: u32) -> Self {
        Self::read(pid).expect("it runs").1
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid).expect("a pid");
        // SAFETY: sends a signal to a process that a test's own child, or one below it, waits for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "it runs");
    }

    /// Stops it with SIGSTOP, and returns when each of its threads has stopped.
    pub(crate) fn suspend(&self) {
        self.signal(libc::SIGSTOP);
        while !self.is_stopped() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether a signal has stopped all its threads.
    pub(crate) fn is_stopped(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid)).expect("it runs");
        let stats =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
        let state =
            |stat: &str| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"));
        stats.collect::<Vec<_>>().iter().all(|stat| state(stat))
    }

    /// The parent and the process; `None` for one that has ended.
    fn read(pid: u32) -> Option<(u32, Self)> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Its first thread may have ended before the others, which have its files open still.
        let has_threads = fields[17].parse::<u32>().ok()? > 1;
        let ended = matches!(fields[0], "Z" | "X") && !has_threads;
        let process = Self { pid, started: fields[19].to_owned() };
        (!ended).then_some((fields[1].parse().ok()?, process))
    }

    pub(crate) fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|(_, found)| found == *self)
    }

    /// Waits until it has exited.
    pub(crate) async fn is_gone(&self) {
        let what = format!("the end of process {}", self.pid);
        polled(&what, || (!self.is_alive()).then_some(())).await;
    }

    /// The children of `pid`, once there are `count`: others may be about to end.
    pub(crate) async fn children_once(pid: u32, count: usize) -> Vec<Self> {
        let children = || Some(Self::children_of(pid)).filter(|found| found.len() == count);
        polled(&format!("{count} children of process {pid}"), children).await
    }
}

/// Waits for a value. The only place that polls: no event reports another's child.
async fn polled<T>(what: &str, value: impl Fn() -> Option<T>) -> T {
    in_time(what, async {
        loop {
            match value() {
                Some(value) => return value,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await
}

/// The started process and its descendants. Dropping it kills the rest of them.
pub(super) struct ProcessGroup(u32);

impl ProcessGroup {
    /// That of the leader `pid`.
    pub(super) fn of(pid: u32) -> Self {
        Self(pid)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.0) {
            // SAFETY: sends a signal to the group that our own child was made the leader of.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
    }
}
