//! A save that does not load: where, why, and what serves on.

use console::style;
use snaxum::message::{ErrorSummary, Reload, Traceback};

use super::color::plain;
use super::reload;
use super::traceback;

/// What is said where nothing has ever loaded.
pub(crate) const NOTHING_SERVES: &str = "✖ no good generation";
/// Modules besides the first that did not load and are named.
const MAX_OTHERS: usize = 4;

/// Where the first failure is and what it says.
pub(super) fn words(reload: &Reload, cause: String) -> String {
    let Some(raised) = &reload.traceback else { return cause };
    let place = raised.culprit().map(|frame| format!("{}:{}", plain(&frame.file), frame.line));
    let message = plain(raised.message.lines().next().unwrap_or_default());
    let kind = style(plain(&raised.kind)).red();
    let more = match reload.others.len() {
        0 => String::new(),
        count => format!("  +{count} more"),
    };
    reload::words(&[
        place.map_or(cause, |place| reload::padded(&place)),
        format!("{kind}: {message}{more}"),
    ])
}

fn serving_still(generation: u64) -> String {
    match generation {
        0 => style(NOTHING_SERVES.to_owned()).red().to_string(),
        n => style(format!("▲ still serving G{n}")).yellow().to_string(),
    }
}

/// What serves on, and what does not load: as the tracebacks in `whole`, where nobody can ask for
/// them, and else in short.
pub(super) fn details(reload: &Reload, whole: &[&Traceback]) -> String {
    let above = format!("           {}\n", serving_still(reload.generation));
    if !whole.is_empty() {
        return above + &whole.iter().map(|raised| traceback::render(raised)).collect::<String>();
    }
    let other = |raised: &ErrorSummary| {
        let file = plain(raised.file.as_deref().unwrap_or_default());
        let line = raised.line.map_or(String::new(), |line| format!(":{line}"));
        let message = plain(raised.message.lines().next().unwrap_or_default());
        let (place, kind) = (style(file + &line).cyan(), style(plain(&raised.kind)).red());
        format!("           └ {place}   {kind}: {message}\n")
    };
    let others = reload.others.iter().take(MAX_OTHERS).map(other);
    above + &reload.traceback.iter().map(lines).chain(others).collect::<String>()
}

/// The line that does not load, the one before it and the caret.
fn lines(raised: &Traceback) -> String {
    let Some(frame) = raised.culprit() else { return String::new() };
    let mut out = String::new();
    for source in &frame.source {
        if source.line != frame.line && source.line + 1 != frame.line {
            continue;
        }
        let sign = if source.line == frame.line { "›" } else { " " };
        out += &format!("           │ {} {sign} {}\n", source.line, plain(&source.text));
        if let (true, Some(column)) = (source.line == frame.line, frame.column) {
            let gutter = source.line.to_string().len() + 3;
            let before: String = source.text.chars().take(column as usize).collect();
            let space = console::measure_text_width(&plain(&before)) + gutter;
            out += &format!("           │ {}{}\n", " ".repeat(space), style("^").red());
        }
    }
    if let Some(hint) = &raised.hint {
        out += &format!("           {} {}\n", style("→").cyan(), plain(hint));
    }
    out
}
