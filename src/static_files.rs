//! Static files: responds from the directories that Python modules declare, before the queue.
//!
//! A request whose path names a file gets it; every other request is for Python. Owns no route and
//! runs no Python: the mounts are plain data, replaced as a whole with each generation.

mod location;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, HttpBody, to_bytes};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED,
    LOCATION, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use mime_guess::Mime;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use crate::message::{Head, StaticMount};

use location::{Located, Names, locate};

/// The largest page that dev mode reads into memory, so that the reload script fits into it.
const MAX_PAGE: u64 = 4 * 1024 * 1024;
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
/// The client asks each time, and gets a 304 while the file is the same.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// The mounts of one generation.
#[derive(Debug, PartialEq)]
pub(crate) struct StaticFiles {
    /// The longest prefix first.
    mounts: Vec<Mount>,
    is_dev: bool,
}

#[derive(Debug, PartialEq)]
struct Mount {
    id: String,
    prefix: Vec<String>,
    directory: PathBuf,
    index: String,
    is_spa: bool,
    cache_control: HeaderValue,
}

/// A path below a mount.
#[derive(Debug)]
pub(crate) struct StaticPath<'a> {
    mount: &'a Mount,
    is_dev: bool,
    names: Names<'a>,
    head: &'a Head,
}

impl StaticFiles {
    /// Prepares the mounts; `None` if there are none.
    pub(crate) fn new(mounts: &[StaticMount], is_dev: bool) -> Option<Arc<Self>> {
        if mounts.is_empty() {
            return None;
        }
        let mut mounts: Vec<Mount> = mounts.iter().map(|mount| Mount::new(mount, is_dev)).collect();
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.prefix.len()));
        Some(Arc::new(Self { mounts, is_dev }))
    }

    /// Finds the mount with the longest prefix of the request's path; `None` if no mount has one, or
    /// if no file can have that name.
    pub(crate) fn find<'a>(&'a self, head: &'a Head) -> Option<StaticPath<'a>> {
        let names = Names::parse(head.raw_path())?;
        let mount = self.mounts.iter().find(|mount| mount.contains(&names.names))?;
        let (names, is_directory) =
            (names.names[mount.prefix.len()..].to_vec(), names.is_directory);
        Some(StaticPath { mount, is_dev: self.is_dev, names: Names { names, is_directory }, head })
    }
}

