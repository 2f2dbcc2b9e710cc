//! Renders a save that does not load: the place, the exception and the generation that serves.

use console::style;
use snaxum::message::{ErrorSummary, Reload, Traceback, still_serving};

use super::color::escape;
use super::layout::{join, padded};
use super::traceback;

/// The maximum number of further modules to name.
const MAX_OTHERS: usize = 4;

/// Renders place and message of the first failure.
pub(super) fn headline(reload: &Reload, cause: String) -> String {
    let Some(raised) = &reload.traceback else { return cause };
    let place = raised.culprit().map(|frame| format!("{}:{}", escape(&frame.file), frame.line));
    let message = escape(raised.message.lines().next().unwrap_or_default());
    let kind = style(escape(&raised.kind)).red();
    let text = format!("{kind}: {message}{}", more(reload));
    join(&[place.map_or(cause, |place| padded(&place)), text])
}

/// Renders errors that the last reload had too: place and type of the first.
pub(super) fn same_as_before(reload: &Reload) -> String {
    let Some(raised) = &reload.traceback else { return String::new() };
    let place = raised.culprit().map(|frame| format!(" in {}:{}", escape(&frame.file), frame.line));
    let kind = style(escape(&raised.kind)).red();
    format!("still {kind}{}{}", place.unwrap_or_default(), more(reload))
}

/// Renders the errors of a reload after which only a part of the modules serves.
pub(super) fn partial(reload: &Reload, tracebacks: &[&Traceback]) -> String {
    let sign = style("▲").yellow();
    format!("           {sign} {}\n", headline(reload, String::new()))
        + &failures(reload, tracebacks)
}

fn more(reload: &Reload) -> String {
    match reload.others.len() {
        0 => String::new(),
        count => format!("  +{count} more"),
    }
}

/// Renders the generation that serves while newer code does not load.
pub(crate) fn serving(generation: u64) -> String {
    let text = still_serving(generation);
    match generation {
        0 => style(format!("✖ {text}")).red().to_string(),
        _ => style(format!("▲ {text}")).yellow().to_string(),
    }
}

/// Renders the serving generation and the failures: the full `tracebacks` if given, else excerpts.
pub(super) fn details(reload: &Reload, tracebacks: &[&Traceback]) -> String {
    format!("           {}\n", serving(reload.generation)) + &failures(reload, tracebacks)
}

fn failures(reload: &Reload, tracebacks: &[&Traceback]) -> String {
    if !tracebacks.is_empty() {
        return tracebacks.iter().map(|raised| traceback::render(raised)).collect();
    }
    let other = |raised: &ErrorSummary| {
        let file = escape(raised.file.as_deref().unwrap_or_default());
        let line = raised.line.map_or(String::new(), |line| format!(":{line}"));
        let message = escape(raised.message.lines().next().unwrap_or_default());
        let (place, kind) = (style(file + &line).cyan(), style(escape(&raised.kind)).red());
        format!("           └ {place}   {kind}: {message}\n")
    };
    let others = reload.others.iter().take(MAX_OTHERS).map(other);
    reload.traceback.iter().map(excerpt).chain(others).collect()
}

/// Renders the failing line, the line before it and the caret.
fn excerpt(raised: &Traceback) -> String {
    let Some(frame) = raised.culprit() else { return String::new() };
    let mut out = String::new();
    for source in &frame.source {
        if source.line != frame.line && source.line + 1 != frame.line {
            continue;
        }
        let sign = if source.line == frame.line { "›" } else { " " };
        out += &format!("           │ {} {sign} {}\n", source.line, escape(&source.text));
        if let (true, Some(column)) = (source.line == frame.line, frame.column) {
            let gutter = source.line.to_string().len() + 3;
            let before: String = source.text.chars().take(column as usize).collect();
            let space = console::measure_text_width(&escape(&before)) + gutter;
            out += &format!("           │ {}{}\n", " ".repeat(space), style("^").red());
        }
    }
    if let Some(hint) = &raised.hint {
        out += &format!("           {} {}\n", style("→").cyan(), escape(hint));
    }
    out
}
