//! `.snaxum/dev.json`: how tools find a running dev server, and the tokens for it.

use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::Error;
use crate::venv::state_dir;

use super::paths;

/// The file, as long as the server runs.
#[derive(Debug)]
pub struct Announcement {
    path: PathBuf,
    content: String,
}

impl Announcement {
    pub(super) fn write(
        project: &Path,
        address: SocketAddr,
        token: &str,
        mcp_token: Option<&str>,
    ) -> Result<Self, Error> {
        let url = base_url(address);
        let mcp =
            mcp_token.map(|token| json!({ "url": format!("{url}{}", paths::MCP), "token": token }));
        let content = json!({
            "url": url,
            "token": token,
            "mcp": mcp,
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
        })
        .to_string();
        let path = project.join(".snaxum").join("dev.json");
        let write = || -> io::Result<()> {
            state_dir(project)?;
            // Aside and renamed, so that nobody reads half of it; never through a symlink.
            let aside = path.with_extension(format!("json.{}", std::process::id()));
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let _ = fs::remove_file(&aside);
            options.open(&aside)?.write_all(content.as_bytes())?;
            fs::rename(&aside, &path)
        };
        write().map_err(|source| Error::Io {
            what: format!("cannot write `{}`", path.display()),
            source,
        })?;
        Ok(Self { path, content })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Another server of this project may have put its own there since.
        if fs::read_to_string(&self.path).is_ok_and(|found| found == self.content) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The URL by which this machine reaches a server that listens on `address`.
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
    use super::*;

    #[test]
    fn the_file_is_private_and_gone_with_the_server() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let address = "0.0.0.0:81".parse().expect("an address");

        let announcement =
            Announcement::write(dir.path(), address, "abc", Some("def")).expect("written");

        let path = dir.path().join(".snaxum/dev.json");
        let found: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("a file")).expect("JSON");
        assert_eq!(found["url"], "http://127.0.0.1:81");
        assert_eq!(found["token"], "abc");
        let mcp = json!({ "url": "http://127.0.0.1:81/__snaxum/mcp", "token": "def" });
        assert_eq!(found["mcp"], mcp);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let ignore = fs::read_to_string(dir.path().join(".snaxum/.gitignore")).expect("a file");
        assert_eq!(ignore, "*\n");
        drop(announcement);
        assert!(!path.exists());
    }
}
