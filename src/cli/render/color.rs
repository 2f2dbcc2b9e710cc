//! Color on the terminal, and text that cannot control it.

pub(crate) use snaxum::escape::{escape, escape_json, escape_lines};
use std::io::Write;

use clap::ValueEnum;

/// When to use color.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Sets color for the process: the flag wins over NO_COLOR, that over FORCE_COLOR, that over
    /// the terminal.
    pub(crate) fn apply(self) {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced = match self {
            Self::Always => Some(true),
            Self::Never => Some(false),
            Self::Auto if is_set("NO_COLOR") => Some(false),
            Self::Auto if is_set("FORCE_COLOR") || is_set("CLICOLOR_FORCE") => Some(true),
            Self::Auto => None,
        };
        // Empty means not set, which the crate reads otherwise.
        if forced.is_none() && std::env::var_os("NO_COLOR").is_some() {
            console::set_colors_enabled(console::Term::stdout().is_term());
            console::set_colors_enabled_stderr(console::Term::stderr().is_term());
        }
        if let Some(on) = forced {
            console::set_colors_enabled(on);
            console::set_colors_enabled_stderr(on);
        }
    }
}

/// Writes to stdout. Ignores a closed pipe (`| head`) or terminal.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to stderr. Ignores a closed pipe or terminal.
pub(crate) fn print_stderr(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints a setup step on stderr.
pub(crate) fn print_setup(line: &str) {
    print_stderr(&format!("{} {line}\n", console::style("setup").cyan().bold().for_stderr()));
}

/// Prints a warning on stderr.
pub(crate) fn print_warning(text: &str) {
    print_stderr(&format!("{} {text}\n", console::style("warning:").yellow().bold().for_stderr()));
}

/// Prints an error on stderr.
pub(crate) fn print_error(text: &str) {
    print_stderr(&format!("{} {text}\n", console::style("error:").red().bold().for_stderr()));
}
