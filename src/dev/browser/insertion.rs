//! Finds the place for the script in an HTML page that arrives in pieces.
//!
//! A tokenizer of the HTML standard reads the page, so markup in a script, a style sheet, a comment,
//! an attribute or a template is ignored. Builds no tree, and changes no byte.

use std::convert::Infallible;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State, Tokenizer};

/// Bytes of the largest script, style sheet or comment that arrives in pieces.
const MAX_PENDING: usize = 256 * 1024;
/// Bytes of the longest incomplete end tag.
const MAX_HELD: usize = 256;
/// A tag that no page has. It is recognised only where a script element would be.
const PROBE: &[u8] = b"<snaxum-probe>";

/// Follows the markup of a page.
#[derive(Debug, Default)]
pub(super) struct InsertionFinder {
    /// The bytes after the last complete token.
    pending: Vec<u8>,
    /// The number of them that were returned.
    sent: usize,
    /// The elements that are open at the start of `pending`.
    open: Vec<OpenElement>,
    is_document: bool,
    has_given_up: bool,
}

/// An element whose content is read differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenElement {
    /// Its content is not part of the page.
    Template,
    Svg,
    Math,
    /// HTML within SVG.
    ForeignObject,
}

impl OpenElement {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"template" => Self::Template,
            b"svg" => Self::Svg,
            b"math" => Self::Math,
            b"foreignobject" => Self::ForeignObject,
            _ => return None,
        })
    }

    fn is_foreign(self) -> bool {
        matches!(self, Self::Svg | Self::Math)
    }
}

impl InsertionFinder {
    /// Reads the next piece, and adds to `ready` all bytes that come before the place. Returns the
    /// bytes after it, once it is found.
    pub(super) fn push(&mut self, piece: &[u8], ready: &mut Vec<u8>) -> Option<Vec<u8>> {
        if self.has_given_up {
            ready.extend_from_slice(piece);
            return None;
        }
        self.pending.extend_from_slice(piece);
        let watcher = self.read(&self.pending);
        if let Some(place) = watcher.place.filter(|&place| place >= self.sent) {
            ready.extend_from_slice(&self.pending[self.sent..place]);
            self.is_document = true;
            return Some(self.pending.split_off(place));
        }
        // The tokenizer skips an end tag without a name, and reports nothing.
        let mut token = &self.pending[watcher.boundary..];
        while let Some(rest) = token.strip_prefix(b"</>") {
            token = rest;
        }
        let end = self.pending.len() - if may_be_end(token) { token.len() } else { 0 };
        if end > self.sent {
            ready.extend_from_slice(&self.pending[self.sent..end]);
            self.sent = end;
        }
        let BodyFinder { boundary, open_at_boundary, is_document, .. } = watcher;
        (self.open, self.is_document) = (open_at_boundary, is_document);
        self.pending.drain(..boundary);
        self.sent -= boundary;
        if self.pending.len() > MAX_PENDING {
            self.has_given_up = true;
            ready.extend_from_slice(&self.pending[self.sent..]);
            self.pending = Vec::new();
        }
        None
    }

    /// Adds the last bytes to `ready`; returns whether an element may follow them.
    pub(super) fn finish(&mut self, ready: &mut Vec<u8>) -> bool {
        if self.has_given_up {
            return false;
        }
        ready.extend_from_slice(&self.pending[self.sent..]);
        self.sent = self.pending.len();
        let whole = [&*self.pending, PROBE].concat();
        let watcher = self.read(&whole);
        watcher.boundary == whole.len()
            && watcher.tag == PROBE[1..PROBE.len() - 1]
            && watcher.open.is_empty()
    }

    /// Whether the page has markup of a document, not of a fragment.
    pub(super) fn is_document(&self) -> bool {
        self.is_document
    }

