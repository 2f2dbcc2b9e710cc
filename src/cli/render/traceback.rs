//! Renders a traceback for the terminal: the user's frames, the line, the caret.

use std::fmt::Write;

use console::style;
use snaxum::message::{Frame, Traceback};

use super::color::{escape, escape_lines};

/// Renders the traceback and its causes, oldest first.
pub(crate) fn render(traceback: &Traceback) -> String {
    let mut out = String::new();
    if let Some(cause) = &traceback.cause {
        out += &render(cause);
        let relation = match traceback.relation.as_deref() {
            Some("cause") => "which was the direct cause of:",
            _ => "during its handling, another exception was raised:",
        };
        let _ = writeln!(out, "  {}", style(relation).dim());
    }
    let user: Vec<&Frame> = traceback.frames.iter().filter(|frame| frame.user).collect();
    let shown = if user.is_empty() { traceback.frames.iter().collect() } else { user };
    for frame in shown {
        draw(&mut out, frame);
    }
    let head = style(escape(&traceback.kind)).red().bold();
    let _ = writeln!(out, "  {head}: {}", escape_lines(&traceback.message));
    if let Some(hint) = &traceback.hint {
        let _ = writeln!(out, "  {} {hint}", style("→").cyan());
    }
    out
}

fn draw(out: &mut String, frame: &Frame) {
    let place = format!("{}:{}", escape(&frame.file), frame.line);
    let function = escape(&frame.function);
    let _ = writeln!(out, "  {} {}", style(place).cyan(), style(format!("in {function}")).dim());
    let Some(line) = frame.source.iter().find(|source| source.line == frame.line) else { return };
    let indent = line.text.len() - line.text.trim_start().len();
    let _ = writeln!(out, "  │ {:>4}  {}", line.line, escape(line.text.trim_start()));
    let Some(column) = frame.column.map(|column| column as usize) else { return };
    let end = match frame.end_line {
        Some(end_line) if end_line == frame.line => frame.end_column.unwrap_or(0) as usize,
        _ => line.text.chars().count(),
    };
    let width = end.saturating_sub(column).max(1);
    let space = " ".repeat(column.saturating_sub(indent));
    let _ = writeln!(out, "  │       {space}{}", style("^".repeat(width)).red());
}
