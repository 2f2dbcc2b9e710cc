//! JSON (RFC 8259) with the values of secret names masked, at any depth; all else stays as it was
//! sent. Reads what is cut, or no JSON at all, as far as it goes.

use super::patterns::add_value;
use super::{MASK, Masking};

/// Adds the text to `masked`, the values of secret names masked, and what looks like one.
pub(super) fn add(masked: &mut String, text: &str, masking: &Masking) {
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        let (before, string) = rest.split_at(quote);
        add_value(masked, before);
        let (string, after) = string.split_at(string_end(string));
        let space = after.len() - after.trim_start().len();
        let value = match after[space..].strip_prefix(':') {
            Some(value) if masking.is_secret(&name(string)) => value,
            // A value, or a name that tells no secret.
            _ => {
                add_value(masked, string);
                rest = after;
                continue;
            }
        };
        let value_at = after.len() - value.trim_start().len();
        masked.push_str(string);
        masked.push_str(&after[..value_at]);
        let value = &after[value_at..];
        let end = value_end(value);
        masked.extend(["\"", MASK, "\""]);
        rest = &value[end..];
    }
    add_value(masked, rest);
}

/// What a string says; an escape may hide a letter.
fn name(string: &str) -> String {
    serde_json::from_str(string).unwrap_or_else(|_| string.trim_matches('"').to_owned())
}

/// Where the string ends that `text` begins with, its quotes included.
fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where the value ends that `text` begins with, whatever it holds.
fn value_end(text: &str) -> usize {
    let (mut depth, mut place) = (0_usize, 0);
    while let Some(&byte) = text.as_bytes().get(place) {
        match byte {
            b'"' => {
                place += string_end(&text[place..]);
                if depth == 0 {
                    return place;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return place + depth,
            b'}' | b']' => depth -= 1,
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return place,
            _ => {}
        }
        place += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut masked = String::new();
        add(&mut masked, text, &Masking::default());
        masked
    }

    #[test]
    fn values_of_secret_names_are_masked_at_any_depth_and_the_rest_stays() {
        let m = format!("\"{MASK}\"");
        for (sent, shown) in [
            (
                r#"{"a": 1, "password" : "x\"y", "b": [2]}"#,
                format!(r#"{{"a": 1, "password" : {m}, "b": [2]}}"#),
            ),
            (
                r#"[{"token":12},{"api_key":null}]"#,
                format!(r#"[{{"token":{m}}},{{"api_key":{m}}}]"#),
            ),
            (
                r#"{"user":{"secret":{"a":["}"]},"c":3}}"#,
                format!(r#"{{"user":{{"secret":{m},"c":3}}}}"#),
            ),
            (r#"{"pass\u0077ord":"x"}"#, format!(r#"{{"pass\u0077ord":{m}}}"#)),
            (
                r#"{"name": "token", "x": "password"}"#,
                r#"{"name": "token", "x": "password"}"#.to_owned(),
            ),
        ] {
            assert_eq!(masked(sent), shown);
        }
    }

    #[test]
    fn what_is_cut_shows_no_half_a_secret() {
        for cut in
            [r#"{"password": "hunt"#, r#"{"password": {"a": "hunt"#, r#"{"password":["hunt", 1"#]
        {
            assert!(!masked(cut).contains("hunt"), "{cut}");
        }
        for odd in ["", "\"", "{\"password\"", "{\"password\":", "]}\"\\", "é\"é\":é"] {
            assert_eq!(masked(odd).replace(&format!("\"{MASK}\""), ""), odd);
        }
    }
}