    /// Reads `text`, which begins with the open elements of `self`.
    fn read(&self, text: &[u8]) -> BodyFinder {
        let mut watcher = BodyFinder {
            length: text.len(),
            last_open: text.iter().rposition(|&byte| byte == b'<').unwrap_or(text.len()),
            open: self.open.clone(),
            open_at_boundary: self.open.clone(),
            is_document: self.is_document,
            ..BodyFinder::default()
        };
        let emitter = PageEmitter(CallbackEmitter::new(Observer(&mut watcher)));
        let Ok(()) = Tokenizer::new_with_emitter(text, emitter).finish();
        watcher
    }
}

/// Reports whether an incomplete token may become the end tag of the page.
fn may_be_end(token: &[u8]) -> bool {
    token.len() <= MAX_HELD
        && [&b"</body"[..], b"</html"].iter().any(|tag| {
            let length = token.len().min(tag.len());
            token[..length].eq_ignore_ascii_case(&tag[..length])
        })
}

/// The result of one reading.
#[derive(Debug, Default)]
struct BodyFinder {
    length: usize,
    /// The last `<` of the text.
    last_open: usize,
    /// The end of the last complete token, outside of scripts and the like.
    boundary: usize,
    open: Vec<OpenElement>,
    open_at_boundary: Vec<OpenElement>,
    /// The start of the first `</body>` or `</html>`.
    place: Option<usize>,
    is_document: bool,
    /// Whether the text ends in a script or the like, where no tag but its own end counts.
    is_raw: bool,
    /// The newest start tag.
    tag: Vec<u8>,
    next_state: Option<State>,
}

impl BodyFinder {
    fn complete(&mut self, end: usize) {
        if !self.is_raw && self.place.is_none() {
            self.boundary = end;
            self.open_at_boundary.clone_from(&self.open);
        }
    }

    fn is_foreign(&self) -> bool {
        self.open.last().is_some_and(|element| element.is_foreign())
    }

    fn start_tag(&mut self, is_self_closing: bool) {
        self.is_document |= matches!(&*self.tag, b"html" | b"head" | b"body");
        let was_foreign = self.is_foreign();
        match OpenElement::named(&self.tag) {
            Some(OpenElement::ForeignObject) if !was_foreign => {}
            // Only foreign elements can close themselves.
            Some(OpenElement::Template) if was_foreign => {}
            Some(element) if element == OpenElement::Template || !is_self_closing => {
                self.open.push(element);
            }
            _ => {}
        }
        if !was_foreign && !self.is_foreign() {
            self.next_state = content_state(&self.tag);
            self.is_raw = self.next_state.is_some();
        }
    }

    fn end_tag(&mut self, name: &[u8], start: usize) {
        self.is_raw = false;
        let element = OpenElement::named(name);
        if let Some(at) = self.open.iter().rposition(|&open| Some(open) == element) {
            self.open.truncate(at);
        }
        if matches!(name, b"body" | b"html") && self.open.is_empty() && self.place.is_none() {
            self.place = Some(start);
        }
    }
}

/// Returns how the content of an element is read, with scripts enabled.
fn content_state(tag: &[u8]) -> Option<State> {
    Some(match tag {
        b"textarea" | b"title" => State::RcData,
        b"plaintext" => State::PlainText,
        b"script" => State::ScriptData,
        b"style" | b"iframe" | b"xmp" | b"noembed" | b"noframes" | b"noscript" => State::RawText,
        _ => return None,
    })
}

struct Observer<'a>(&'a mut BodyFinder);

impl Callback<Infallible, usize> for Observer<'_> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, span: Span<usize>) -> Option<Infallible> {
        let watcher = &mut *self.0;
        // At the end of the text, a token may be incomplete.
        let is_last = span.end == watcher.length;
        match event {
            CallbackEvent::OpenStartTag { name } => watcher.tag = name.to_vec(),
            CallbackEvent::CloseStartTag { self_closing } => {
                watcher.start_tag(self_closing);
                watcher.complete(span.end);
            }
            CallbackEvent::EndTag { name } => {
                watcher.end_tag(name, span.start);
                watcher.complete(span.end);
            }
            // The text may be in an incomplete CDATA section.
            CallbackEvent::String { .. } if is_last && watcher.is_foreign() => {}
            CallbackEvent::String { .. } if is_last => {
                let end = watcher.last_open.max(watcher.boundary);
                watcher.complete(end);
            }
            CallbackEvent::Doctype { .. } => {
                watcher.is_document = true;
                if !is_last {
                    watcher.complete(span.end);
                }
            }
            CallbackEvent::String { .. } | CallbackEvent::Comment { .. } if !is_last => {
                watcher.complete(span.end);
            }
            _ => {}
        }
        None
    }
}

