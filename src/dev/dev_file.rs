//! `.snaxum/dev.json`, where tools find the URL and the tokens of a running dev server. The file of
//! another server that is running is put back at the end; its content is never used.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use rustix::process::Pid;
use serde_json::json;

use crate::error::Error;
use crate::state_dir::StateDir;

use super::paths;

const NAME: &str = "dev.json";

/// The file. Dropping it removes it.
#[derive(Debug)]
pub struct DevFile(#[expect(dead_code, reason = "it is only dropped")] Option<WrittenDevFile>);

#[derive(Debug)]
struct WrittenDevFile {
    state: StateDir,
    content: String,
    replaced: Option<ReplacedFile>,
}

/// The file of another server of the project, which was running before this one.
#[derive(Debug)]
struct ReplacedFile {
    content: Vec<u8>,
    pid: Pid,
}

impl ReplacedFile {
    /// Reads the file, if its server is running and is not the supervisor `own`.
    fn read(state: &StateDir, own: u32) -> Option<Self> {
        let content = state.read(NAME).ok()?;
        let described: serde_json::Value = serde_json::from_slice(&content).ok()?;
        let pid = described["pid"].as_u64().filter(|pid| *pid != u64::from(own))?;
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self { content, pid }).filter(Self::is_running)
    }

    fn is_running(&self) -> bool {
        rustix::process::test_kill_process(self.pid).is_ok()
    }
}

impl DevFile {
    /// Writes the file of a server at `address`. `pid` is the process to signal, `python_pid` the process
    /// that runs Python. A file of the same `pid` is replaced.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(
        project: &Path,
        address: SocketAddr,
        token: &str,
        mcp_token: Option<&str>,
        (pid, python_pid): (u32, u32),
    ) -> Result<Self, Error> {
        let url = base_url(address);
        let mcp =
            mcp_token.map(|token| json!({ "url": format!("{url}{}", paths::MCP), "token": token }));
        let content = json!({
            "url": url,
            "token": token,
            "mcp": mcp,
            "pid": pid,
            // `snaxum dev` starts this one again after a crash.
            "python_pid": python_pid,
            "version": env!("CARGO_PKG_VERSION"),
        })
        .to_string();
        let write = || -> io::Result<(StateDir, Option<ReplacedFile>)> {
            let state = StateDir::create(project)?;
            let replaced = ReplacedFile::read(&state, pid);
            replace(&state, content.as_bytes())?;
            Ok((state, replaced))
        };
        let (state, replaced) = write().map_err(Error::io(format!(
            "cannot write `{}`",
            project.join(".snaxum").join(NAME).display()
        )))?;
        if let Some(other) = &replaced {
            tracing::warn!(
                "process {} is a dev server of this project, too: commands such as `snaxum wait` reach \
                 this one until it stops",
                other.pid
            );
        }
        Ok(Self(Some(WrittenDevFile { state, content, replaced })))
    }

    /// Stands for the file of another process: nothing is written or removed.
    pub(super) fn of_another_process() -> Self {
        Self(None)
    }
}

/// Writes the file aside and renames it: no reader sees half of it.
fn replace(state: &StateDir, content: &[u8]) -> io::Result<()> {
    let aside = format!("{NAME}.{}", std::process::id());
    let _ = state.remove(&aside);
    state.create_new(&aside)?.write_all(content)?;
    state.rename(&aside, NAME).inspect_err(|_| drop(state.remove(&aside)))
}

impl Drop for WrittenDevFile {
    fn drop(&mut self) {
        // Another server of this project may have replaced it.
        if self.state.read(NAME).is_ok_and(|found| found == self.content.as_bytes()) {
            let _ = match self.replaced.as_ref().filter(|other| other.is_running()) {
                Some(other) => replace(&self.state, &other.content),
                None => self.state.remove(NAME),
            };
        }
    }
}

/// Removes the file of the server `pid`, whose process could not do so.
pub fn remove_dev_file(project: &Path, pid: u32) {
    let Ok(state) = StateDir::create(project) else { return };
    let Ok(content) = state.read(NAME) else { return };
    let content: serde_json::Value = serde_json::from_slice(&content).unwrap_or_default();
    if content["pid"] == pid {
        let _ = state.remove(NAME);
    }
}

/// Returns the URL at which this machine reaches a server that listens on `address`.
pub fn base_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_file_is_private_and_is_removed_with_the_server() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let address = "0.0.0.0:81".parse().expect("an address");

        let file =
            DevFile::write(dir.path(), address, "abc", Some("def"), (1, 2)).expect("written");

        let path = dir.path().join(".snaxum/dev.json");
        let content: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
        assert_eq!(content["url"], "http://127.0.0.1:81");
        assert_eq!(content["token"], "abc");
        let mcp = json!({ "url": "http://127.0.0.1:81/__snaxum/mcp", "token": "def" });
        assert_eq!(content["mcp"], mcp);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let ignore = fs::read_to_string(dir.path().join(".snaxum/.gitignore")).expect("a file");
        assert_eq!(ignore, "*\n");
        remove_dev_file(dir.path(), 2);
        assert!(path.exists(), "it is the file of another server");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn the_file_of_a_server_that_is_still_running_comes_back() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let address = "127.0.0.1:81".parse().expect("an address");
        let write = |token, pid| DevFile::write(dir.path(), address, token, None, (pid, 2));
        let read = || fs::read_to_string(dir.path().join(".snaxum/dev.json")).unwrap_or_default();

        let first = write("first", std::process::id()).expect("written");
        let second = write("second", 1 << 30).expect("written");
        assert!(read().contains("second"));
        drop(second);
        assert!(read().contains("first"));
        let _second = write("second", 1 << 30).expect("written");
        let third = write("third", std::process::id()).expect("written");
        drop(third);
        assert_eq!(read(), "", "no process has the id of the second one");
        drop(first);
    }
}
