//! Editors: the address by which a page opens a file of the project in one, and the command line by
//! which the server does, where somebody asked for that.
//!
//! Says how; what is opened, and that it may be, is for `opening.rs`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What means nothing in a path, and stays as it is.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How places in the code are opened: by links of the page, or by a program that the server starts.
///
/// Read from `cursor://`, whose links are rendered, or from `cursor`, the name or path of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editor {
    known: &'static Known,
    /// What the server starts.
    program: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Known {
    name: &'static str,
    /// What the program is called besides.
    aliases: &'static [&'static str],
    /// Its scheme, and how an address goes on.
    link: Option<(&'static str, Address)>,
    arguments: Arguments,
}

/// How an address names a file and a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Address {
    /// `file/PATH:LINE`
    Path,
    /// `open?file=PATH&line=LINE`
    File,
    /// `open?url=file:///PATH&line=LINE`
    Url,
}

/// How a command line does. A path is absolute, so nothing takes it for an option; `--` stands
/// before it where a program is known to take that.
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
    scheme: Option<(&'static str, Address)>,
    arguments: Arguments,
) -> Known {
    Known { name, aliases, link: scheme, arguments }
}

/// The first one is taken where nobody names another.
static KNOWN: [Known; 15] = [
    known("code", &[], Some(("vscode", Address::Path)), Arguments::Goto),
    known("code-insiders", &[], Some(("vscode-insiders", Address::Path)), Arguments::Goto),
    known("codium", &["vscodium"], Some(("vscodium", Address::Path)), Arguments::Goto),
    known("cursor", &[], Some(("cursor", Address::Path)), Arguments::Goto),
    known("windsurf", &[], Some(("windsurf", Address::Path)), Arguments::Goto),
    known("zed", &["zeditor", "zedit"], Some(("zed", Address::Path)), Arguments::JoinedAfterDashes),
    known("subl", &["sublime_text"], Some(("subl", Address::Url)), Arguments::Joined),
    known(
        "idea",
        &["idea.sh", "intellij-idea-ultimate", "intellij-idea-community"],
        Some(("idea", Address::File)),
        Arguments::LineOption,
    ),
    known(
        "pycharm",
        &["charm", "pycharm.sh", "pycharm-professional", "pycharm-community"],
        Some(("pycharm", Address::File)),
        Arguments::LineOption,
    ),
    known("webstorm", &["webstorm.sh"], Some(("webstorm", Address::File)), Arguments::LineOption),
    known(
        "rustrover",
        &["rustrover.sh"],
        Some(("rustrover", Address::File)),
        Arguments::LineOption,
    ),
    known("clion", &["clion.sh"], Some(("clion", Address::File)), Arguments::LineOption),
    known("mate", &[], Some(("txmt", Address::Url)), Arguments::LineOption),
    known("kate", &[], None, Arguments::LineOptionAndDashes),
    known("emacsclient", &[], None, Arguments::Plus),
];

/// They would fight with the server for the terminal.
const OF_TERMINALS: [&str; 14] = [
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
            let is_it = |known: &&Known| known.link.is_some_and(|(name, _)| name == scheme);
            let known = KNOWN.iter().find(is_it).ok_or_else(unknown)?;
            return Ok(Self { known, program: None });
        }
        let name = value.rsplit('/').next().unwrap_or_default();
        if OF_TERMINALS.contains(&name) {
            return Err(format!(
                "it needs a terminal, and the server's is taken; name an editor with a window of \
                 its own ({})",
                programs()
            ));
        }
        let is_it = |known: &&Known| known.name == name || known.aliases.contains(&name);
        let known = KNOWN.iter().find(is_it).ok_or_else(unknown)?;
        Ok(Self { known, program: Some(value.to_owned()) })
    }
}

/// Names of what is known, in one text.
fn names(name: impl Fn(&Known) -> Option<String>) -> String {
    KNOWN.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

fn programs() -> String {
    names(|known| Some(known.name.to_owned()))
}

fn unknown() -> String {
    let links = names(|known| known.link.map(|(scheme, _)| format!("{scheme}://")));
    format!("known are programs that the server starts ({}) and links ({links})", programs())
}

impl Editor {
    /// The address with `{file}`, relative to the project and encoded likewise, and `{line}` left
    /// open; `None` if this editor has no scheme.
    pub(super) fn link(&self, project_dir: &Path) -> Option<String> {
        let (scheme, address) = self.known.link?;
        let root = percent_encode(project_dir.as_os_str().as_bytes(), IN_PATH).to_string();
        let path = format!("{}/{{file}}", root.trim_end_matches('/'));
        Some(match address {
            Address::Path => format!("{scheme}://file{path}:{{line}}"),
            Address::File => format!("{scheme}://open?file={path}&line={{line}}"),
            Address::Url => format!("{scheme}://open?url=file://{path}&line={{line}}"),
        })
    }

    /// What the server starts, if somebody wants it to.
    pub(super) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }

    /// What the program gets to open an absolute path at a line.
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
    fn what_could_end_the_path_is_encoded() {
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
    fn each_program_is_told_the_line_in_its_own_way() {
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
    fn an_editor_that_cannot_be_is_refused_with_those_that_can() {
        let why = |name: &str| name.parse::<Editor>().expect_err("it is refused");
        assert!(why("vim").starts_with("it needs a terminal") && why("vim").contains("code, "));
        assert!(why("/usr/bin/nvim").starts_with("it needs a terminal"));
        for unknown in ["", "sh", "code; rm", "-code", "javascript://", "vscode:", "://", "code/"] {
            assert!(why(unknown).contains("vscode://, "), "{unknown}");
        }
    }
}
