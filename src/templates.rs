//! Renders the HTML templates in the binary, with all text escaped.
//!
//! Owns the template engine; knows nothing of requests.

mod python_source;

use std::sync::OnceLock;

use minijinja::{Environment, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rust_embed::Embed;

use crate::escape::escape_lines;
use crate::message::Traceback;

use python_source::{Piece, color_lines, split_pieces};

#[derive(Embed)]
#[folder = "templates"]
#[include = "*.html"]
#[exclude = "new/*"]
struct Templates;

/// The styles of the console that its error component has, in a page of their own.
#[derive(Embed)]
#[folder = "templates/console"]
#[include = "page/theme.css"]
#[include = "page/base.css"]
#[include = "page/colors.css"]
#[include = "components/facts.css"]
#[include = "errors/traceback.css"]
#[include = "errors/error-page.css"]
struct ErrorStyles;

/// The styles of each error page, in order: later ones override earlier ones.
const STYLES: [&str; 4] =
    ["page/theme.css", "page/base.css", "components/facts.css", "errors/error-page.css"];
const TRACEBACK_STYLE: &str = "errors/traceback.css";
const LAST_STYLE: &str = "page/colors.css";

/// Renders the error page, with the traceback, and the errors and near routes of `members`. It links
/// to the console at the path `console`.
pub(crate) fn error(
    status: u16,
    title: &str,
    detail: &str,
    request_id: &str,
    traceback: Option<&Traceback>,
    members: &serde_json::Map<String, serde_json::Value>,
    console: Option<&str>,
) -> String {
    let styles = traceback.map(|_| TRACEBACK_STYLE);
    let styles = STYLES.into_iter().chain(styles).chain([LAST_STYLE]).map(style);
    let styles = minijinja::Value::from_safe_string(styles.collect());
    let traceback = minijinja::value::Serde(traceback);
    let member = |name: &str| minijinja::value::Serde(members.get(name).cloned());
    let (errors, near_routes) = (member("errors"), member("near_routes"));
    render(
        "error.html",
        context! {
            status, title, detail, request_id, styles, traceback, errors, near_routes, console
        },
    )
}

/// Returns a style sheet. It is text of this repository, so it needs no escaping.
fn style(name: &str) -> String {
    let file = ErrorStyles::get(name).expect("the style sheets are tested");
    String::from_utf8_lossy(&file.data).into_owned()
}

/// Renders a template of `templates/`.
pub(crate) fn render(name: &str, context: minijinja::Value) -> String {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.add_filter("visible", |text: String| escape_lines(&text));
        environment.add_filter("marked", |frame: minijinja::Value| marked(&frame));
        environment.add_filter("component", |text: String| {
            utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
        });
        for name in Templates::iter() {
            let file = Templates::get(&name).expect("the name came from the same list");
            let text = String::from_utf8_lossy(&file.data).into_owned();
            environment
                .add_template_owned(name.into_owned(), text)
                .expect("the templates are tested");
        }
        environment
    });
    environment
        .get_template(name)
        .and_then(|template| template.render(context))
        .expect("the templates are tested")
}

/// A line of a frame, split around the expression that failed (PEP 657).
#[derive(serde::Serialize)]
struct MarkedLine {
    number: u32,
    fails: bool,
    before: Vec<Piece>,
    fault: Vec<Piece>,
    after: Vec<Piece>,
}

/// Colors the lines of a frame, and splits them around the expression that failed.
fn marked(frame: &minijinja::Value) -> Result<minijinja::Value, minijinja::Error> {
    let number = |value: &minijinja::Value, name: &str| {
        Ok::<_, minijinja::Error>(u32::try_from(value.get_attr(name)?).ok())
    };
    let first = number(frame, "line")?.unwrap_or_default();
    let last = number(frame, "end_line")?.unwrap_or(first);
    let (column, end_column) = (number(frame, "column")?, number(frame, "end_column")?);
    let mut texts = Vec::new();
    for line in frame.get_attr("source")?.try_iter()? {
        texts
            .push((number(&line, "line")?.unwrap_or_default(), line.get_attr("text")?.to_string()));
    }
    let sources = texts.iter().map(|(_, text)| text.as_str());
    // Only the words of Python have colors.
    let colored = match frame.get_attr("file")?.as_str().is_some_and(|file| file.ends_with(".rs")) {
        true => sources.map(|text| vec![Piece { kind: "", text: text.to_owned() }]).collect(),
        false => color_lines(sources),
    };
    let mut lines = Vec::new();
    for ((at, text), pieces) in texts.iter().zip(colored) {
        let at = *at;
        let fails = (first..=last).contains(&at);
        let [before, fault, after] = match column {
            Some(column) if fails => {
                let indent = text.chars().take_while(|c| c.is_whitespace()).count();
                let from = if at == first { column as usize } else { indent };
                let to = match end_column {
                    Some(end) if at == last => end as usize,
                    None if at == last => from + 1,
                    _ => usize::MAX,
                };
                split_at_two(pieces, from, to)
            }
            _ => [pieces, Vec::new(), Vec::new()],
        };
        lines.push(MarkedLine { number: at, fails, before, fault, after });
    }
    Ok(minijinja::Value::from(minijinja::value::Serde(lines)))
}

