//! Static files: responds from the directories that Python modules declare, before the queue.
//!
//! A request whose path names a file gets it; every other request is for Python. Owns no route and
//! runs no Python: the mounts are plain data, replaced as a whole with each generation.
//! tower-http's `ServeDir` is a service for one directory that is known at the start; here they change
//! with each save, files that a handler returns get the same response, and the console lists both.

mod location;

#[cfg(any(test, fuzzing))]
pub use location::fuzz_path;

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION,
};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use mime_guess::Mime;

use crate::file_response;
use crate::message::{ErrorResponse, HandlerOutcome, Head, ResponseBody, StaticMount};

use location::{Located, Names, locate};

/// The largest page that dev mode reads into memory, so that the reload script fits into it.
const MAX_PAGE: u64 = 4 * 1024 * 1024;
const METHODS: &str = "GET, HEAD, OPTIONS";
/// The client asks each time, and gets a 304 while the file is the same.
const NO_CACHE: &str = "no-cache";

/// The mounts of one generation.
#[derive(Debug, PartialEq)]
pub(crate) struct StaticFiles {
    /// The longest prefix first.
    mounts: Vec<Arc<Mount>>,
    is_dev: bool,
}

#[derive(Debug, PartialEq)]
struct Mount {
    id: String,
    prefix: Vec<String>,
    directory: PathBuf,
    index: String,
    is_spa: bool,
    cache_control: String,
}

/// A path below a mount.
#[derive(Clone, Debug)]
pub(crate) struct StaticPath {
    mount: Arc<Mount>,
    is_dev: bool,
    names: Names<'static>,
    head: Head,
}

impl StaticFiles {
    /// Prepares the mounts; `None` if there are none.
    pub(crate) fn new(mounts: &[StaticMount], is_dev: bool) -> Option<Arc<Self>> {
        if mounts.is_empty() {
            return None;
        }
        let mut mounts: Vec<_> =
            mounts.iter().map(|mount| Arc::new(Mount::new(mount, is_dev))).collect();
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.prefix.len()));
        Some(Arc::new(Self { mounts, is_dev }))
    }

    /// Finds the mount with the longest prefix of the request's path; `None` if no mount has one, or
    /// if no file can have that name.
    pub(crate) fn find(&self, head: &Head) -> Option<StaticPath> {
        let names = Names::parse(head.raw_path())?;
        let mount = self.mounts.iter().find(|mount| mount.contains(&names.names))?;
        let below = names.names[mount.prefix.len()..].iter();
        let below = below.map(|name| Cow::Owned(name.to_string())).collect();
        Some(StaticPath {
            mount: Arc::clone(mount),
            is_dev: self.is_dev,
            names: Names { names: below, is_directory: names.is_directory },
            head: head.clone(),
        })
    }
}

impl Mount {
    fn contains(&self, names: &[Cow<'_, str>]) -> bool {
        names.len() >= self.prefix.len() && self.prefix.iter().zip(names).all(|(a, b)| a == b)
    }

    fn new(mount: &StaticMount, is_dev: bool) -> Self {
        let cache_control = match mount.max_age {
            Some(seconds) if !is_dev => format!("public, max-age={seconds}"),
            _ => NO_CACHE.to_owned(),
        };
        let prefix = mount.prefix.split('/').filter(|name| !name.is_empty());
        Self {
            id: mount.id.clone(),
            prefix: prefix.map(str::to_owned).collect(),
            directory: PathBuf::from(&mount.directory),
            index: mount.index.clone(),
            is_spa: mount.spa,
            cache_control,
        }
    }
}

impl StaticPath {
    /// The id of the mount's row in the route table.
    pub(crate) fn route(&self) -> &str {
        &self.mount.id
    }

    /// Responds with the file; `None` if there is none, or if the method is not for files.
    pub(crate) async fn respond(&self) -> Option<HandlerOutcome> {
        if !self.is_read() {
            return None;
        }
        self.run(|path| match path.locate()? {
            Located::File(file) => {
                let is_named = path.names.names.last().filter(|_| !path.names.is_directory);
                let name = is_named.map_or(&*path.mount.index, |name| &**name);
                path.send(&file, name)
            }
            Located::DirectoryWithoutSlash => {
                let (path, query) = (path.head.raw_path(), path.head.query());
                let separator = if query.is_empty() { "" } else { "?" };
                Some(empty(307, &LOCATION, format!("{path}/{separator}{query}")))
            }
        })
        .await
    }

    /// Responds to a request for which Python has no route, by something else than the file itself:
    /// to another method on a file, and to a page of a single-page app.
    pub(crate) async fn respond_without_route(&self) -> Option<HandlerOutcome> {
        if !self.is_read() {
            let status = if self.head.method() == "OPTIONS" { 200 } else { 405 };
            let refusal =
                move |path: &Self| path.locate().map(|_| empty(status, &ALLOW, METHODS.to_owned()));
            return self.run(refusal).await;
        }
        if !self.mount.is_spa || !accepts_html(self.head.headers()) {
            return None;
        }
        let names = Names { names: Vec::new(), is_directory: true };
        let top = Self { names, ..self.clone() };
        top.run(|top| match top.locate()? {
            Located::File(file) => top.send(&file, &top.mount.index),
            Located::DirectoryWithoutSlash => None,
        })
        .await
    }

