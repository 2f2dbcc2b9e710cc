//! Redacts JSON (RFC 8259): masks the values of secret names at any depth, and leaves the rest as it
//! was sent. Also reads truncated and invalid JSON.

use super::names::SecretNames;
use super::patterns::{KeyTexts, MASK, push_redacted};

/// Adds the text to `redacted`, without the values of secret names and the matches of patterns.
pub(super) fn push_redacted_json(redacted: &mut String, text: &str, names: &SecretNames) {
    let (mut rest, mut key) = (text, KeyTexts::default());
    while let Some(quote) = rest.find('"') {
        let (before, string) = rest.split_at(quote);
        push_redacted(redacted, before);
        let (string, after) = string.split_at(string_end(string));
        let space = after.len() - after.trim_start().len();
        let value = match after[space..].strip_prefix(':') {
            Some(value) if names.is_secret(&unescape(string)) => value,
            None if key.has(string) => {
                redacted.extend(["\"", MASK, "\""]);
                rest = after;
                continue;
            }
            // A value, or the name of a plain value.
            _ => {
                push_string(redacted, string);
                rest = after;
                continue;
            }
        };
        let value_at = after.len() - value.trim_start().len();
        redacted.push_str(string);
        redacted.push_str(&after[..value_at]);
        let value = &after[value_at..];
        let end = value_end(value);
        redacted.extend(["\"", MASK, "\""]);
        rest = &value[end..];
    }
    push_redacted(redacted, rest);
}

/// Adds a string; a match of a pattern takes no quote.
fn push_string(redacted: &mut String, string: &str) {
    match string[1..].strip_suffix('"') {
        Some(inner) => {
            redacted.push('"');
            push_redacted(redacted, inner);
            redacted.push('"');
        }
        None => push_redacted(redacted, string),
    }
}

/// The start of the arguments of a call, if some of them are positional.
const POSITIONAL: &str = "{\"args\":[";

/// Masks the positional arguments of a call (`function_calls/arguments.rs`) by the names of their
/// parameters; `*rest` is the parameter of each value after it.
pub(super) fn mask_arguments<'a>(
    text: &str,
    mut parameters: impl Iterator<Item = &'a str>,
    names: &SecretNames,
) -> String {
    let Some(mut rest) = text.strip_prefix(POSITIONAL) else { return text.to_owned() };
    let mut masked = POSITIONAL.to_owned();
    let mut repeated = None;
    loop {
        let name = repeated.or_else(|| parameters.next());
        repeated = name.filter(|name| name.starts_with('*'));
        let (value, after) = rest.split_at(value_end(rest));
        match name {
            Some(name) if names.is_secret(name) => masked.extend(["\"", MASK, "\""]),
            _ => masked.push_str(value),
        }
        rest = after;
        let Some(next) = rest.strip_prefix(',') else { break };
        masked.push(',');
        rest = next;
    }
    masked.push_str(rest);
    masked
}

/// Decodes a string: an escape may hide a letter of the name.
pub(super) fn unescape(string: &str) -> String {
    serde_json::from_str(string).unwrap_or_else(|_| string.trim_matches('"').to_owned())
}

/// Returns the end of the string at the start of `text`, quotes included.
pub(super) fn string_end(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the end of the value at the start of `text`.
pub(super) fn value_end(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at += string_end(&text[at..]);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return at + depth,
            b'}' | b']' => depth -= 1,
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str) -> String {
        let mut redacted = String::new();
        push_redacted_json(&mut redacted, text, &SecretNames::default());
        redacted
    }

    #[test]
    fn a_private_key_with_a_line_in_each_value_is_masked() {
        let line = |text: &str| format!("{{\"n\": 1, \"line\": \"{text}\"}}\n");
        let key =
            ["-----BEGIN RSA PRIVATE KEY-----", "MIIEow", "AAAA", "-----END RSA PRIVATE KEY-----"];
        let sent: String = ["a", key[0], key[1], key[2], key[3], "b"].map(line).concat();
        let shown: String = ["a", MASK, MASK, MASK, MASK, "b"].map(line).concat();
        assert_eq!(redacted(&sent), shown);
        assert_eq!(
            redacted(r#"{"lines": ["-----BEGIN PRIVATE KEY-----\n", "MIIEow"], "more": "cut"}"#),
            format!(r#"{{"lines": ["{MASK}", "{MASK}"], "more": "{MASK}"}}"#)
        );
        for whole in [
            r#"["-----BEGIN PRIVATE KEY-----\nMIIEow\n-----END PRIVATE KEY-----", "b"]"#,
            r#"["-----BEGIN CERTIFICATE-----", "b"]"#,
        ] {
            assert!(redacted(whole).ends_with(r#", "b"]"#), "{whole}");
        }
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
            assert_eq!(redacted(sent), shown);
        }
    }

    #[test]
    fn positional_arguments_are_masked_by_the_names_of_parameters() {
        let m = format!("\"{MASK}\"");
        for (parameters, sent, shown) in [
            (
                "name,password,n",
                r#"{"args":["ada","a\"],b",3],"kwargs":{"x":[1]}}"#,
                format!(r#"{{"args":["ada",{m},3],"kwargs":{{"x":[1]}}}}"#),
            ),
            ("token", r#"{"args":[{"a":[1,2]}]}"#, format!(r#"{{"args":[{m}]}}"#)),
            ("a,*tokens", r#"{"args":[1,null,-2.5,[]]}"#, format!(r#"{{"args":[1,{m},{m},{m}]}}"#)),
            ("a,*rest", r#"{"args":[1,"b","c"]}"#, r#"{"args":[1,"b","c"]}"#.to_owned()),
            ("a,password", r#"{"args":[[1],"hun"#, format!(r#"{{"args":[[1],{m}"#)),
            ("", r#"{"args":[1,2]}"#, r#"{"args":[1,2]}"#.to_owned()),
            ("password", r#"{"kwargs":{"a":1}}"#, r#"{"kwargs":{"a":1}}"#.to_owned()),
            ("password", "{}", "{}".to_owned()),
        ] {
            let masked = mask_arguments(sent, parameters.split(','), &SecretNames::default());
            assert_eq!(masked, shown);
        }
    }

    #[test]
    fn a_truncated_text_shows_no_half_of_a_secret() {
        for cut in
            [r#"{"password": "hunt"#, r#"{"password": {"a": "hunt"#, r#"{"password":["hunt", 1"#]
        {
            assert!(!redacted(cut).contains("hunt"), "{cut}");
        }
        for odd in ["", "\"", "{\"password\"", "{\"password\":", "]}\"\\", "é\"é\":é"] {
            assert_eq!(redacted(odd).replace(&format!("\"{MASK}\""), ""), odd);
        }
    }
}
