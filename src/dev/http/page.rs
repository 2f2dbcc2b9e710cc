//! The console's page and its assets, all embedded in the binary.
//!
//! Reads nothing from disk and nothing about the app: the page loads its data from the API.

use axum::extract::Path;
use axum::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use minijinja::context;
use rust_embed::{Embed, EmbeddedFile};

use super::not_found::not_found;
use crate::dev::paths::PREFIX;
use crate::dev::token;
use crate::templates;

/// The module that the page starts.
const ENTRY: &str = "console.js";
/// The script of the user's pages, which the console does not have.
const LIVE_SCRIPT: &str = "live.js";

#[derive(Embed)]
#[folder = "templates/console"]
#[include = "*.js"]
#[include = "*.css"]
#[include = "*.svg"]
#[include = "vendor/*.js.gz"]
struct ConsoleAssets;

pub(super) async fn page(headers: HeaderMap) -> Response {
    let nonce = token::random_text(16);
    // A second nonce: a rendered response gets it (preview.js), and it must admit no script.
    let style_nonce = token::random_text(16);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{style_nonce}'; \
         img-src data:; connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types snaxum-preview"
    );
    let version = env!("CARGO_PKG_VERSION");
    let modules = modules_of(ENTRY);
    let page = templates::render(
        "console/console.html",
        context! { nonce, style_nonce, version, modules, base => PREFIX },
    );
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (CONTENT_SECURITY_POLICY, policy)];
    (headers, page).into_response()
}

/// Returns a module and its imports, direct or not, each once. A browser learns of each from its
/// importer, one after the other, unless the page lists them. Modules that are loaded later, by
/// `import(…)`, are not in the list.
fn modules_of(entry: &str) -> Vec<String> {
    let mut found = vec![entry.to_owned()];
    let mut next = 0;
    while let Some(name) = found.get(next).cloned() {
        let file = embedded(&name).map(|file| file.data).unwrap_or_default();
        for import in imports(&name, &String::from_utf8_lossy(&file)) {
            if !found.contains(&import) {
                found.push(import);
            }
        }
        next += 1;
    }
    found
}

/// Returns the names of the modules that the text of one imports. A statement has one line.
fn imports(name: &str, text: &str) -> Vec<String> {
    let folder: Vec<&str> = name.split('/').rev().skip(1).collect();
    let from = |line: &str| {
        let path = line.strip_prefix("import {")?.split_once("} from \"")?.1.split_once('"')?.0;
        let mut parts: Vec<&str> = folder.iter().rev().copied().collect();
        for part in path.split('/') {
            match part {
                "." => {}
                ".." => {
                    parts.pop();
                }
                _ => parts.push(part),
            }
        }
        Some(parts.join("/"))
    };
    text.lines().filter_map(from).collect()
}

/// Serves the script that dev mode adds to pages of the app.
pub(super) async fn live_script() -> Response {
    asset(Path(LIVE_SCRIPT.to_owned())).await
}

/// The folders and files of the console that pages of the app may load: they show an error.
const LIVE: [&str; 6] = [
    "components/",
    "errors/",
    "vendor/preact-htm.js",
    "page/base.css",
    "page/colors.css",
    "page/theme.css",
];

/// Serves a module that shows an error in a page of the app.
pub(super) async fn live_asset(path: Path<String>) -> Response {
    if LIVE.iter().any(|start| path.starts_with(start)) {
        return asset(path).await;
    }
    not_found().await
}

pub(super) async fn asset(Path(path): Path<String>) -> Response {
    // Each browser reads gzip, and no file but a module is compressed.
    let compressed = embedded(&format!("{path}.gz"));
    let is_compressed = compressed.is_some();
    let file = compressed.or_else(|| embedded(&path).filter(|_| !path.ends_with(".gz")));
    let Some(file) = file else { return not_found().await };
    let content_type = match path.rsplit_once('.') {
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    };
    let mut response = ([(CONTENT_TYPE, content_type)], file.data).into_response();
    if is_compressed {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Returns a file by its name in the embedded list, which is never a path on disk.
fn embedded(path: &str) -> Option<EmbeddedFile> {
    let name = ConsoleAssets::iter().find(|name| *name == path)?;
    ConsoleAssets::get(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_each_module_that_its_first_screen_imports() {
        let names = modules_of(ENTRY);
        let texts: Vec<String> = names
            .iter()
            .map(|name| {
                let file = embedded(name).expect("an asset").data;
                String::from_utf8_lossy(&file).into_owned()
            })
            .collect();
        for (name, text) in names.iter().zip(&texts) {
            let statements = text.lines().filter(|line| line.starts_with("import ")).count();
            assert_eq!(imports(name, text).len(), statements, "{name}: one line for each import");
        }
        for expected in ["page/layout.js", "vendor/preact-htm.js", "errors/traceback.js"] {
            assert!(names.iter().any(|name| name == expected), "{expected} in {names:?}");
        }
        for later in ["requests/requests.js", "live.js", "errors/overlay.js"] {
            assert!(!names.iter().any(|name| name == later), "{later} in {names:?}");
        }
    }
}
