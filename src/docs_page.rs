//! The page that documents the API of the user's handlers, and its files, embedded in the binary.
//!
//! Reads nothing from disk: the browser loads the OpenAPI document from the server. Python responds
//! with page and files (`_openapi/pages.py`), after the gate, as every route does.

use std::borrow::Cow;

use minijinja::context;
use rust_embed::Embed;

use crate::templates;

#[derive(Embed)]
#[folder = "templates/docs"]
#[include = "*.js"]
#[include = "*.css"]
struct DocsAssets;

/// The form that sends requests, which the console has too, with what it imports, and their style.
#[derive(Embed)]
#[folder = "templates/console"]
#[include = "try-it/*.js"]
#[include = "try-it/*.css"]
#[include = "vendor/preact-htm.js"]
#[include = "components/format.js"]
#[include = "components/facts.css"]
#[include = "page/base.css"]
#[include = "page/colors.css"]
#[include = "page/theme.css"]
struct FormAssets;

/// Renders the page, with the URLs of the OpenAPI document, of the files, and of the path `/`.
pub(crate) fn page(title: &str, document: &str, assets: &str, root: &str) -> String {
    templates::render("docs/docs.html", context! { title, document, assets, root })
}

/// Returns the content type and the bytes of a file by its name.
pub(crate) fn asset(name: &str) -> Option<(&'static str, Cow<'static, [u8]>)> {
    // A name in the embedded list, never a path on disk.
    let file = match DocsAssets::iter().find(|known| *known == name) {
        Some(name) => DocsAssets::get(&name),
        None => {
            FormAssets::iter().find(|known| *known == name).and_then(|name| FormAssets::get(&name))
        }
    };
    let content_type = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    Some((content_type, file?.data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_files_that_exist_and_escapes_the_title() {
        let page = page("<b>", "/openapi.json", "docs", ".");
        assert!(page.contains("&lt;b&gt;"), "{page}");
        let named = page.split("\"docs/").skip(1).filter_map(|rest| rest.split('"').next());
        let named: Vec<&str> = named.collect();
        assert_eq!(named.len(), 8, "{page}");
        for name in named {
            assert!(asset(name).is_some(), "{name}");
        }
        assert!(asset("try-it/form.js").is_some() && asset("vendor/preact-htm.js").is_some());
        assert!(asset("../console/server/api.js").is_none() && asset("server/api.js").is_none());
    }
}
