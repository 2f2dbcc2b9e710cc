//! Parses a file of environment variables: `KEY=VALUE` lines, quotes, comments, `$OTHER`.
//!
//! Reads text; never sets a variable, and never repeats a value in an error: it may be a secret.

/// Reads all variables, in order; the last value of a name counts.
///
/// `$NAME` takes the value of the process's environment, or else of a line above.
///
/// # Errors
///
/// The number of the first line that cannot be read, counted from 1, and what it should be.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, &'static str)> {
    let mut variables = Vec::new();
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        match pair {
            Ok(pair) => variables.push(pair),
            Err(dotenvy::Error::LineParse(line, _)) => {
                let offset = text.find(line.trim_end()).unwrap_or(0);
                return Err((1 + text[..offset].matches('\n').count(), EXPECTED));
            }
            Err(_) => return Err((1, EXPECTED)),
        }
    }
    Ok(variables)
}

const EXPECTED: &str =
    "it must be NAME=value, with quotes around a value that contains spaces or #";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_quoted_exported_and_composed_of_others() {
        let text =
            "# comment\nexport HOST=example.org\nURL=\"http://${HOST}/\"\nRAW='$HOST' # mine\n";
        let pairs = parse(text).expect("valid");
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            pairs,
            [("HOST", "example.org"), ("URL", "http://example.org/"), ("RAW", "$HOST")]
        );
    }

    #[test]
    fn an_error_names_the_line_and_repeats_nothing_of_it() {
        let (line, problem) = parse("A=1\n\nhunter2 is the password\n").expect_err("no variable");
        assert_eq!(line, 3);
        assert!(!problem.contains("hunter2"));
    }
}
