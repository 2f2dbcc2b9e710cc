//! Editors: the URL with which a page opens a file of the project, and the command line with which
//! the server does.
//!
//! Starts nothing, and checks no path: `http/open_editor.rs` does.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// The characters that stay unencoded in a path.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Opens places in the code: with links in the page, or with a program that the server starts.
///
/// Parsed from `cursor://`, which makes links, or from `cursor`, the name or path of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editor {
    known: &'static KnownEditor,
    /// The program that the server starts.
    program: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct KnownEditor {
    name: &'static str,
    /// Other names of the program.
    aliases: &'static [&'static str],
    /// Its scheme, and the form of its URLs.
    link: Option<(&'static str, UrlForm)>,
    arguments: Arguments,
}

/// The part of a URL that names a file and a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UrlForm {
    /// `file/PATH:LINE`
    Path,
    /// `open?file=PATH&line=LINE`
    File,
    /// `open?url=file:///PATH&line=LINE`
    Url,
}

/// The part of a command line that does. A path is absolute, so it is never read as an option; `--`
/// comes first where a program supports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    /// `--goto PATH:LINE`
    Goto,
    /// `PATH:LINE`
    Joined,
    /// `-- PATH:LINE`
    JoinedAfterDashes,
    /// `--line LINE PATH`
    LineOption,
    /// `--line LINE -- PATH`
    LineOptionAndDashes,
    /// `--no-wait -- +LINE PATH`
    Plus,
}

const fn known(
    name: &'static str,
    aliases: &'static [&'static str],
    scheme: Option<(&'static str, UrlForm)>,
    arguments: Arguments,
) -> KnownEditor {
    KnownEditor { name, aliases, link: scheme, arguments }
}

/// The known editors, the default first.
static KNOWN: [KnownEditor; 15] = [
    known("code", &[], Some(("vscode", UrlForm::Path)), Arguments::Goto),
    known("code-insiders", &[], Some(("vscode-insiders", UrlForm::Path)), Arguments::Goto),
    known("codium", &["vscodium"], Some(("vscodium", UrlForm::Path)), Arguments::Goto),
    known("cursor", &[], Some(("cursor", UrlForm::Path)), Arguments::Goto),
    known("windsurf", &[], Some(("windsurf", UrlForm::Path)), Arguments::Goto),
    known("zed", &["zeditor", "zedit"], Some(("zed", UrlForm::Path)), Arguments::JoinedAfterDashes),
    known("subl", &["sublime_text"], Some(("subl", UrlForm::Url)), Arguments::Joined),
    known(
        "idea",
        &["idea.sh", "intellij-idea-ultimate", "intellij-idea-community"],
        Some(("idea", UrlForm::File)),
        Arguments::LineOption,
    ),
    known(
        "pycharm",
        &["charm", "pycharm.sh", "pycharm-professional", "pycharm-community"],
        Some(("pycharm", UrlForm::File)),
        Arguments::LineOption,
    ),
    known("webstorm", &["webstorm.sh"], Some(("webstorm", UrlForm::File)), Arguments::LineOption),
    known(
        "rustrover",
        &["rustrover.sh"],
        Some(("rustrover", UrlForm::File)),
        Arguments::LineOption,
    ),
    known("clion", &["clion.sh"], Some(("clion", UrlForm::File)), Arguments::LineOption),
    known("mate", &[], Some(("txmt", UrlForm::Url)), Arguments::LineOption),
    known("kate", &[], None, Arguments::LineOptionAndDashes),
    known("emacsclient", &[], None, Arguments::Plus),
];

/// Editors that need a terminal, which the server uses itself.
const TERMINAL_EDITORS: [&str; 14] = [
    "vi", "vim", "view", "nvim", "ex", "ed", "nano", "pico", "micro", "hx", "helix", "kak", "joe",
    "emacs",
];

impl Default for Editor {
    /// Links for Visual Studio Code; the server starts nothing.
    fn default() -> Self {
        Self { known: &KNOWN[0], program: None }
    }
}

impl FromStr for Editor {
    type Err = String;

    fn from_str(value: &str) -> Result<Self, String> {
        if let Some(scheme) = value.strip_suffix("://") {
            let matches = |known: &&KnownEditor| known.link.is_some_and(|(name, _)| name == scheme);
            let known = KNOWN.iter().find(matches).ok_or_else(unknown)?;
            return Ok(Self { known, program: None });
        }
        let name = value.rsplit('/').next().unwrap_or_default();
        if TERMINAL_EDITORS.contains(&name) {
            return Err(format!(
                "it needs a terminal, which the server uses itself; name an editor with its own window \
                 ({})",
                programs()
            ));
        }
        let matches = |known: &&KnownEditor| known.name == name || known.aliases.contains(&name);
        let known = KNOWN.iter().find(matches).ok_or_else(unknown)?;
        Ok(Self { known, program: Some(value.to_owned()) })
    }
}

