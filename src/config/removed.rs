//! Names that once worked, each with its replacement for the error.
//!
//! Covers command-line options, `[tool.snaxum]` keys and `SNAXUM_*` variables.

/// A server option by its name, an option of a command as `COMMAND --option`, or one of its values
/// as `COMMAND --option value`.
const REMOVED: [(&str, &str); 3] = [
    ("routes --except-path", "use `--format json` and jq's `select`"),
    ("routes --format csv", "use `--format json` and jq's `@csv`"),
    ("routes --format ndjson", "use `--format json` and `jq -c '.[]'`"),
];

/// Names the replacement of `name`, to follow "unknown ...;".
pub fn replacement(name: &str) -> Option<String> {
    replacement_in(&REMOVED, name)
}

fn replacement_in(table: &[(&str, &str)], name: &str) -> Option<String> {
    let (_, instead) = table.iter().find(|(removed, _)| *removed == name)?;
    Some(format!("`{name}` was removed: {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_name_gives_its_replacement() {
        let table = [("old", "use `new`")];
        let hint = replacement_in(&table, "old");
        assert_eq!(hint.as_deref(), Some("`old` was removed: use `new`"));
        assert_eq!(replacement_in(&table, "older"), None);
    }
}