impl Mount {
    fn contains(&self, names: &[Cow<'_, str>]) -> bool {
        names.len() >= self.prefix.len() && self.prefix.iter().zip(names).all(|(a, b)| a == b)
    }

    fn new(mount: &StaticMount, is_dev: bool) -> Self {
        let cache_control = match mount.max_age {
            Some(seconds) if !is_dev => {
                HeaderValue::from_str(&format!("public, max-age={seconds}"))
                    .expect("digits are valid in a header")
            }
            _ => NO_CACHE,
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

impl StaticPath<'_> {
    /// The id of the mount's row in the route table.
    pub(crate) fn route(&self) -> &str {
        &self.mount.id
    }

    /// Responds with the file; `None` if there is none.
    pub(crate) async fn respond(&self) -> Option<Response<Body>> {
        let located = self.locate().await?;
        match self.head.method() {
            "GET" | "HEAD" => {}
            "OPTIONS" => return Some(empty(StatusCode::OK, ALLOW, METHODS)),
            _ => return Some(empty(StatusCode::METHOD_NOT_ALLOWED, ALLOW, METHODS)),
        }
        match located {
            Located::File(path) => {
                let is_named = self.names.names.last().filter(|_| !self.names.is_directory);
                let name = is_named.map_or(Path::new(&self.mount.index), |name| Path::new(&**name));
                self.send(&path, name).await
            }
            Located::DirectoryWithoutSlash => {
                let query = self.head.query();
                let separator = if query.is_empty() { "" } else { "?" };
                let location = format!("{}/{separator}{query}", self.head.raw_path());
                let location = HeaderValue::from_str(&location).ok()?;
                Some(empty(StatusCode::TEMPORARY_REDIRECT, LOCATION, location))
            }
        }
    }

    /// Responds with the index to a path that neither a file nor a route has, if the mount is that of
    /// a single-page app and the client shows the response as a page.
    pub(crate) async fn respond_with_index(&self) -> Option<Response<Body>> {
        let is_read = matches!(self.head.method(), "GET" | "HEAD");
        if !self.mount.is_spa || !is_read || !accepts_html(self.head.headers()) {
            return None;
        }
        let top = StaticPath {
            names: Names { names: Vec::new(), is_directory: true },
            mount: self.mount,
            is_dev: self.is_dev,
            head: self.head,
        };
        match top.locate().await? {
            Located::File(path) => self.send(&path, Path::new(&self.mount.index)).await,
            Located::DirectoryWithoutSlash => None,
        }
    }

    async fn locate(&self) -> Option<Located> {
        let names = self.names.names.iter().map(|name| name.to_string().into()).collect();
        let names = Names { names, is_directory: self.names.is_directory };
        let (directory, index) = (self.mount.directory.clone(), self.mount.index.clone());
        // A disk may be slow, and a tokio thread must not wait for it.
        let located = tokio::task::spawn_blocking(move || locate(&directory, &names, &index));
        located.await.unwrap_or(None)
    }

    /// Sends the file at `path`, whose type is that of `name`.
    async fn send(&self, path: &Path, name: &Path) -> Option<Response<Body>> {
        let mime = content_type(name);
        let is_html = mime.essence_str() == "text/html";
        let mut headers = self.head.headers().clone();
        if is_html && self.is_dev {
            // The reload script is inserted into it: a stored copy would be of an older server.
            for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
                headers.remove(name);
            }
        }
        let file = ServeFile::new_with_mime(path, &mime);
        if let Some(condition) = headers.remove(IF_RANGE)
            && headers.contains_key(RANGE)
            && !has_version(&file, &condition).await
        {
            headers.remove(RANGE);
        }
        let method = Method::from_bytes(self.head.method().as_bytes()).ok()?;
        let mut response = call(file, method, headers).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None; // removed just now
        }
        let caching = if is_html { NO_CACHE } else { self.mount.cache_control.clone() };
        response.headers_mut().insert(CACHE_CONTROL, caching);
        if is_html && self.is_dev {
            response.headers_mut().remove(ETAG);
            response.headers_mut().remove(LAST_MODIFIED);
            return Some(in_memory(response).await);
        }
        Some(response)
    }
}

async fn call(file: ServeFile, method: Method, headers: HeaderMap) -> Response<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let response = file.oneshot(request).await.unwrap_or_else(|never| match never {});
    response.map(Body::new)
}

/// Whether the file is still the version of which a client has a part.
async fn has_version(file: &ServeFile, condition: &HeaderValue) -> bool {
    let now = call(file.clone(), Method::HEAD, HeaderMap::new()).await;
    [ETAG, LAST_MODIFIED].iter().any(|name| now.headers().get(name) == Some(condition))
}

/// Reads a page into memory: only a complete body gets the reload script at its place.
async fn in_memory(response: Response<Body>) -> Response<Body> {
    let length =
        response.headers().get("content-length").and_then(|it| it.to_str().ok()?.parse().ok());
    if length.is_none_or(|length: u64| length > MAX_PAGE) || response.body().is_end_stream() {
        return response;
    }
    let (head, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(page) => Response::from_parts(head, Body::from(page)),
        Err(error) => {
            tracing::error!("cannot read a static file: {error}");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
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

fn empty(status: StatusCode, name: axum::http::HeaderName, value: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins_by_whole_names() {
        let mount = |prefix: &str| StaticMount {
            id: String::new(),
            prefix: prefix.to_owned(),
            directory: format!("/d{prefix}"),
            index: String::new(),
            spa: false,
            max_age: None,
        };
        let files = StaticFiles::new(&["", "/a/b", "/a"].map(mount), false).expect("mounts");
        let directory = |path: &str| {
            let request = Request::get(path).body(()).expect("a request");
            let head = Head::new(request.into_parts().0);
            files.find(&head).map(|found| found.mount.directory.clone())
        };
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
