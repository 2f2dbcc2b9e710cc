//! Finds the file of a path: the names in a URL, and the place below a directory.
//!
//! Admits no spelling and no link that leaves the directory, and no hidden file.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

/// The one hidden directory that is public by definition (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// The path of a URL as names of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names<'a> {
    pub(super) names: Vec<Cow<'a, str>>,
    /// Whether the path ends with a slash.
    pub(super) is_directory: bool,
}

impl<'a> Names<'a> {
    /// Splits the path as it was sent; `None` if one of its names cannot be that of a public file.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(Self { names: Vec::new(), is_directory: true });
        }
        let inner = path.strip_suffix('/');
        // Decoded once: `%252e` is a name with a percent sign in it.
        let decode = |name| percent_decode_str(name).decode_utf8().ok().filter(|it| is_public(it));
        let names = inner.unwrap_or(path).split('/').map(decode).collect::<Option<_>>()?;
        Some(Self { names, is_directory: inner.is_some() })
    }
}

/// Whether a file of this name may be served. No name is empty, `.` or `..`, or has a separator.
fn is_public(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['/', '\\', '\0'])
        && (!name.starts_with('.') || name == WELL_KNOWN)
}

/// The meaning of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Located {
    /// A file, with all links resolved.
    File(PathBuf),
    /// A directory with an index, named without a slash at the end.
    DirectoryWithoutSlash,
}

/// Finds the file of `names` below `directory`; `index` stands for a directory. Blocks.
pub(super) fn locate(directory: &Path, names: &Names<'_>, index: &str) -> Option<Located> {
    let root = directory.canonicalize().ok()?;
    let mut path = root.clone();
    path.extend(names.names.iter().map(|name| &**name));
    let path = contained(&root, &path)?;
    let kind = fs::metadata(&path).ok()?;
    if kind.is_file() {
        return (!names.is_directory).then_some(Located::File(path));
    }
    if !kind.is_dir() || index.is_empty() {
        return None;
    }
    let index = contained(&root, &path.join(index))?;
    fs::metadata(&index).ok().filter(fs::Metadata::is_file)?;
    match names.is_directory {
        true => Some(Located::File(index)),
        false => Some(Located::DirectoryWithoutSlash),
    }
}

/// Resolves all links; `None` if the path is not below `root`, or hidden there.
fn contained(root: &Path, path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let inside = path.strip_prefix(root).ok()?;
    let mut names = inside.iter().map(|name| name.to_str());
    names.all(|name| name.is_some_and(is_public)).then_some(path)
}

/// Checks a path as it was sent: each name is that of one public file, in whatever spelling; and a
/// streamed route is found by each start of the decoded path.
#[cfg(any(test, fuzzing))]
pub fn fuzz_path(path: &str) {
    use crate::message::{Head, StreamedRoute};
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use std::path::Component;

    if let Some(found) = Names::parse(path) {
        for name in &found.names {
            let mut parts = Path::new(&**name).components();
            let is_one = matches!(parts.next(), Some(Component::Normal(part)) if part == &**name);
            assert!(is_one && parts.next().is_none(), "{name:?}");
            assert!(!name.starts_with('.') || name == WELL_KNOWN, "{name:?}");
        }
        let names = found.names.iter();
        let mut spelled: String =
            names.map(|name| format!("/{}", utf8_percent_encode(name, NON_ALPHANUMERIC))).collect();
        if found.is_directory {
            spelled.push('/');
        }
        assert_eq!(Names::parse(&spelled), Some(found), "{spelled}");
    }
    let Ok(request) = axum::http::Request::get(path).body(()) else { return };
    let head = Head::new(request.into_parts().0);
    let decoded = head.path();
    for (end, _) in decoded.char_indices() {
        let (methods, prefix) = (vec!["GET".to_owned()], decoded[..end].to_owned());
        let route = StreamedRoute { methods, prefix };
        assert!(
            route.may_match("GET", &decoded) && !route.may_match("POST", &decoded),
            "{route:?}"
        );
    }
    assert_eq!(decoded.contains('\u{fffd}'), !decodes(head.raw_path()), "{decoded}");
}