/// Splits a line before two of its characters.
fn split_at_two(pieces: Vec<Piece>, from: usize, to: usize) -> [Vec<Piece>; 3] {
    let [before, rest] = split_pieces(pieces, from);
    let [fault, after] = split_pieces(rest, to.saturating_sub(from));
    [before, fault, after]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Frame, Local, SourceLine};

    fn none() -> serde_json::Map<String, serde_json::Value> {
        serde_json::Map::new()
    }

    #[test]
    fn near_routes_are_links_where_a_browser_can_open_them() {
        let near = serde_json::json!([
            {"methods": ["GET"], "path": "/a/<int:id>", "link": "/a/7\"><b>"},
            {"methods": ["POST"], "path": "/b", "link": null},
        ]);
        let members = serde_json::Map::from_iter([("near_routes".to_owned(), near)]);
        let page = error(404, "Not Found", "no route", "3", None, &members, None);
        assert!(page.matches("<a href").count() == 1 && !page.contains("<b>"), "{page}");
        assert!(page.contains("POST"), "{page}");
        // In dev mode, each route can be tried in the console.
        let page = error(404, "Not Found", "no route", "3", None, &members, Some("/console/"));
        let link = "#routes?open=GET%20%2Fa%2F%3Cint%3Aid%3E\"";
        assert!(page.matches("<a href").count() == 3 && page.contains(link), "{page}");
    }

    fn error_of(traceback: &Traceback) -> String {
        error(500, "Error", "", "3", Some(traceback), &none(), Some("/console/"))
    }

    fn raised(kind: &str, text: &str, column: u32, end_column: u32) -> Traceback {
        let frame = Frame {
            file: "python/app.py".into(),
            line: 7,
            column: Some(column),
            end_column: Some(end_column),
            function: "boom".into(),
            user: true,
            source: vec![SourceLine { line: 7, text: text.into() }],
            locals: vec![Local { name: "a".into(), value: "<b>".into(), ..Local::default() }],
            ..Frame::default()
        };
        Traceback { kind: kind.into(), frames: vec![frame], ..Traceback::default() }
    }

    #[test]
    fn the_failed_expression_is_underlined_by_characters() {
        let page = error_of(&raised("ValueError", "é = <x> + 1", 4, 7));
        let marked = "é = <mark>&lt;x&gt;</mark> + <span class=\"py-number\">1</span>";
        assert!(page.contains(marked), "{page}");
        let page = error_of(&raised("ValueError", "x = 'a<b'", 6, 8));
        let string = |text: &str| format!("<span class=\"py-string\">{text}</span>");
        let marked =
            format!("{}<mark>{}</mark>{}", string("&#x27;a"), string("&lt;b"), string("&#x27;"));
        assert!(page.contains(&marked), "{page}");
        let mut rust = raised("error[E0308]", "fn f<'a>(x: &'a str) {}", 12, 19);
        rust.frames[0].file = "src/main.rs".into();
        let page = error_of(&rust);
        let plain = "fn f&lt;&#x27;a&gt;(x: <mark>&amp;&#x27;a str</mark>) {}";
        assert!(page.contains(plain), "{page}");
        for (from, to) in [(99, 120), (4, 2)] {
            let page = error_of(&raised("ValueError", "abcdef", from, to));
            assert!(!page.contains("<mark>") && page.contains("abcdef</code>"), "{page}");
        }
    }

    #[test]
    fn causes_groups_and_library_frames_are_shown() {
        let mut outer = raised("Outer", "x", 0, 1);
        outer.frames.push(Frame { file: "lib/json.py".into(), ..Frame::default() });
        outer.exceptions = vec![raised("Inner", "y", 0, 1)];
        outer.cause = Some(Box::new(raised("Reason", "z", 0, 1)));
        let page = error_of(&outer);
        for shown in ["1 library frame<", ">Inner</span>", ">Reason</span>", "#3", "raised while"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
    }

    #[test]
    fn an_error_page_has_the_styles_of_the_console_and_in_production_no_traceback() {
        let page = error_of(&raised("ValueError", "x", 0, 1));
        let production = error(404, "Not Found", "no route", "3", None, &none(), None);
        for name in STYLES.into_iter().chain([LAST_STYLE]) {
            assert!(page.contains(&style(name)) && production.contains(&style(name)), "{name}");
        }
        assert!(page.contains(&style(TRACEBACK_STYLE)));
        assert!(!production.contains(&style(TRACEBACK_STYLE)), "{production}");
        assert!(!production.contains("href"), "{production}");
    }

    #[test]
    fn a_character_that_reorders_text_is_shown_as_its_number() {
        let page = error(404, "Not Found", "a\u{202e}b\u{1b}", "3", None, &none(), None);
        assert!(page.contains("a\\u{202e}b\\u{1b}"), "{page}");
    }
}
