//! Converts a diagnostic of rustc to the data that an exception of Python has: console, terminal, page and
//! assistants show both in the same way.
//!
//! Reads the lines around a span; never runs the compiler.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use snaxum::message::{Frame, SourceLine, Traceback};

/// The lines of source above and below a span.
const SOURCE_LINES: usize = 3;

/// A message of rustc, in the fields that are needed here.
#[derive(Debug, Deserialize)]
pub(super) struct Diagnostic {
    pub(super) message: String,
    code: Option<DiagnosticCode>,
    pub(super) level: String,
    spans: Vec<SourceSpan>,
    children: Vec<Diagnostic>,
    /// As rustc prints it, perhaps with colors.
    pub(super) rendered: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DiagnosticCode {
    code: String,
}

/// A place; lines and columns are counted from 1.
#[derive(Debug, Deserialize)]
struct SourceSpan {
    file_name: PathBuf,
    line_start: u32,
    line_end: u32,
    column_start: u32,
    column_end: u32,
    is_primary: bool,
    label: Option<String>,
    suggested_replacement: Option<String>,
    /// The use of the macro that the place is in.
    expansion: Option<Expansion>,
}

#[derive(Debug, Deserialize)]
struct Expansion {
    span: Box<SourceSpan>,
}

/// The directories that the names of files are relative to.
#[derive(Clone, Debug)]
pub(super) struct SourcePlaces {
    /// The directory that rustc names files from.
    pub(super) workspace: PathBuf,
    /// The directory that people see them from.
    pub(super) root: PathBuf,
    /// The directories of the user's crates.
    pub(super) crates: Vec<PathBuf>,
}

impl Diagnostic {
    pub(super) fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }

    pub(super) fn is_warning(&self) -> bool {
        self.level == "warning"
    }

    /// Whether it is only the count at the end, as in "aborting due to 2 previous errors".
    pub(super) fn is_summary(&self) -> bool {
        self.spans.is_empty() && self.message.starts_with("aborting due to")
    }

    /// Converts it; `krate` is the crate that was compiled.
    pub(super) fn to_traceback(&self, krate: &str, places: &SourcePlaces) -> Traceback {
        let kind = match &self.code {
            Some(code) => format!("{}[{}]", self.level, code.code),
            None => self.level.clone(),
        };
        let primary = self.spans.iter().filter(|span| span.is_primary);
        let mut frames: Vec<Frame> =
            primary.map(|span| span.outermost().frame(krate, places)).collect();
        frames.reverse(); // the main place comes last, as the newest call does
        let text = self.rendered.as_deref().unwrap_or_default();
        Traceback {
            kind,
            message: self.message.clone(),
            hint: self.hint(),
            notes: self.notes(places),
            frames,
            text: console::strip_ansi_codes(text).into_owned(),
            ..Traceback::default()
        }
    }

    /// Returns the first advice, with the text that it suggests.
    fn hint(&self) -> Option<String> {
        let help = self.children.iter().find(|child| child.level == "help")?;
        let replacement = help.spans.iter().find_map(|span| span.suggested_replacement.as_deref());
        let replacement = replacement.map(str::trim).filter(|text| !text.is_empty());
        Some(match replacement {
            Some(text) if !text.contains('\n') => format!("{}: `{text}`", help.message),
            _ => help.message.clone(),
        })
    }

    /// Lists the labels of the places, and the notes.
    fn notes(&self, places: &SourcePlaces) -> Vec<String> {
        let labels = self.spans.iter().filter_map(|span| {
            let span = span.outermost();
            let place = format!("{}:{}", places.shown(&span.file_name), span.line_start);
            span.label.as_ref().map(|label| format!("{place}: {label}"))
        });
        let notes = self.children.iter().filter(|child| child.level == "note");
        labels.chain(notes.map(|note| note.message.clone())).collect()
    }
}

impl SourceSpan {
    /// The place in the user's code, outside all macros.
    fn outermost(&self) -> &Self {
        match &self.expansion {
            Some(expansion) => expansion.span.outermost(),
            None => self,
        }
    }