    fn is_read(&self) -> bool {
        matches!(self.head.method(), "GET" | "HEAD")
    }

    /// Calls `respond` on a thread that may block: a disk may be slow, and a tokio thread must not wait
    /// for it.
    async fn run(
        &self,
        respond: impl FnOnce(&Self) -> Option<HandlerOutcome> + Send + 'static,
    ) -> Option<HandlerOutcome> {
        let path = self.clone();
        tokio::task::spawn_blocking(move || respond(&path)).await.unwrap_or_else(|error| {
            tracing::error!("{}: {error}", self.mount.id);
            let detail = "internal error: the file was not sent; see the log".to_owned();
            Some(HandlerOutcome::Failure(ErrorResponse {
                status: 500,
                detail,
                ..ErrorResponse::default()
            }))
        })
    }

    fn locate(&self) -> Option<Located> {
        locate(&self.mount.directory, &self.names, &self.mount.index)
    }

    /// Sends the file at `path`, whose type is that of `name`.
    fn send(&self, path: &Path, name: &str) -> Option<HandlerOutcome> {
        let mime = content_type(Path::new(name));
        let is_html = mime.essence_str() == "text/html";
        let caching = if is_html { NO_CACHE } else { &self.mount.cache_control };
        let headers = vec![
            (CONTENT_TYPE.as_str().to_owned(), mime.to_string()),
            (CACHE_CONTROL.as_str().to_owned(), caching.to_owned()),
        ];
        let method = self.head.method();
        let sent = match is_html && self.is_dev {
            // The reload script is inserted into it: a stored copy would be of an older server.
            true => file_response::respond(path, 200, headers, method, &HeaderMap::new())
                .and_then(without_version),
            false => file_response::respond(path, 200, headers, method, self.head.headers()),
        };
        match sent {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!("cannot read the static file {}: {error}", path.display());
                }
                None
            }
        }
    }
}

/// Removes the version of a page, which has no ranges, and reads it into memory: only a complete body
/// gets the reload script at its place. Blocks.
fn without_version(outcome: HandlerOutcome) -> io::Result<HandlerOutcome> {
    let HandlerOutcome::Response { status, content_type, mut headers, body } = outcome else {
        return Ok(outcome);
    };
    let about_version = [ETAG, LAST_MODIFIED, ACCEPT_RANGES];
    headers.retain(|(name, _)| about_version.iter().all(|it| it.as_str() != name));
    let body = match body {
        ResponseBody::File(file) if file.size() <= MAX_PAGE => ResponseBody::Full(file.read_all()?),
        body => body,
    };
    Ok(HandlerOutcome::Response { status, content_type, headers, body })
}

/// Guesses the type by the extension; text is UTF-8.
fn content_type(name: &Path) -> Mime {
    let mime = mime_guess::from_path(name).first_or_octet_stream();
    let is_text = mime.type_() == mime_guess::mime::TEXT || mime.subtype() == "javascript";
    if !is_text || mime.get_param("charset").is_some() {
        return mime;
    }
    format!("{mime}; charset=utf-8").parse().unwrap_or(mime)
}

/// Whether the client names HTML, as browsers do for pages; most programs accept anything.
fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all("accept").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        is_html && !parts.any(|part| part == "q=0")
    })
}

fn empty(status: u16, name: &HeaderName, value: String) -> HandlerOutcome {
    let headers = vec![(name.as_str().to_owned(), value)];
    let body = ResponseBody::Full(Bytes::new());
    HandlerOutcome::Response { status, content_type: None, headers, body }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn mount(prefix: &str) -> StaticMount {
        StaticMount {
            id: String::new(),
            prefix: prefix.to_owned(),
            directory: format!("/d{prefix}"),
            index: String::new(),
            spa: false,
            max_age: None,
        }
    }

    fn head(path: &str) -> Head {
        Head::new(Request::get(path).body(()).expect("a request").into_parts().0)
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_not_a_missing_file() {
        let files = StaticFiles::new(&[mount("/a")], false).expect("a mount");
        let path = files.find(&head("/a/b")).expect("the mount has it");
        let outcome = path.run(|_| panic!("a bug")).await;
        assert!(matches!(
            outcome,
            Some(HandlerOutcome::Failure(ErrorResponse { status: 500, .. }))
        ));
    }

    #[test]
    fn the_longest_prefix_wins_by_whole_names() {
        let files = StaticFiles::new(&["", "/a/b", "/a"].map(mount), false).expect("mounts");
        let directory =
            |path: &str| files.find(&head(path)).map(|found| found.mount.directory.clone());
        assert_eq!(directory("/a/b/x"), Some("/d/a/b".into()));
        assert_eq!(directory("/a/bc"), Some("/d/a".into()));
        assert_eq!(directory("/%61/x"), Some("/d/a".into()));
        assert_eq!(directory("/ab"), Some("/d".into()));
        assert_eq!(directory("/a/../b"), None);
        assert_eq!(StaticFiles::new(&[], false), None);
    }

    #[test]
    fn text_has_a_charset() {
        let shown = |name: &str| content_type(Path::new(name)).to_string();
        assert_eq!(shown("a.html"), "text/html; charset=utf-8");
        assert_eq!(shown("a.js"), "text/javascript; charset=utf-8");
        assert_eq!(shown("a.png"), "image/png");
        assert_eq!(shown("a.unknown"), "application/octet-stream");
    }
}
