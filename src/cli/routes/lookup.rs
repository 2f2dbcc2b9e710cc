//! `--match`: explains which route matches a request, and the near misses.

use std::borrow::Cow;
use std::process::ExitCode;

use console::style;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use snaxum::python_runtime::PythonRuntime;

use super::format::RouteFormat;
use crate::cli::render::color::{escape, print, print_error};

/// The request to look up.
#[derive(Clone)]
pub(crate) struct RequestLine {
    method: String,
    /// As a route receives it: decoded, without the query.
    path: String,
}

/// The result of the lookup in Python.
#[derive(Serialize, Deserialize)]
struct RouteLookup {
    v: u32,
    method: String,
    path: String,
    status: u16,
    allow: Vec<String>,
    route: Option<MatchedRoute>,
    near_misses: Vec<Mismatch>,
}

#[derive(Serialize, Deserialize)]
struct MatchedRoute {
    methods: Vec<String>,
    path: String,
    handler: String,
    mode: String,
    via: Vec<String>,
    params: Vec<MatchedParam>,
}

#[derive(Serialize, Deserialize)]
struct MatchedParam {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Serialize, Deserialize)]
struct Mismatch {
    methods: Vec<String>,
    path: String,
    handler: String,
    reason: String,
}

impl RequestLine {
    /// Parses `POST /orders/9`, or a path alone for GET.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
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

    /// Prints the route of the loaded modules that matches; exits with 1 if there is none.
    pub(super) fn explain(&self, runtime: &PythonRuntime, format: RouteFormat) -> ExitCode {
        let Some(lookup) = runtime.explain(&self.method, &self.path) else {
            print_error("Python cannot look up the route");
            return ExitCode::FAILURE;
        };
        let lookup: RouteLookup =
            serde_json::from_value(lookup).expect("the Python side writes these fields");
        print(&match format {
            RouteFormat::Json => serde_json::to_string_pretty(&lookup).expect("plain data") + "\n",
            _ => lookup.text(),
        });
        ExitCode::from(u8::from(lookup.status != 200))
    }
}

impl RouteLookup {
    fn text(&self) -> String {
        let request = format!("{} {}", escape(&self.method), escape(&self.path));
        let mut out = match &self.route {
            Some(route) => {
                let (methods, mode) = (route.methods.join(","), &route.mode);
                let (path, handler) = (escape(&route.path), escape(&route.handler));
                let handler = style(format!("{handler} ({mode})")).bold();
                let mut out = format!("{request}\n  {methods} {path}  {handler}\n");
                for MatchedParam { name, kind, value } in &route.params {
                    out += &format!("    {} = {}  ({kind})\n", escape(name), escape(value));
                }
                for hook in &route.via {
                    out += &format!("    via {}\n", escape(hook));
                }
                out
            }
            None if self.status == 200 => {
                format!("{request}\n  200 without a handler: {}\n", self.allow.join(", "))
            }
            None if self.status == 405 => {
                format!("{request}\n  405: the path allows {}\n", self.allow.join(", "))
            }
            None => format!("{request}\n  {}: no route has this path\n", self.status),
        };
        if !self.near_misses.is_empty() {
            out += "\nnear misses\n";
        }
        for route in &self.near_misses {
            let (methods, path) = (route.methods.join(","), escape(&route.path));
            let (handler, reason) = (escape(&route.handler), escape(&route.reason));
            out += &format!("  {methods} {path}  {handler}: {reason}\n");
        }
        out
    }
}