    fn frame(&self, krate: &str, places: &SourcePlaces) -> Frame {
        let path = places.workspace.join(&self.file_name);
        Frame {
            file: places.shown(&self.file_name),
            line: self.line_start,
            end_line: Some(self.line_end),
            column: Some(self.column_start.saturating_sub(1)),
            end_column: Some(self.column_end.saturating_sub(1)),
            function: krate.to_owned(),
            user: places.is_of_user(&path),
            source: source_around(&path, self.line_start),
            locals: Vec::new(),
        }
    }
}

impl SourcePlaces {
    /// Names a file from the project, if it is in there.
    pub(super) fn shown(&self, file: &Path) -> String {
        let path = self.workspace.join(file);
        path.strip_prefix(&self.root).unwrap_or(&path).display().to_string()
    }

    pub(super) fn is_of_user(&self, path: &Path) -> bool {
        self.crates.iter().any(|directory| path.starts_with(directory))
    }
}

/// Reads the lines around a line; none if the file cannot be read.
pub(super) fn source_around(path: &Path, line: u32) -> Vec<SourceLine> {
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let first = (line as usize).saturating_sub(SOURCE_LINES).max(1);
    let lines = text.lines().zip(1..).skip(first - 1).take(2 * SOURCE_LINES + 1);
    lines.map(|(text, line)| SourceLine { line, text: text.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn span(line: u32, is_primary: bool, label: &str) -> Value {
        json!({
            "file_name": "src/main.rs", "line_start": line, "line_end": line, "column_start": 5,
            "column_end": 9, "is_primary": is_primary, "label": label, "byte_start": 0, "byte_end": 1,
            "suggested_replacement": null, "expansion": null, "text": [],
        })
    }

    #[test]
    fn an_error_has_its_place_its_labels_and_its_advice() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("app");
        fs::create_dir_all(root.join("src")).expect("directories");
        fs::write(root.join("src/main.rs"), "fn main() {\n    name;\n}\n").expect("written");
        let mut suggested = span(2, true, "");
        suggested["suggested_replacement"] = json!("names");
        let diagnostic: Diagnostic = serde_json::from_value(json!({
            "message": "cannot find value `name`", "level": "error", "code": {"code": "E0425", "explanation": ""},
            "spans": [span(2, true, "not found"), span(1, false, "in here")],
            "children": [
                {"message": "a note", "level": "note", "code": null, "spans": [], "children": [], "rendered": null},
                {"message": "a similar name exists", "level": "help", "code": null, "spans": [suggested],
                 "children": [], "rendered": null},
            ],
            "rendered": "\u{1b}[1merror\u{1b}[0m: cannot find value",
        }))
        .expect("a diagnostic");
        let workspace = root.clone();
        let places = SourcePlaces { workspace, root: root.clone(), crates: vec![root] };

        let raised = diagnostic.to_traceback("app", &places);

        assert_eq!((&*raised.kind, &*raised.message), ("error[E0425]", "cannot find value `name`"));
        assert_eq!(raised.hint.as_deref(), Some("a similar name exists: `names`"));
        assert_eq!(raised.notes, ["src/main.rs:2: not found", "src/main.rs:1: in here", "a note"]);
        assert_eq!(raised.text, "error: cannot find value");
        let frame = raised.culprit().expect("a place");
        assert_eq!((&*frame.file, frame.line, frame.column), ("src/main.rs", 2, Some(4)));
        assert_eq!(frame.source[1].text, "    name;");
        assert!(frame.user && diagnostic.is_error() && !diagnostic.is_summary());
    }

    #[test]
    fn a_file_outside_the_project_has_its_whole_path() {
        let places = SourcePlaces {
            workspace: "/w".into(),
            root: "/w/app".into(),
            crates: vec!["/w/app".into(), "/w/shared".into()],
        };
        assert_eq!(places.shown(Path::new("app/src/main.rs")), "src/main.rs");
        assert_eq!(places.shown(Path::new("shared/src/lib.rs")), "/w/shared/src/lib.rs");
        assert!(places.is_of_user(Path::new("/w/shared/src/lib.rs")));
        assert!(!places.is_of_user(Path::new("/registry/a/src/lib.rs")));
    }
}
