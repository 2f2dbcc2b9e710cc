//! Masks the columns of tables by the names in their first row: CSV, rows of JSON, and pandas' `split`.
//!
//! Reads a text as the tables of the console do, also one that is cut or invalid, and changes nothing but
//! the masked values.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{self, string_end, unescape, value_end};
use super::names::SecretNames;
use super::patterns::MASK;

/// The delimiters of CSV: the most frequent one of the first line is used, a tab before others.
const DELIMITERS: [char; 4] = ['\t', ',', ';', '|'];
/// The most bytes of the first line that are searched for it.
const MAX_FIRST_LINE: usize = 10_000;

/// Masks CSV; with `has_tabs`, its delimiter is known.
pub(super) fn mask_csv<'a>(text: &'a str, has_tabs: bool, names: &SecretNames) -> Cow<'a, str> {
    let delimiter = if has_tabs { '\t' } else { likely_delimiter(text) };
    let (mut masked, mut secret, mut column, mut is_head) = (Vec::new(), Vec::new(), 0, true);
    let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    while at < text.len() {
        let end = field_end(text, at, delimiter);
        let field = &text[at..end];
        if is_head && names.is_secret(&field.replace('"', "")) {
            secret.push(column);
        } else if !is_head && !field.is_empty() && secret.binary_search(&column).is_ok() {
            masked.push(at..end);
        }
        let rest = &text[end..];
        if rest.starts_with(delimiter) {
            column += 1;
            at = end + delimiter.len_utf8();
            continue;
        }
        // An empty line has no names.
        let is_empty = column == 0 && field.is_empty();
        if is_head && !is_empty && secret.is_empty() {
            break;
        }
        is_head &= is_empty;
        column = 0;
        at = end + if rest.starts_with("\r\n") { 2 } else { 1 };
    }
    replace(text, &masked, MASK)
}

/// Returns the end of the field at `at`.
fn field_end(text: &str, at: usize, delimiter: char) -> usize {
    let mut end = at;
    if text[at..].starts_with('"') {
        end += 1;
        loop {
            let Some(quote) = text[end..].find('"') else { return text.len() };
            end += quote + 1;
            // Two quotes inside are one.
            if !text[end..].starts_with('"') {
                break;
            }
            end += 1;
        }
    }
    let rest = text[end..].find([delimiter, '\n', '\r']);
    rest.map_or(text.len(), |length| end + length)
}

fn likely_delimiter(text: &str) -> char {
    let line = text.split('\n').next().unwrap_or_default();
    let end = (0..=line.len().min(MAX_FIRST_LINE)).rfind(|&end| line.is_char_boundary(end));
    let line = &line[..end.unwrap_or_default()];
    // Between quotes, a delimiter is text.
    let plain: String = line.split('"').step_by(2).collect();
    let count = |delimiter: &char| plain.matches(*delimiter).count();
    let most = DELIMITERS.iter().map(count).max().unwrap_or_default();
    let is_most = |delimiter: &char| most > 0 && count(delimiter) == most;
    DELIMITERS.into_iter().find(is_most).unwrap_or(',')
}

/// Adds JSON to `redacted`, without the values of secret names and columns; with `is_lines`, each line is one.
pub(super) fn push_redacted_json(
    redacted: &mut String,
    text: &str,
    is_lines: bool,
    names: &SecretNames,
) {
    json::push_redacted_json(redacted, &mask_json_rows(text, is_lines, names), names);
}