/// Whether a path is UTF-8 that has no replacement character of its own.
#[cfg(any(test, fuzzing))]
fn decodes(path: &str) -> bool {
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    String::from_utf8(bytes).is_ok_and(|text| !text.contains('\u{fffd}'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn fuzz_path() {
        const WORDS: [&str; 18] = [
            "/",
            "//",
            ".",
            "..",
            "%2e",
            "%2F",
            "%5c",
            "\\",
            "%00",
            "%",
            "%C3%A9",
            "%FF",
            "é",
            ".well-known",
            "a",
            "?",
            "#",
            "%252e",
        ];
        crate::fuzz::check("path", &WORDS, super::fuzz_path);
    }

    #[test]
    fn no_spelling_of_a_path_leaves_its_directory_or_names_a_hidden_file() {
        for path in [
            "",
            "a",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/../a",
            "/a/..",
            "/a/../b",
            "/./a",
            "/%2e%2e/a",
            "/%2E%2e/a",
            "/.%2e/a",
            "/%2e/a",
            "/a%2fb",
            "/a%2Fb",
            "/..%2fa",
            "/%2f",
            "/a\\b",
            "/..\\a",
            "/%5c..%5ca",
            "/a%5cb",
            "/a%00",
            "/%00/a",
            "/.env",
            "/%2eenv",
            "/.git/config",
            "/a/.hidden/b",
            "/%ff",
            "/%c0%ae%c0%ae/a",
            "/.well-known2/a",
        ] {
            assert_eq!(Names::parse(path), None, "{path}");
        }
        let parse =
            |path| Names::parse(path).map(|found| (found.names.join("|"), found.is_directory));
        for (path, names, is_directory) in [
            ("/", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("/a%20b/c.css", "a b|c.css", false),
            ("/%252e%252e/a", "%2e%2e|a", false),
            ("/a..b", "a..b", false),
            ("/.well-known/x", ".well-known|x", false),
            ("/%C3%A9", "é", false),
        ] {
            assert_eq!(parse(path), Some((names.to_owned(), is_directory)), "{path}");
        }
    }

    #[test]
    fn links_lead_only_to_public_files_of_the_directory() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("public/deep")).expect("directories");
        fs::create_dir(path("public/.git")).expect("a directory");
        for name in
            ["secret", "public/a", "public/deep/b", "public/.git/c", "public/deep/index.html"]
        {
            fs::write(path(name), name).expect("written");
        }
        for (target, name) in [
            ("../secret", "out"),
            ("..", "up"),
            ("/", "root"),
            ("deep/b", "in"),
            (".git/c", "hidden"),
            ("circle", "circle"),
            ("nowhere", "broken"),
        ] {
            symlink(target, path("public").join(name)).expect("a link");
        }
        symlink("public", path("linked")).expect("a link");
        let find = |root: &str, name: &str, index| {
            let names = Names::parse(name).expect("a valid path");
            locate(&path(root), &names, index)
        };

        for name in
            ["/out", "/up/secret", "/root/etc/passwd", "/hidden", "/circle", "/broken", "/no"]
        {
            assert_eq!(find("public", name, "index.html"), None, "{name}");
        }
        let file = |name: &str| Some(Located::File(path(name).canonicalize().expect("it exists")));
        assert_eq!(find("public", "/in", ""), file("public/deep/b"));
        assert_eq!(
            find("linked", "/a", ""),
            file("public/a"),
            "the directory may be a link itself"
        );
        assert_eq!(find("public", "/a/", ""), None);
        assert_eq!(find("public", "/deep/", ""), None);
        assert_eq!(find("public", "/deep/", "index.html"), file("public/deep/index.html"));
        assert_eq!(find("public", "/deep", "index.html"), Some(Located::DirectoryWithoutSlash));
        assert_eq!(find("gone", "/a", ""), None);
    }
}
