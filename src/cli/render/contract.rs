//! Renders the changes of the API for clients, breaking changes first.

use console::{StyledObject, style};
use snaxum::message::ContractDiff;
use snaxum::openapi::{Change, Effect};

use super::color::escape;
use super::layout::counted;

/// The most changes of a reload to name.
const MAX_SHOWN: usize = 6;

/// Renders the changes of a reload as a short list below its line.
pub(crate) fn lines(generation: u64, diff: &ContractDiff) -> String {
    let changes = &diff.changes;
    let title = style(format!("for clients of version {generation}:")).dim();
    let mut out = format!("    {title} {}\n", summary(changes, diff.left_out));
    for change in changes.iter().take(MAX_SHOWN) {
        let (operation, text) = (escape(&change.operation), escape(&change.text));
        out += &format!("      {} {operation}  {text}\n", sign(change.effect));
    }
    let more = changes.len().saturating_sub(MAX_SHOWN) + diff.left_out;
    if more > 0 {
        out += &format!("      … and {more} more\n");
    }
    out
}

/// Renders all changes as a table.
pub(crate) fn table(changes: &[Change]) -> String {
    let width = changes.iter().map(|change| change.operation.chars().count()).max().unwrap_or(0);
    let line = |change: &Change| {
        let effect = match change.effect {
            Effect::Breaking => style("breaking  ").red(),
            Effect::Warning => style("warning   ").yellow(),
            Effect::Compatible => style("compatible").dim(),
        };
        let (operation, text) = (escape(&change.operation), escape(&change.text));
        format!("{effect}  {operation:width$}  {text}\n")
    };
    changes.iter().map(line).collect()
}

/// Counts the changes: `1 breaking change, 1 warning, 2 compatible changes`.
pub(crate) fn summary(changes: &[Change], left_out: usize) -> String {
    let count = |effect| changes.iter().filter(|change| change.effect == effect).count();
    let counts = [
        (count(Effect::Breaking), "breaking change"),
        (count(Effect::Warning), "warning"),
        (count(Effect::Compatible), "compatible change"),
    ];
    let counts = counts.into_iter().filter(|(number, _)| *number > 0);
    let mut parts: Vec<String> = counts.map(|(number, name)| counted(number, name)).collect();
    if left_out > 0 {
        parts.push(format!("{left_out} more"));
    }
    parts.join(", ")
}

fn sign(effect: Effect) -> StyledObject<&'static str> {
    match effect {
        Effect::Breaking => style("✖").red(),
        Effect::Warning => style("▲").yellow(),
        Effect::Compatible => style("·").dim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snaxum::openapi::ChangeKind;

    fn change(effect: Effect, operation: &str, text: &str) -> Change {
        let (operation, text) = (operation.to_owned(), text.to_owned());
        Change { kind: ChangeKind::FieldRemoved, effect, operation, place: String::new(), text }
    }

    #[test]
    fn the_list_of_a_reload_is_short_and_breaking_changes_are_marked() {
        let text = "field `name` of response 200 was removed";
        let mut changes = vec![
            change(Effect::Breaking, "GET /users/{id}", text),
            change(Effect::Warning, "GET /users", "response 202 is new"),
        ];
        changes.extend(
            (0..6).map(|n| {
                change(Effect::Compatible, &format!("GET /{n}"), "the path is new\u{1b}[2J")
            }),
        );
        let diff = ContractDiff { changes, left_out: 3 };
        insta::assert_snapshot!(lines(8, &diff), @r"
            for clients of version 8: 1 breaking change, 1 warning, 6 compatible changes, 3 more
              ✖ GET /users/{id}  field `name` of response 200 was removed
              ▲ GET /users  response 202 is new
              · GET /0  the path is new\u{1b}[2J
              · GET /1  the path is new\u{1b}[2J
              · GET /2  the path is new\u{1b}[2J
              · GET /3  the path is new\u{1b}[2J
              … and 5 more
        ");
    }
}