/// Masks rows of JSON: a list of lists, or with `is_lines` a list on each line, whose first row has the
/// names; and the lists of `data` that the names in `columns` belong to. Both also one level deep.
fn mask_json_rows<'a>(text: &'a str, is_lines: bool, names: &SecretNames) -> Cow<'a, str> {
    let start = text.len() - text.trim_start_matches(is_separator).len();
    let mut masked = Vec::new();
    match text.as_bytes().get(start) {
        Some(b'[') if is_lines => mask_rows(text, start..text.len(), None, names, &mut masked),
        Some(b'[') => mask_rows(text, start + 1..text.len(), None, names, &mut masked),
        Some(b'{') => {
            for (value, end) in mask_split(text, start, names, &mut masked) {
                match text.as_bytes().get(value) {
                    Some(b'{') => {
                        mask_split(text, value, names, &mut masked);
                    }
                    Some(b'[') => mask_rows(text, value + 1..end, None, names, &mut masked),
                    _ => {}
                }
            }
            masked.sort_by_key(|range| range.start);
        }
        _ => {}
    }
    replace(text, &masked, &format!("\"{MASK}\""))
}

/// Masks the object at `at`, if it is a table; returns the begin and the end of its other values.
fn mask_split(
    text: &str,
    at: usize,
    names: &SecretNames,
    masked: &mut Vec<Range<usize>>,
) -> Vec<(usize, usize)> {
    let (mut values, mut columns, mut data) = (Vec::new(), None, None);
    let mut at = at + 1;
    loop {
        at += separators(&text[at..]);
        if !text[at..].starts_with('"') {
            break;
        }
        let end = at + string_end(&text[at..]);
        let key = unescape(&text[at..end]);
        at = end + separators(&text[end..]);
        let end = at + value_end(&text[at..]);
        match key.as_str() {
            "columns" => columns = Some(at..end),
            "data" => data = Some(at..end),
            _ => {}
        }
        values.push((at, end));
        if end == at {
            break;
        }
        at = end;
    }
    if let (Some(columns), Some(data)) = (columns, data)
        && text[columns.start..].starts_with('[')
        && text[data.start..].starts_with('[')
    {
        values.retain(|(at, _)| *at != columns.start && *at != data.start);
        let secret = secret_columns(text, columns, names);
        mask_rows(text, data.start + 1..data.end, Some(secret), names, masked);
    }
    values
}

/// Masks the lists in a part of the text; without `secret`, the first of them has the names.
fn mask_rows(
    text: &str,
    part: Range<usize>,
    mut secret: Option<Vec<usize>>,
    names: &SecretNames,
    masked: &mut Vec<Range<usize>>,
) {
    let mut at = part.start;
    while at < part.end {
        at += separators(&text[at..part.end]);
        if !text[at..part.end].starts_with('[') {
            break;
        }
        let end = at + value_end(&text[at..part.end]);
        match &secret {
            None => secret = Some(secret_columns(text, at..end, names)),
            Some(secret) if secret.is_empty() => return,
            Some(secret) => {
                let values = elements(text, at..end).enumerate();
                let its = values.filter(|(column, _)| secret.binary_search(column).is_ok());
                masked.extend(its.map(|(_, value)| value));
            }
        }
        at = end;
    }
}

/// Returns the places of secret names in a list.
fn secret_columns(text: &str, list: Range<usize>, names: &SecretNames) -> Vec<usize> {
    let values = elements(text, list).enumerate();
    let is_secret = |value: &Range<usize>| {
        text[value.start..].starts_with('"') && names.is_secret(&unescape(&text[value.clone()]))
    };
    values.filter(|(_, value)| is_secret(value)).map(|(column, _)| column).collect()
}

/// Returns the places of the values of a list.
fn elements(text: &str, list: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = list.start + 1;
    std::iter::from_fn(move || {
        at += separators(text.get(at..list.end)?);
        let end = at + value_end(&text[at..list.end]);
        let value = (end > at).then_some(at..end);
        at = end;
        value
    })
}

/// Returns the length of the white space and of the marks between values at the start of a text.
fn separators(text: &str) -> usize {
    text.len() - text.trim_start_matches(|c| is_separator(c) || c == ',' || c == ':').len()
}

/// White space, or the mark before each line of `application/json-seq`.
fn is_separator(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{1e}'
}

