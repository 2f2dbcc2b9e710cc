//! Colors of Python source on a page without scripts: splits lines into pieces, each with its kind.
//!
//! Does as `errors/python-source.js` in the console. Reads a few lines out of a file, so it guesses: a
//! docstring that began above them is taken for code.

/// The keywords, and the words that are keywords in some places only.
const KEYWORDS: [&str; 37] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class",
    "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if",
    "import", "in", "is", "lambda", "match", "nonlocal", "not", "or", "pass", "raise", "return",
    "try", "while", "with", "yield",
];

/// A part of a line; `kind` is empty for plain text.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Piece {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// Returns the pieces of each line. The texts of a line's pieces add up to the line.
pub(super) fn color_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Vec<Piece>> {
    // The quotes of a string that continues on the next line.
    let mut open = None;
    lines.map(|line| color_line(line, &mut open)).collect()
}

fn color_line<'a>(line: &'a str, open: &mut Option<&'static str>) -> Vec<Piece> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    let mut add = |kind, text: &'a str| {
        pieces.push(Piece { kind, text: text.to_owned() });
        text.len()
    };
    if let Some(quotes) = *open {
        let end = end_of_string(line, quotes);
        if end.is_some() {
            *open = None;
        }
        at += add("string", &line[..end.unwrap_or(line.len())]);
    }
    let mut is_definition = false;
    while at < line.len() {
        let rest = &line[at..];
        at += if let Some((start, quotes)) = start_of_string(rest) {
            let end = end_of_string(&rest[start..], quotes).map(|end| start + end);
            if end.is_none() && quotes.len() == 3 {
                *open = Some(quotes);
            }
            add("string", &rest[..end.unwrap_or(rest.len())])
        } else if rest.starts_with('#') {
            add("comment", rest)
        } else if let Some(name) = decorator(rest).filter(|_| line[..at].trim().is_empty()) {
            add("decorator", name)
        } else if rest.starts_with(is_name_start) {
            let word = &rest[..length_of(rest, is_name)];
            let is_keyword = KEYWORDS.contains(&word);
            let kind = match (is_definition, is_keyword) {
                (true, _) => "definition",
                (false, true) => "keyword",
                (false, false) => "",
            };
            is_definition = matches!(word, "def" | "class");
            add(kind, word)
        } else if let Some(length) = length_of_number(rest) {
            add("number", &rest[..length])
        } else {
            let first = rest.chars().next().map_or(0, char::len_utf8);
            add("", &rest[..length_of(rest, is_other).max(first)])
        };
    }
    pieces
}

/// Splits pieces before a character of their text.
pub(super) fn split_pieces(pieces: Vec<Piece>, characters: usize) -> [Vec<Piece>; 2] {
    let (mut before, mut after, mut left) = (Vec::new(), Vec::new(), characters);
    for Piece { kind, text } in pieces {
        let at = text.char_indices().nth(left).map_or(text.len(), |(at, _)| at);
        left -= text[..at].chars().count();
        let (first, second) = text.split_at(at);
        let parts = [(&mut before, first), (&mut after, second)];
        for (side, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            side.push(Piece { kind, text: part.to_owned() });
        }
    }
    [before, after]
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_other(c: char) -> bool {
    !is_name(c) && !matches!(c, '"' | '\'' | '#' | '@' | '.')
}

fn length_of(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// Returns the length of the prefix and the quotes at the start of a string, and the quotes.
fn start_of_string(text: &str) -> Option<(usize, &'static str)> {
    let prefix = length_of(text, |c| "rbuftRBUFT".contains(c));
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let found = quotes.into_iter().find(|quotes| text[prefix..].starts_with(quotes))?;
    (prefix <= 2).then_some((prefix + found.len(), found))
}

/// Returns the end of a string, of which the text is the rest.
fn end_of_string(text: &str, quotes: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if text[at..].starts_with(quotes) {
            return Some(at + quotes.len());
        }
    }
    None
}

fn decorator(text: &str) -> Option<&str> {
    let name = text.strip_prefix('@').filter(|name| name.starts_with(is_name_start))?;
    Some(&text[..1 + length_of(name, |c| is_name(c) || c == '.')])
}

fn length_of_number(text: &str) -> Option<usize> {
    let digits = text.strip_prefix('.').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut length = length_of(text, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    // `1e-5`, and not `0xe-5`.
    let is_decimal = !text[..length].contains(['x', 'X']);
    if is_decimal && text[..length].ends_with(['e', 'E']) && text[length..].starts_with(['-', '+'])
    {
        length += 1 + length_of(&text[length + 1..], |c| c.is_ascii_digit() || c == '_');
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The colored pieces of each line, with their kinds.
    fn colored(lines: &[&str]) -> Vec<Vec<String>> {
        let all = color_lines(lines.iter().copied());
        for (pieces, line) in all.iter().zip(lines) {
            let texts: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
            assert_eq!(texts, *line);
        }
        let shown = |piece: Piece| {
            (!piece.kind.is_empty()).then(|| [piece.kind, " ", &*piece.text].concat())
        };
        all.into_iter().map(|pieces| pieces.into_iter().filter_map(shown).collect()).collect()
    }

    #[test]
    fn each_piece_has_its_kind() {
        let lines = [
            "@app.route('/a\\'b')  # é",
            "async def größe(x=0x1F, y=1e-5, z=.5j) -> None:",
            "    return f\"{x} # no\" + rb'''open",
            "still'' open''' if x.real @ y else \"unended",
            "    x = m[1:20].é; \u{1f600} = b",
        ];
        let expected: [&[&str]; 5] = [
            &["decorator @app.route", "string '/a\\'b'", "comment # é"],
            &[
                "keyword async",
                "keyword def",
                "definition größe",
                "number 0x1F",
                "number 1e-5",
                "number .5j",
                "keyword None",
            ],
            &["keyword return", "string f\"{x} # no\"", "string rb'''open"],
            &["string still'' open'''", "keyword if", "keyword else", "string \"unended"],
            &["number 1", "number 20"],
        ];
        assert_eq!(colored(&lines), expected);
    }

    #[test]
    fn pieces_are_split_before_a_character() {
        let [line] = &color_lines(["é = 'xyz'"].into_iter())[..] else { panic!("one line") };
        let text =
            |pieces: &[Piece]| -> String { pieces.iter().map(|piece| &*piece.text).collect() };
        for at in 0..12 {
            let [before, after] = split_pieces(line.clone(), at);
            assert_eq!(text(&before).chars().count(), at.min(9));
            assert_eq!(text(&before) + &text(&after), "é = 'xyz'");
        }
        let [_, after] = split_pieces(line.clone(), 5);
        assert_eq!(after, [Piece { kind: "string", text: "xyz'".to_owned() }]);
    }
}
