//! Colour on the terminal, and text that cannot steer it.

pub(crate) use snaxum::escape::{plain, plain_json, plain_lines};
use std::io::Write;

use clap::ValueEnum;

/// When to use colour.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Settles colour for the process: the flag, then NO_COLOR, then FORCE_COLOR, then the terminal.
    pub(crate) fn apply(self) {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = match self {
            Self::Always => Some(true),
            Self::Never => Some(false),
            Self::Auto if set("NO_COLOR") => Some(false),
            Self::Auto if set("FORCE_COLOR") || set("CLICOLOR_FORCE") => Some(true),
            Self::Auto => None,
        };
        if let Some(on) = forced {
            console::set_colors_enabled(on);
            console::set_colors_enabled_stderr(on);
        }
    }
}

/// Writes to stdout. A reader that has gone (`| head`, a closed terminal) is no error.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to stderr, likewise.
pub(crate) fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says a step of a setup, on stderr.
pub(crate) fn say_setup(line: &str) {
    complain(&format!("{} {line}\n", console::style("setup").cyan().bold().for_stderr()));
}

/// Says what is wrong, on stderr.
pub(crate) fn say_error(text: &str) {
    complain(&format!("{} {text}\n", console::style("error:").red().bold().for_stderr()));
}
