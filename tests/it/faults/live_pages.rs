//! The script in pages whose markup is unusual, and in pages that are streamed.

use reqwest::Method;

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
import _gate
from snaxum import Response, route

HTML = "text/html; charset=utf-8"


@route("/page", methods=["POST"])
def page(request):
    return Response(request.data, content_type=HTML)


@route("/pieces", methods=["POST"])
def pieces(request):
    text = request.data
    return Response((text[n : n + 3] for n in range(0, len(text), 3)), content_type=HTML)


@route("/slow")
def slow(request):
    def parts():
        yield b"<!doctype html><p>first</p><!-- </bo"
        _gate.wait("page")
        yield b"dy> --><p>second</p></body>"
    return Response(parts(), content_type=HTML)
"#;
const SCRIPT: &str = "<script src=\"/__snaxum/live.js\"";

async fn post(server: &Server, path: &str, page: &str, headers: &[(&str, &str)]) -> Reply {
    let request = server.request(Method::POST, path).body(page.to_owned());
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The page with a mark in place of the script.
fn marked(reply: &Reply) -> String {
    let text = reply.text();
    let Some(start) = text.find(SCRIPT) else { return text.to_owned() };
    let end = start + text[start..].find("</script>").expect("its end") + "</script>".len();
    format!("{}[HERE]{}", &text[..start], &text[end..])
}

#[tokio::test]
async fn the_script_is_where_a_browser_reads_it_as_a_script() {
    let server = Project::new().gate().file("app.py", APP).dev().await;
    let navigation = [("sec-fetch-dest", "document")];
    let hidden = [
        "<script>const end = \"</body></html>\";</script>",
        "<script>const page = `<body></body>`;</script>",
        "<script><!-- document.write('<script></body></script>') --></script>",
        "<style>p::after { content: '</body>' }</style>",
        "<!-- </body> -->",
        "<p title=\"</body>\" lang='</html>'>a</p>",
        "<textarea></body></textarea><title></body></title>",
        "<template></body></html></template>",
        "<noscript></body></noscript><iframe></body></iframe>",
        "<svg><![CDATA[</body>]]></svg>",
    ];
    for before in hidden {
        for (page, expected) in [
            (
                format!("<!doctype html>{before}é</body>\n</html>\n"),
                format!("<!doctype html>{before}é[HERE]</body>\n</html>\n"),
            ),
            (format!("<!doctype html>{before}"), format!("<!doctype html>{before}[HERE]")),
            (format!("{before}<p>a"), format!("{before}<p>a[HERE]")),
        ] {
            for path in ["/page", "/pieces"] {
                let reply = post(&server, path, &page, &navigation).await;
                assert_eq!(marked(&reply), expected, "{path}");
            }
        }
    }
    for unfinished in ["<!doctype html><script>a", "<!-- a", "<p title='", "<template><p>a"] {
        for path in ["/page", "/pieces"] {
            let reply = post(&server, path, unfinished, &navigation).await;
            assert_eq!(reply.text(), unfinished, "{path}");
        }
    }
    // A program gets a fragment and a stream as they are, and a document as a browser does.
    assert_eq!(post(&server, "/page", "<p>a", &[]).await.text(), "<p>a");
    assert_eq!(post(&server, "/pieces", "<body></body>", &[]).await.text(), "<body></body>");
    let document = post(&server, "/page", "<!doctype html><p>a", &[]).await;
    assert_eq!(marked(&document), "<!doctype html><p>a[HERE]");
    let old_browser = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    assert_eq!(marked(&post(&server, "/page", "<p>a", &old_browser).await), "<p>a[HERE]");
}

#[tokio::test]
async fn a_streamed_page_is_sent_as_it_comes() {
    let server = Project::new().gate().file("app.py", APP).dev().await;
    let request = server.request(Method::GET, "/slow").header("sec-fetch-dest", "document");
    let mut response = request.send().await.expect("a response");
    let first = response.chunk().await.expect("no failure").expect("a piece");
    assert!(first.starts_with(b"<!doctype html><p>first</p><!-- "), "{first:?}");
    server.arrival().await.open().await;
    let mut page = first.to_vec();
    while let Some(piece) = response.chunk().await.expect("no failure") {
        page.extend_from_slice(&piece);
    }
    let page = String::from_utf8(page).expect("UTF-8");
    let start = page.find(SCRIPT).expect("the script");
    assert!(page[..start].ends_with("</body> --><p>second</p>"), "{page}");
    assert!(page.ends_with("</script></body>"), "{page}");
}