/// An emitter that reads the content of scripts and the like as a browser does.
struct PageEmitter<'a>(CallbackEmitter<Observer<'a>, Infallible, usize>);

impl ForwardingEmitter for PageEmitter<'_> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let _ = self.0.emit_current_tag();
        self.0.callback_mut().0.next_state.take()
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.0.callback_mut().0.is_foreign()
    }
}

/// The properties of the place, which the fuzzer and the tests check.
#[cfg(any(test, fuzzing))]
mod properties {
    use super::*;

    pub(super) const TAG: &str = "<SCRIPT>";

    /// The page with a tag, when it arrives in pieces of this size.
    pub(super) fn in_pieces(page: &str, size: usize) -> String {
        let (mut finder, mut ready) = (InsertionFinder::default(), Vec::new());
        let mut after = None;
        for piece in page.as_bytes().chunks(size) {
            match &mut after {
                None => after = finder.push(piece, &mut ready),
                Some(after) => after.extend_from_slice(piece),
            }
        }
        match after {
            Some(after) => {
                ready.extend_from_slice(TAG.as_bytes());
                ready.extend(after);
            }
            None if finder.finish(&mut ready) => ready.extend_from_slice(TAG.as_bytes()),
            None => {}
        }
        String::from_utf8(ready).expect("the page is UTF-8")
    }

    /// The page read by the tokenizer's own rules: whether the tag is one of its start tags.
    fn has_tag(page: &str) -> bool {
        let mut found = false;
        let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| {
            found |= matches!(event, CallbackEvent::OpenStartTag { name: b"mark" });
            None::<Infallible>
        });
        emitter.naively_switch_states(true);
        let Ok(()) = Tokenizer::new_with_emitter(page, emitter).finish();
        found
    }

    /// Checks a page: the place does not depend on the pieces, no byte changes, and the tag is one there.
    pub fn fuzz_html(page: &str) {
        if page.len() > MAX_HELD {
            return; // an end tag of this length is not waited for
        }
        let whole = in_pieces(page, page.len().max(1));
        for size in [1, 2, 5] {
            assert_eq!(in_pieces(page, size), whole, "in pieces of {size}");
        }
        let Some(at) = whole.find(TAG).filter(|_| !page.contains(TAG)) else { return };
        assert_eq!([&whole[..at], &whole[at + TAG.len()..]].concat(), page);
        // The simpler rules know no SVG, and take `noframe` for the element `noframes`.
        let is_simple =
            ["svg", "math", "noframe"].iter().all(|name| !page.to_ascii_lowercase().contains(name));
        assert!(!is_simple || has_tag(&whole.replacen(TAG, "<mark>", 1)), "{whole}");
    }
}

#[cfg(any(test, fuzzing))]
pub use properties::fuzz_html;

#[cfg(test)]
mod tests {
    use super::properties::{TAG, in_pieces};
    use super::*;

