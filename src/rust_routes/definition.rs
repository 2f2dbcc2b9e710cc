//! Finds the function of a handler in the sources: by the path of its module, as Rust's own rules name
//! its file.
//!
//! Reads text and understands little of it: where it finds no function, or several, the place is that of
//! the registration. In dev mode only.

use std::fs;
use std::panic::Location;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::message::RouteInfo;

/// The most lines of a handler that are shown.
const MAX_LINES: usize = 400;

/// The place of a handler.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Definition {
    /// Relative to the project if it is inside.
    pub(super) file: String,
    /// 1-based.
    pub(super) line: u32,
    /// 1-based; 0 if it is not known.
    pub(super) end_line: u32,
    /// The documentation comment.
    pub(super) doc: Option<String>,
}

impl Definition {
    /// Finds the function that `handler` names, the name of a type, registered at `place`.
    pub(super) fn find(handler: &str, place: &Location<'_>, project: &Path) -> Self {
        // The compiler writes paths as cargo has started it: from the root of the workspace.
        let registered = project
            .ancestors()
            .map(|directory| directory.join(place.file()))
            .find(|path| path.is_file());
        let found = registered.as_deref().and_then(|path| in_sources(handler, path));
        let (path, line, end_line, doc) = match (found, registered) {
            (Some(found), _) => found,
            (None, Some(path)) => (path, place.line(), 0, None),
            (None, None) => (place.file().into(), place.line(), 0, None),
        };
        let file = path.strip_prefix(project).unwrap_or(&path).display().to_string();
        Self { file, line, end_line, doc }
    }
}

/// The lines of a handler as they are on disk, in the form of Python's; `redact` masks the secrets of one.
pub(crate) fn source(
    route: &RouteInfo,
    project: &Path,
    mut redact: impl FnMut(&str) -> String,
) -> Value {
    let text = fs::read_to_string(project.join(&route.file)).unwrap_or_default();
    let (first, last) = (route.line.max(1), route.end_line.max(route.line));
    let count = (last - first + 1) as usize;
    let lines = text.lines().zip(1_u32..).skip(first as usize - 1).take(count.min(MAX_LINES));
    let lines: Vec<Value> =
        lines.map(|(text, line)| json!({ "line": line, "text": redact(text) })).collect();
    let is_cut = count > MAX_LINES;
    json!({ "file": route.file, "lines": lines, "generation": null, "is_cut": is_cut })
}

type Found = (PathBuf, u32, u32, Option<String>);

fn in_sources(handler: &str, registered: &Path) -> Option<Found> {
    let path = handler.split('<').next()?;
    let mut modules: Vec<&str> = path.split("::").skip(1).collect(); // without the crate
    let name = modules.pop()?;
    // A file that is the root of a crate, beside or above that of the registration.
    let roots = registered.ancestors().skip(1).take(8);
    let files = roots.map(|root| file_of(root, &modules)).find(|files| !files.is_empty())?;
    let found = files.into_iter().flat_map(|file| definitions(&file, name));
    let found: Vec<Found> = found.collect();
    <[Found; 1]>::try_from(found).ok().map(|[only]| only)
}

/// The files of a module, below the directory of the root of its crate.
fn file_of(root: &Path, modules: &[&str]) -> Vec<PathBuf> {
    if !root.join("main.rs").is_file() && !root.join("lib.rs").is_file() {
        return Vec::new();
    }
    let Some((last, parents)) = modules.split_last() else {
        let names = ["main.rs", "lib.rs"];
        return names
            .map(|name| root.join(name))
            .into_iter()
            .filter(|path| path.is_file())
            .collect();
    };
    let directory = parents.iter().fold(root.to_owned(), |path, name| path.join(name));
    let names = [format!("{last}.rs"), format!("{last}/mod.rs")];
    names.map(|name| directory.join(name)).into_iter().filter(|path| path.is_file()).collect()
}