/// Joins these names of the known editors.
fn names(name: impl Fn(&KnownEditor) -> Option<String>) -> String {
    KNOWN.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

fn programs() -> String {
    names(|known| Some(known.name.to_owned()))
}

fn unknown() -> String {
    let links = names(|known| known.link.map(|(scheme, _)| format!("{scheme}://")));
    format!(
        "unknown editor; name a program that the server starts ({}) or a link ({links})",
        programs()
    )
}

impl Editor {
    /// Returns the URL with `{file}` and `{line}` to fill in, the file relative to the project and
    /// percent-encoded; `None` if this editor has no scheme.
    pub(super) fn link(&self, project_dir: &Path) -> Option<String> {
        let (scheme, address) = self.known.link?;
        let root = percent_encode(project_dir.as_os_str().as_bytes(), IN_PATH).to_string();
        let path = format!("{}/{{file}}", root.trim_end_matches('/'));
        Some(match address {
            UrlForm::Path => format!("{scheme}://file{path}:{{line}}"),
            UrlForm::File => format!("{scheme}://open?file={path}&line={{line}}"),
            UrlForm::Url => format!("{scheme}://open?url=file://{path}&line={{line}}"),
        })
    }

    /// The program that the server starts, if it may.
    pub(super) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    /// Returns the arguments that open an absolute path at a line.
    pub(super) fn arguments(&self, path: &Path, line: u32) -> Vec<OsString> {
        let mut joined = path.as_os_str().to_owned();
        joined.push(format!(":{line}"));
        let (path, line) = (path.into(), line.to_string());
        match self.known.arguments {
            Arguments::Goto => vec!["--goto".into(), joined],
            Arguments::Joined => vec![joined],
            Arguments::JoinedAfterDashes => vec!["--".into(), joined],
            Arguments::LineOption => vec!["--line".into(), line.into(), path],
            Arguments::LineOptionAndDashes => {
                vec!["--line".into(), line.into(), "--".into(), path]
            }
            Arguments::Plus => {
                vec!["--no-wait".into(), "--".into(), format!("+{line}").into(), path]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn editor(name: &str) -> Editor {
        name.parse().expect("it is known")
    }

    #[test]
    fn special_characters_in_the_path_are_encoded() {
        let link = |name: &str, path: &str| editor(name).link(Path::new(path));
        assert_eq!(
            link("vscode://", "/home/a b/{file}?#:é&=").as_deref(),
            Some("vscode://file/home/a%20b/%7Bfile%7D%3F%23%3A%C3%A9%26%3D/{file}:{line}")
        );
        assert_eq!(link("vscode://", "/").as_deref(), Some("vscode://file/{file}:{line}"));
        assert_eq!(
            link("pycharm://", "/a&b").as_deref(),
            Some("pycharm://open?file=/a%26b/{file}&line={line}")
        );
        assert_eq!(
            link("subl://", "/a").as_deref(),
            Some("subl://open?url=file:///a/{file}&line={line}")
        );
        assert_eq!(link("emacsclient", "/a"), None);
        assert_eq!(Editor::default(), editor("vscode://"));
    }

    #[test]
    fn each_program_gets_the_line_in_its_own_form() {
        for (name, expected) in [
            ("code", "--goto /a b/-x.py:7"),
            ("/opt/bin/cursor", "--goto /a b/-x.py:7"),
            ("codium", "--goto /a b/-x.py:7"),
            ("subl", "/a b/-x.py:7"),
            ("zed", "-- /a b/-x.py:7"),
            ("idea", "--line 7 /a b/-x.py"),
            ("charm", "--line 7 /a b/-x.py"),
            ("kate", "--line 7 -- /a b/-x.py"),
            ("emacsclient", "--no-wait -- +7 /a b/-x.py"),
        ] {
            let editor = editor(name);
            let arguments = editor.arguments(Path::new("/a b/-x.py"), 7);
            let texts: Vec<_> = arguments.iter().map(|each| each.to_string_lossy()).collect();
            assert_eq!((texts.join(" ").as_str(), editor.program()), (expected, Some(name)));
            assert_eq!(arguments.iter().filter(|each| each.len() > 9).count(), 1, "one argument");
        }
    }

    #[test]
    fn an_unknown_editor_is_refused_with_the_known_names() {
        let why = |name: &str| name.parse::<Editor>().expect_err("it is refused");
        assert!(why("vim").starts_with("it needs a terminal") && why("vim").contains("code, "));
        assert!(why("/usr/bin/nvim").starts_with("it needs a terminal"));
        for unknown in ["", "sh", "code; rm", "-code", "javascript://", "vscode:", "://", "code/"] {
            assert!(why(unknown).contains("vscode://, "), "{unknown}");
        }
    }
}
