//! `.snaxum/dev.json`, where tools find the URL and the tokens of a running dev server. Never reads
//! the file of another server, except to leave it in place.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::json;

use crate::error::Error;
use crate::state_dir::StateDir;

use super::paths;

const NAME: &str = "dev.json";

/// The file. Dropping it removes it.
#[derive(Debug)]
pub struct DevFile {
    state: StateDir,
    content: String,
}

impl DevFile {
    pub(super) fn write(
        project: &Path,
        address: SocketAddr,
        token: &str,
        mcp_token: Option<&str>,
        pid: u32,
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
            "python_pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        })
        .to_string();
        let write = || -> io::Result<StateDir> {
            let state = StateDir::create(project)?;
            // Written aside and renamed: no reader sees half of it.
            let aside = format!("{NAME}.{}", std::process::id());
            let _ = state.remove(&aside);
            state.create_new(&aside)?.write_all(content.as_bytes())?;
            state.rename(&aside, NAME).inspect_err(|_| drop(state.remove(&aside)))?;
            Ok(state)
        };
        let state = write().map_err(Error::io(format!(
            "cannot write `{}`",
            project.join(".snaxum").join(NAME).display()
        )))?;
        Ok(Self { state, content })
    }
}

impl Drop for DevFile {
    fn drop(&mut self) {
        // Another server of this project may have replaced it.
        if self.state.read(NAME).is_ok_and(|found| found == self.content.as_bytes()) {
            let _ = self.state.remove(NAME);
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
pub(super) fn base_url(address: SocketAddr) -> String {
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

        let file = DevFile::write(dir.path(), address, "abc", Some("def"), 1).expect("written");

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
}