    #[test]
    fn the_place_is_before_the_end_of_the_body_and_nowhere_else() {
        let hidden = [
            "<script>var a = '</body>';</script>",
            "<script><!-- <script>'</body>'</script> '</body>' --></script>",
            "<style>a::after { content: '</body></html>' }</style>",
            "<!-- </body> -->",
            "<!-- > </body> --!>",
            "<!doctype html></body-guard>",
            "<a title='</body>' href=\"</html>\" b=</body>c</a>",
            "<textarea></body></textarea>",
            "<title></body></title>",
            "<template><p></body></html></template>",
            "<template><template></body></template></body></template>",
            "<noscript></body></noscript>",
            "<iframe></body></iframe><xmp></body></xmp><noframes></body></noframes>",
            "<svg><![CDATA[ </body> ]]></svg>",
            "<svg><foreignObject><style></body></style></foreignObject></svg>",
            "<svg/><style></body></style>",
            "<svg><title>a</title><style>b</style></svg>",
            "<p>a < b &amp </p\r\n>\r\n",
            "<p>a</></></p></>",
            "",
        ];
        for before in hidden {
            for end in ["</body></html>", "</BODY\n></html>", "</body a='>'>", "</html>"] {
                let page = format!("<p>h\u{e9}</p>\r\n{before}{end}\n");
                let expected = page.replace(&format!("{end}\n"), &format!("{TAG}{end}\n"));
                for size in [1, 2, 3, 7, page.len()] {
                    assert_eq!(in_pieces(&page, size), expected, "{size}");
                }
            }
            for size in [1, 5, 1000] {
                let expected = format!("{before}{TAG}");
                assert_eq!(in_pieces(before, size), expected, "without an end");
            }
        }
    }

    #[test]
    fn a_page_that_ends_within_an_element_or_a_tag_is_unchanged() {
        for page in [
            "<script>a",
            "<style></body>",
            "<!-- </body>",
            "<a href='</body>",
            "<p",
            "<textarea>",
            "<title>a</titl",
            "<template></body>",
            "<plaintext></body>",
            "<svg><path>",
            "a</body",
        ] {
            for size in [1, 4, 1000] {
                assert_eq!(in_pieces(page, size), page, "{size}");
            }
        }
    }

    #[test]
    fn each_byte_of_a_stream_is_sent_at_once_but_for_the_start_of_an_end_tag() {
        let mut finder = InsertionFinder::default();
        let mut push = |piece: &str| {
            let mut ready = Vec::new();
            let after = finder.push(piece.as_bytes(), &mut ready);
            (String::from_utf8(ready).expect("UTF-8"), after.is_some())
        };
        for piece in
            ["<!doctype html><p>a", "<p title='b", "'>c<!-- d", " --><script>e </bo", "dy>"]
        {
            assert_eq!(push(piece), (piece.to_owned(), false));
        }
        assert_eq!(push("</script>f</bo"), ("</script>f".to_owned(), false));
        assert_eq!(push("x"), ("</box".to_owned(), false));
        assert_eq!(push(">g</body"), (">g".to_owned(), false));
        assert_eq!(push(">"), (String::new(), true));
        assert!(finder.is_document());
    }

    const WORDS: [&str; 34] = [
        "</body>",
        "</html>",
        "</body",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "--!>",
        "<style>",
        "</style>",
        "<template>",
        "</template>",
        "<textarea>",
        "</textarea>",
        "<svg>",
        "</svg>",
        "<![CDATA[",
        "]]>",
        "<p a=\"",
        "'",
        "\"",
        ">",
        "<",
        "/",
        "=",
        "\r\n",
        " ",
        "<title>",
        "</title>",
        "<!doctype html>",
        "<body>",
        "&amp",
        "<noscript>",
        "</noscript>",
    ];

    #[test]
    fn fuzz_html() {
        crate::fuzz::check("html", &WORDS, super::fuzz_html);
    }

    #[test]
    fn a_script_without_an_end_is_sent_and_costs_bounded_memory() {
        let (mut finder, mut size) = (InsertionFinder::default(), 0);
        for _ in 0..40 {
            let mut ready = Vec::new();
            assert!(finder.push(&[b"<script>", &[b'a'; 16384][..]].concat(), &mut ready).is_none());
            size += ready.len();
        }
        let mut ready = Vec::new();
        assert!(!finder.finish(&mut ready));
        assert_eq!(size + ready.len(), 40 * (16384 + 8));
        assert!(finder.pending.capacity() < 2 * MAX_PENDING);
    }
}
