//! JSON over several lines, which cannot control a terminal.

use serde::Serialize;

use super::color::escape_json;

/// Writes a value.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    escaped(&serde_json::to_string_pretty(value).expect("plain data"))
}

/// Breaks the lines of a valid JSON text, without changing its order.
pub(crate) fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0;
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                out.push('"');
                while let Some(inside) = letters.next() {
                    out.push(inside);
                    match inside {
                        '\\' => out.extend(letters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                out.push(letter);
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    break_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth -= 1;
                break_line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(',');
                break_line(&mut out, depth);
            }
            ':' => out += ": ",
            space if space.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    escaped(&out)
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn escaped(text: &str) -> String {
    text.split('\n').map(|line| escape_json(line) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_space_between_values_changes() {
        let json = r#"{"b": [1,2.50,{ }, [ ]], "a":{"x,y":"\"}: [\\","é":null},"c":"\u001b"}"#;
        let text = indented(json);
        let value = |text: &str| -> serde_json::Value { serde_json::from_str(text).expect(text) };
        assert_eq!(value(&text), value(json));
        insta::assert_snapshot!(text, @r#"
        {
          "b": [
            1,
            2.50,
            {},
            []
          ],
          "a": {
            "x,y": "\"}: [\\",
            "é": null
          },
          "c": "\u001b"
        }
        "#);
    }
}
