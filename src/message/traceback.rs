//! Exceptions as data; never formats them.

use serde::{Deserialize, Serialize};

/// An exception as data; terminal, page and console each render it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Traceback {
    /// Qualified with its module, unless builtin.
    #[serde(rename = "type")]
    pub kind: String,
    /// `str()` of the exception.
    pub message: String,
    /// How to fix it, if that is known.
    pub hint: Option<String>,
    /// `__notes__` (PEP 678).
    pub notes: Vec<String>,
    /// Oldest first, without the frames of the framework.
    pub frames: Vec<Frame>,
    /// The exception that it was raised from, or while handling.
    pub cause: Option<Box<Traceback>>,
    /// `cause` (`raise … from`) or `context`.
    pub relation: Option<String>,
    /// The first exceptions of a group (PEP 654).
    #[serde(default)]
    pub exceptions: Vec<Traceback>,
    /// The lines that Python itself would print.
    #[serde(default)]
    pub text: String,
}

/// One line of a traceback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Frame {
    /// Relative to the project for a file inside it.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based (PEP 657).
    pub end_line: Option<u32>,
    /// 0-based, in characters.
    pub column: Option<u32>,
    /// 0-based, exclusive.
    pub end_column: Option<u32>,
    /// Qualified within its module.
    pub function: String,
    /// Whether it is the user's own code.
    pub user: bool,
    /// The surrounding lines, as they were when the code was loaded.
    pub source: Vec<SourceLine>,
    /// Names and truncated `repr`s, with secrets redacted; empty outside dev mode.
    pub locals: Vec<Local>,
}

/// A line of source with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceLine {
    /// 1-based.
    pub line: u32,
    /// Without the line break.
    pub text: String,
}

/// A local variable, or a part of one, as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Local {
    /// Its name.
    pub name: String,
    /// Its `repr`, truncated and redacted.
    pub value: String,
    /// The name of its type; missing for a value without parts and shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The size of a container, or the shape of a frame or an array; may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<String>,
    /// Its first attributes, items or columns; a column has its first values as its own. May be
    /// missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Local>,
}

impl Traceback {
    /// Returns the deepest frame of the user's own code, or else the deepest frame.
    pub fn culprit(&self) -> Option<&Frame> {
        self.frames.iter().rev().find(|frame| frame.user).or(self.frames.last())
    }
}

/// An exception in one line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ErrorSummary {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text.
    pub message: String,
    /// The file of the deepest frame of the user's own code, or else of the deepest frame.
    pub file: Option<String>,
    /// 1-based.
    pub line: Option<u32>,
    /// Qualified within its module.
    pub function: Option<String>,
    /// The text of that line.
    pub source: Option<String>,
    /// The first variables that the line names, truncated and redacted.
    pub locals: Vec<Local>,
}

impl ErrorSummary {
    const MAX_LOCALS: usize = 2;
    /// The length of one value in characters.
    const MAX_VALUE: usize = 40;
}

impl From<&Traceback> for ErrorSummary {
    fn from(raised: &Traceback) -> Self {
        let (kind, message) = (raised.kind.clone(), raised.message.clone());
        let Some(frame) = raised.culprit() else {
            return Self { kind, message, ..Self::default() };
        };
        let line = frame.source.iter().find(|source| source.line == frame.line);
        let source = line.map_or("", |line| line.text.trim());
        let names: Vec<&str> = source.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let on_line = frame.locals.iter().filter(|local| names.contains(&&*local.name));
        let cut = |local: &Local| {
            let mut value: String = local.value.chars().take(Self::MAX_VALUE).collect();
            if value.len() < local.value.len() {
                value.push('…');
            }
            Local { name: local.name.clone(), value, ..Local::default() }
        };
        Self {
            kind,
            message,
            file: Some(frame.file.clone()),
            line: Some(frame.line),
            function: Some(frame.function.clone()),
            source: line.map(|_| source.to_owned()),
            locals: on_line.take(Self::MAX_LOCALS).map(cut).collect(),
        }
    }
}