fn replace<'a>(text: &'a str, masked: &[Range<usize>], mask: &str) -> Cow<'a, str> {
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut from) = (String::with_capacity(text.len()), 0);
    for range in masked.iter().filter(|range| !range.is_empty()) {
        // A value inside a masked one is masked, too.
        if range.start >= from {
            shown.push_str(&text[from..range.start]);
            shown.push_str(mask);
            from = range.end;
        }
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masks, and writes the mask as one letter.
    fn csv(text: &str) -> String {
        mask_csv(text, false, &SecretNames::default()).replace(MASK, "M")
    }

    fn json(text: &str, is_lines: bool) -> String {
        mask_json_rows(text, is_lines, &SecretNames::default()).replace(&format!("\"{MASK}\""), "M")
    }

    #[test]
    fn columns_of_csv_are_masked_by_their_names() {
        for (sent, shown) in [
            (
                "name,password\nada,x\nbob,\"a,\"\"\nb\"\neve,\n",
                "name,password\nada,M\nbob,M\neve,\n",
            ),
            ("\u{feff}\"api key\";n\r\nx;1\r\ny;2", "\u{feff}\"api key\";n\r\nM;1\r\nM;2"),
            ("token\tn\nx\t1", "token\tn\nM\t1"),
            ("amount, EUR\ttoken\n1.5\tx", "amount, EUR\ttoken\n1.5\tM"),
            ("n,token\n1,\"x and cut", "n,token\n1,M"),
            ("a,b\ntoken,x\n", "a,b\ntoken,x\n"),
            ("token", "token"),
            ("\n\ntoken,n\nx,1", "\n\ntoken,n\nM,1"),
            ("", ""),
        ] {
            assert_eq!(csv(sent), shown);
        }
        let tabs = mask_csv("a, b, c\ttoken\n1\tx\n", true, &SecretNames::default());
        assert_eq!(tabs.replace(MASK, "M"), "a, b, c\ttoken\n1\tM\n");
    }

    #[test]
    fn columns_of_lists_are_masked_by_the_first_row() {
        let rows = r#"[["name","password"],["ada","x"],["bob",{"a":[1]}],["eve"]]"#;
        assert_eq!(json(rows, false), r#"[["name","password"],["ada",M],["bob",M],["eve"]]"#);
        let lines = "[\"token\", \"n\"]\n[\"x\", 1]\n\n\u{1e}[null,2]\n[\"cu";
        assert_eq!(json(lines, true), "[\"token\", \"n\"]\n[M, 1]\n\n\u{1e}[M,2]\n[M");
        let nested = r#"{"n":1,"rows":[["name","password"],["ada","x"]],"end":[]}"#;
        assert_eq!(
            json(nested, false),
            r#"{"n":1,"rows":[["name","password"],["ada",M]],"end":[]}"#
        );
        for plain in [r#"[["a"],["token"],["x"]]"#, "[1,2]", "[]", "[", "[[", "[[\"token\"", "7"] {
            assert_eq!(json(plain, false), plain);
        }
    }

    #[test]
    fn columns_of_split_tables_are_masked_in_any_order_and_one_level_deep() {
        let split = r#"{"columns":["id","api_key"],"index":[0,1],"data":[[1,"x"],[2,"y"]]}"#;
        assert_eq!(
            json(split, false),
            r#"{"columns":["id","api_key"],"index":[0,1],"data":[[1,M],[2,M]]}"#
        );
        assert_eq!(
            json(
                r#"{ "n": 1, "t": {"data": [["x", 2]], "columns": ["pass\u0077ord", "b"]}}"#,
                false
            ),
            r#"{ "n": 1, "t": {"data": [[M, 2]], "columns": ["pass\u0077ord", "b"]}}"#
        );
        let cut = r#"{"columns":["token"],"data":[["x"],["yy"#;
        assert_eq!(json(cut, false), r#"{"columns":["token"],"data":[[M],[M"#);
        let value = r#"{"columns":["a"],"data":[["token"],["x"]]}"#;
        assert_eq!(json(value, false), value);
        for plain in [r#"{"columns":["token"],"data":7}"#, r#"{"columns":"#, "{", r#"{"a""#] {
            assert_eq!(json(plain, false), plain);
        }
    }
}
