//! `--match`: which route answers a request, and why those near it do not.

use std::borrow::Cow;
use std::process::ExitCode;

use console::style;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use snaxum::python_runtime::PythonRuntime;

use super::Format;
use crate::cli::render::color::{plain, say, say_error};

/// A request that somebody wonders about.
#[derive(Clone)]
pub(crate) struct Wanted {
    method: String,
    /// As a route sees it: decoded, without the query.
    path: String,
}

/// What `snaxum._debug.route_lookup` says.
#[derive(Serialize, Deserialize)]
struct Explanation {
    v: u32,
    method: String,
    path: String,
    status: u16,
    allow: Vec<String>,
    answer: Option<Winner>,
    misses: Vec<Miss>,
}

#[derive(Serialize, Deserialize)]
struct Winner {
    methods: Vec<String>,
    path: String,
    handler: String,
    mode: String,
    params: Vec<Param>,
}

#[derive(Serialize, Deserialize)]
struct Param {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
struct Miss {
    methods: Vec<String>,
    path: String,
    handler: String,
    why: String,
}

impl Wanted {
    /// Reads `POST /orders/9`, or a path alone for GET.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (method, target) = match text.split_once(char::is_whitespace) {
            Some((method, target)) if !text.starts_with('/') => (method, target.trim_start()),
            _ => ("GET", text),
        };
        if !target.starts_with('/') {
            return Err("write a method and a path, as in `POST /orders/9`, or a path alone".into());
        }
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let path: Cow<'_, str> = percent_decode_str(path).decode_utf8_lossy();
        Ok(Self { method: method.to_uppercase(), path: path.into_owned() })
    }

    /// Prints how the routes that loaded answer; exits with 1 if none does.
    pub(super) fn explain(&self, runtime: &PythonRuntime, format: Format) -> ExitCode {
        let Some(explanation) = runtime.explain(&self.method, &self.path) else {
            say_error("Python cannot tell which route it is");
            return ExitCode::FAILURE;
        };
        let explanation: Explanation =
            serde_json::from_value(explanation).expect("what `snaxum._debug.route_lookup` writes");
        match format {
            Format::Json => {
                say(&(serde_json::to_string_pretty(&explanation).expect("plain data") + "\n"));
            }
            Format::Ndjson => {
                say(&(serde_json::to_string(&explanation).expect("plain data") + "\n"));
            }
            _ => say(&explanation.text()),
        }
        ExitCode::from(u8::from(explanation.status != 200))
    }
}

impl Explanation {
    fn text(&self) -> String {
        let request = format!("{} {}", plain(&self.method), plain(&self.path));
        let mut out = match &self.answer {
            Some(winner) => {
                let (methods, mode) = (winner.methods.join(","), &winner.mode);
                let (path, handler) = (plain(&winner.path), plain(&winner.handler));
                let answer = style(format!("{handler} ({mode})")).bold();
                let mut out = format!("{request}\n  {methods} {path}  {answer}\n");
                for Param { name, kind, value } in &winner.params {
                    out += &format!("    {} = {}  ({kind})\n", plain(name), plain(value));
                }
                out
            }
            None if self.status == 200 => {
                format!("{request}\n  answered without a handler: {}\n", self.allow.join(", "))
            }
            None if self.status == 405 => {
                format!("{request}\n  405: the path answers {}\n", self.allow.join(", "))
            }
            None => format!("{request}\n  {}: no route has this path\n", self.status),
        };
        if !self.misses.is_empty() {
            out += "\nnear it\n";
        }
        for miss in &self.misses {
            let (methods, path) = (miss.methods.join(","), plain(&miss.path));
            let (handler, why) = (plain(&miss.handler), plain(&miss.why));
            out += &format!("  {methods} {path}  {handler}: {why}\n");
        }
        out
    }
}