/// The functions of this name in a file.
fn definitions(file: &Path, name: &str) -> Vec<Found> {
    let Ok(text) = fs::read_to_string(file) else { return Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    let is_named = |line: &str| {
        let code = line.trim_start();
        let rest = code.split_once("fn ").filter(|(before, _)| is_qualifier(before));
        rest.and_then(|(_, rest)| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let found = lines.iter().enumerate().filter(|(_, line)| is_named(line));
    found
        .map(|(index, line)| {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = format!("{indent}}}");
            let length = lines[index..].iter().position(|line| *line == end).unwrap_or(0);
            let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
            (file.to_owned(), number(index), number(index + length), doc_above(&lines[..index]))
        })
        .collect()
}

/// Whether only such words are before `fn`.
fn is_qualifier(before: &str) -> bool {
    before.split_whitespace().all(|word| {
        ["async", "const", "unsafe", "extern"].contains(&word)
            || word.starts_with("pub")
            || word.ends_with(')')
            || word.starts_with('"')
    })
}

/// The documentation comment at the end of these lines.
fn doc_above(lines: &[&str]) -> Option<String> {
    let above = lines.iter().rev().map(|line| line.trim());
    let above = above.skip_while(|line| line.starts_with("#["));
    let mut doc: Vec<&str> = above.map_while(|line| line.strip_prefix("///")).collect();
    doc.reverse();
    let doc: Vec<&str> =
        doc.into_iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    (!doc.is_empty()).then(|| doc.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    fn handlers() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(dir.path().join("src/shop")).expect("directories");
        let write = |name: &str, text: &str| {
            fs::write(dir.path().join("src").join(name), text).expect("written");
        };
        write("main.rs", "mod shop;\n\nasync fn hello() -> String {\n    String::new()\n}\n");
        write(
            "shop.rs",
            "pub(crate) mod orders;\nfn twice() {}\nmod tests {\n    fn twice() {}\n}\n",
        );
        let orders = "/// Lists the orders.\n///\n/// All of them.\n#[axum::debug_handler]\npub(in crate::shop) async fn list<T>(\n    _: T,\n) {\n}\n";
        write("shop/orders.rs", orders);
        dir
    }

    #[test]
    fn a_function_is_found_in_the_file_of_its_module() {
        let dir = handlers();
        let main = dir.path().join("src/main.rs");
        assert_eq!(in_sources("a::hello", &main), Some((main.clone(), 3, 5, None)));
        let doc = Some("Lists the orders.\n\nAll of them.".to_owned());
        let orders = dir.path().join("src/shop/orders.rs");
        let list = in_sources("a::shop::orders::list<u8>", &dir.path().join("src/shop.rs"));
        assert_eq!(list, Some((orders, 5, 8, doc)));
    }

    #[test]
    fn the_source_of_a_handler_is_shown_with_masks_and_its_numbers() {
        let dir = handlers();
        let route = json!({
            "v": 1, "id": "r", "methods": ["GET"], "path": "/", "pattern": "/", "params": [], "handler": "a::hello",
            "module": "a", "file": "src/main.rs", "line": 3, "end_line": 5, "doc": null, "pool": false, "async": true,
            "mode": "rust", "language": "rust", "warnings": [], "generation": 1,
        });
        let route = serde_json::from_value(route).expect("the fields of a route");
        let source = source(&route, dir.path(), |line| line.replace("String::new", "•"));
        let lines = json!([
            {"line": 3, "text": "async fn hello() -> String {"},
            {"line": 4, "text": "    •()"},
            {"line": 5, "text": "}"},
        ]);
        assert_eq!((&source["lines"], &source["is_cut"]), (&lines, &json!(false)));
    }

    #[test]
    fn without_exactly_one_function_the_place_is_that_of_the_registration() {
        let dir = handlers();
        let main = dir.path().join("src/main.rs");
        for handler in ["a::shop::twice", "a::missing::f", "a::main::{{closure}}", "f"] {
            assert_eq!(in_sources(handler, &main), None, "{handler}");
        }
        let place = here();
        let found = Definition::find("a::missing::f", place, Path::new(env!("CARGO_MANIFEST_DIR")));
        assert_eq!((&*found.file, found.line), (file!(), place.line()));
    }
}
