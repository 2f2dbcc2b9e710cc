//! Bodies of requests: forms with files, chunks as they arrive, compressed ones.

use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Project, Reply, Server, in_time, send};

pub(super) const MB: usize = 1024 * 1024;

pub(super) const FORMS: &str = r#"
import hashlib
from snaxum import Request, UploadFile, route

last = []

@route("/form", methods=["POST"])
def form(request: Request):
    last[:] = request.files.values()
    return {
        "form": request.form.multi_items(),
        "files": [
            [name, file.filename, file.content_type, file.size, file.read(20).decode("latin-1")]
            for name, file in request.files.multi_items()
        ],
    }

@route("/digest", methods=["POST"])
def digest(request: Request):
    file, sha = request.files["file"], hashlib.sha256()
    while block := file.read(65536):
        sha.update(block)
    return {"size": file.size, "sha256": sha.hexdigest(), "name": file.filename}

@route("/save", methods=["POST"])
async def save(request: Request):
    file = request.files["file"]
    first = (await file.aread())[:3].decode()
    path = file.save("saved.bin")
    file.seek(-2, 2)
    end = file.read().decode()
    file.seek(0)
    lines = sum(1 for _ in file)
    return {"first": first, "end": end, "lines": lines, "size": path.stat().st_size}

@route("/filled", methods=["POST"])
def filled(
    file: UploadFile, others: list[UploadFile] = [], extra: UploadFile | None = None,
    note: str = "", size: int = 1,
):
    return [file.filename, [other.filename for other in others], extra is None, note, size]

@route("/last")
def after(request: Request):
    try:
        return last[0].read().decode()
    except ValueError as error:
        return f"{last[0].closed}: {error}"

@route("/first", methods=["POST"])
def first(request: Request):
    return request.body["first"]

@route("/cookies")
def cookies(request: Request):
    return request.cookies

@route("/data", methods=["POST"])
def data(request: Request):
    return request.data
"#;

/// One part of a form: its headers after the name, and its content.
pub(super) fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, content) in parts {
        body.extend_from_slice(b"--XX\r\nContent-Disposition: form-data; ");
        body.extend_from_slice(disposition.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

async fn post(server: &Server, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Reply {
    send(server.request(Method::POST, path).header("content-type", kind).body(body)).await
}

async fn post_form(server: &Server, path: &str, parts: &[(&str, &[u8])]) -> Reply {
    post(server, path, "multipart/form-data; boundary=XX", form(parts)).await
}

#[tokio::test]
async fn a_form_has_its_fields_and_files_as_they_were_sent() {
    let server = Project::new().file("app.py", FORMS).serve().await;
    let large = vec![b'x'; 3 * MB];

    let reply = post_form(
        &server,
        "/form",
        &[
            ("name=\"note\"", "Grüße\r\n--X".as_bytes()),
            ("name=\"tag\"", b"a"),
            ("name=\"tag\"", b""),
            ("name=\"f\"; filename=\"say \\\"hi\\\".txt\"\r\nContent-Type: text/plain", b"hello"),
            ("name=\"f\"; filename=\"na\u{ef}ve \u{2603}.bin\"", b"\x00\xff"),
            ("name=\"f\"; filename=\"%22q%22.txt\"", b""),
            ("name=\"f\"; filename=\"../../etc/passwd\"", b"x"),
            ("name=\"f\"; filename*=UTF-8''%E2%98%83.txt", b"y"),
            ("name=\"none chosen\"; filename=\"\"", b""),
            ("name=\"large\"; filename=\"large.bin\"", &large),
        ],
    )
    .await;

    assert_eq!(reply.status, 200, "{}", reply.text());
    let parsed = reply.json();
    assert_eq!(parsed["form"], json!([["note", "Grüße\r\n--X"], ["tag", "a"], ["tag", ""]]));
    assert_eq!(
        parsed["files"],
        json!([
            ["f", "say \"hi\".txt", "text/plain", 5, "hello"],
            ["f", "naïve ☃.bin", "", 2, "\u{0}ÿ"],
            ["f", "\"q\".txt", "", 0, ""],
            ["f", "passwd", "", 1, "x"],
            ["f", "☃.txt", "", 1, "y"],
            ["large", "large.bin", "", 3 * MB, "x".repeat(20)],
        ])
    );
    // The request has ended, and its files with it.
    let text = server.get("/last").await.text().to_owned();
    assert!(text.starts_with("True: "), "{text}");

    let one: (&str, &[u8]) = ("name=others; filename=one", b"1");
    let parts = [("name=file; filename=a", &b"1"[..]), one, one, ("name=note", b"hi")];
    let reply = post_form(&server, "/filled?size=7", &parts).await;
    assert_eq!(reply.json(), json!(["a", ["one", "one"], true, "hi", 7]), "{}", reply.text());
    let reply = post_form(&server, "/filled", &[one]).await;
    assert_eq!((reply.status, &reply.json()["errors"][0]["loc"]), (422, &json!(["file"])));

    let urlencoded = "application/x-www-form-urlencoded";
    let reply = post(&server, "/form", urlencoded, "a=1&b=Gr%C3%BC%C3%9Fe+&a=2&c").await;
    let fields = json!([["a", "1"], ["a", "2"], ["b", "Grüße "], ["c", ""]]);
    assert_eq!(reply.json()["form"], fields);
    let none = post(&server, "/form", "multipart/form-data; boundary=XX", "").await;
    assert_eq!((none.status, &none.json()["files"]), (200, &json!([])));
}

#[tokio::test]
async fn an_upload_is_an_open_file_in_memory_or_on_disk() {
    let server = Project::new().file("app.py", FORMS).serve().await;
    for size in [7, MB, MB + 1, 5 * MB] {
        let mut content = vec![b'.'; size - 4];
        content[2] = b'\n';
        content.extend_from_slice(b"\nend");
        let reply = post_form(&server, "/save", &[("name=file; filename=a", &content)]).await;
        let first = std::str::from_utf8(&content[..3]).expect("ASCII");
        let expected = json!({"first": first, "end": "nd", "lines": 3, "size": size});
        assert_eq!(reply.json(), expected);
    }
}

#[tokio::test]
async fn too_many_or_too_large_parts_are_a_413() {
    let limits =
        ["--max-form-fields=3", "--max-files=2", "--max-body-size=1kB", "--max-upload-size=100kB"];
    let server = Project::new().file("app.py", FORMS).args(&limits).serve().await;
    let field: (&str, &[u8]) = ("name=a", b"1");
    let file: (&str, &[u8]) = ("name=f; filename=f", b"1");

    let most = post_form(&server, "/form", &[field, field, field, file, file]).await;
    assert_eq!(most.status, 200, "{}", most.text());
    // Files may be larger than other bodies.
    let reply = post_form(&server, "/form", &[("name=f; filename=f", &[b'x'; 90_000])]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());

    for (parts, reason) in [
        (vec![field; 4], "more than 3 fields"),
        (vec![file; 3], "more than 2 files"),
        (vec![("name=a", &[b'x'; 1001][..])], "more than 1000 bytes"),
        (vec![("name=f; filename=f", &[b'x'; 100_001][..])], "more than 100000 bytes"),
    ] {
        let reply = post_form(&server, "/form", &parts).await;
        assert_eq!(reply.status, 413, "{reason}");
        assert!(reply.text().contains(reason), "{}", reply.text());
    }
    let reply = post(&server, "/form", "application/x-www-form-urlencoded", "a&b&c&d").await;
    assert_eq!(reply.status, 413);
    let body = vec![b'x'; 1001];
    assert_eq!(post(&server, "/data", "text/plain", body).await.status, 413);
}

#[tokio::test]
async fn a_malformed_body_is_a_400_with_the_reason_and_the_place() {
    let server = Project::new().file("app.py", FORMS).serve().await;
    let multipart = "multipart/form-data; boundary=XX";
    let urlencoded = "application/x-www-form-urlencoded";
    let head = "--XX\r\nContent-Disposition: form-data; name=a";
    let filler = "x".repeat(200_000);
    for (kind, body, reason) in [
        ("multipart/form-data", "x".to_owned(), "no valid boundary"),
        (multipart, "x".to_owned(), "before its first part"),
        (multipart, filler.clone(), "before its first part"),
        (multipart, format!("{head}\r\n\r\n1"), "ends within the part `a`"),
        (multipart, format!("{head}\r\n\r\n1\r\n--XX"), "at or after part 1"),
        (multipart, format!("{head}\r\n\r\n1\r\n--XXY\r\n"), "at or after part 1"),
        (multipart, format!("{head}\r\nX: {filler}"), "within 65536 bytes"),
        (multipart, "--XX\r\nno header\r\n\r\n1\r\n--XX--".to_owned(), "invalid headers"),
        (multipart, "--XX\r\nX: 1\r\n\r\n1\r\n--XX--".to_owned(), "no Content-Disposition"),
        (multipart, format!("{}\r\n\r\n1\r\n--XX--", head.replace("name=a", "x=1")), "no name"),
        (urlencoded, "a=1&b=%zz".to_owned(), "byte 7, in its field 2: `%zz`"),
        (urlencoded, "a=1&b=%ff".to_owned(), "byte 5, in its field 2: `b=%ff` is not utf-8"),
    ] {
        let reply = post(&server, "/form", kind, body.clone()).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!((reply.status, shown), (400, shown), "{}", reply.text());
        assert!(reply.text().contains(reason), "{shown}: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    let bytes = form(&[("name=a", b"ok"), ("name=b", b"\xff")]);
    let reply = post(&server, "/form", multipart, bytes).await;
    assert!(reply.text().contains("part 2") && reply.text().contains("the field `b`"));
    // A handler that expects JSON.
    assert_eq!(post_form(&server, "/first", &[("name=first", b"1")]).await.status, 415);
    for (cookie, status) in [("a=1; b=\"x", 400), ("a b=1", 400), ("a=1; junk; b=2", 200)] {
        let reply = send(server.request(Method::GET, "/cookies").header("cookie", cookie)).await;
        assert_eq!(reply.status, status, "{cookie}: {}", reply.text());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_upload_of_100_mb_needs_little_memory() {
    use sha2::{Digest, Sha256};

    const BLOCK: usize = 64 * 1024;
    const BLOCKS: usize = 100 * MB / BLOCK;
    let server = Project::new().file("app.py", FORMS).serve().await;
    let block: Vec<u8> = (0..BLOCK).map(|n| (n % 251) as u8).collect();
    let mut sha = Sha256::new();
    (0..BLOCKS).for_each(|_| sha.update(&block));
    let digest: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(post_form(&server, "/digest", &[("name=file; filename=a", b"1")]).await.status, 200);

    let head = b"--XX\r\nContent-Disposition: form-data; name=file; filename=big\r\n\r\n".to_vec();
    let chunks = stream::iter(std::iter::once(head))
        .chain(stream::repeat(block).take(BLOCKS))
        .chain(stream::iter([b"\r\n--XX--\r\n".to_vec()]));
    let body = reqwest::Body::wrap_stream(chunks.map(Ok::<_, std::io::Error>));
    let upload = post(&server, "/digest", "multipart/form-data; boundary=XX", body);
    let mut upload = std::pin::pin!(upload);
    let (mut most, mut ticks) = (0, tokio::time::interval(std::time::Duration::from_millis(20)));
    let reply = loop {
        tokio::select! {
            reply = &mut upload => break reply,
            _ = ticks.tick() => most = most.max(server.memory()),
        }
    };

    assert_eq!(reply.json(), json!({"size": 100 * MB, "sha256": digest, "name": "big"}));
    assert!(most < 100 * MB, "{most}");
    assert!(server.memory() < 100 * MB, "{}", server.memory());
}

pub(super) const STREAMS: &str = r#"
import _gate
from snaxum import HTTPError, Request, background, route

@route("/async", methods=["POST"])
async def count_async(request: Request):
    size = 0
    async for chunk in request.stream():
        if not size:
            _gate.notify(chunk.decode()[:5])
        size += len(chunk)
    return {"size": size}

@route("/plain", methods=["POST"])
def count(request: Request):
    chunks = iter(request.stream())
    first = next(chunks)
    _gate.notify(first.decode()[:5])
    return {"size": len(first) + sum(len(chunk) for chunk in chunks)}

@route("/echo", methods=["POST"])
async def echo(request: Request):
    async def shouted():
        async for chunk in request.stream():
            yield chunk.upper()
    return shouted()

@route("/refuse", methods=["POST"])
async def refuse(request: Request):
    if "x" in request.query_params:
        raise HTTPError(403, "not you")
    async for _ in request.stream():
        pass

@route("/background", methods=["POST"])
def later(request: Request):
    background(announce, request.files["f"])

def announce(file):
    _gate.notify(file.read().decode())

def read(request):
    return b"".join(request.stream())

@route("/flag", methods=["POST"], stream_body=True)
def flag(request: Request):
    return request.data if request.query_string else read(request)

@route("/whole/<path:rest>", methods=["POST"])
def whole(request: Request, rest: str):
    return {"data": request.text, "chunks": [c.decode() for c in request.stream()]}

@route("/<path:rest>", methods=["PUT"])
async def any_stream(request: Request, rest: str):
    return "".join([chunk.decode() async for chunk in request.stream()])

@route("/whole", methods=["PUT"])
def put_whole(request: Request):
    return {"whole": "" if request.files else request.text, "files": list(request.files)}
"#;

#[tokio::test]
async fn a_handler_reads_a_body_while_it_arrives() {
    let server = Project::new().gate().file("app.py", STREAMS).serve().await;
    for path in ["/async", "/plain"] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 300005\r\n\r\nfirst");
        let mut client = server.socket(head.as_bytes()).await;

        assert_eq!(server.arrival().await.name, "first", "{path}");

        client.write_all(&vec![b'x'; 300_000]).await.expect("it reads");
        client.shutdown().await.expect("an open socket");
        let mut response = String::new();
        in_time("the response", client.read_to_string(&mut response)).await.expect("text");
        assert!(response.ends_with("{\"size\":300005}"), "{path}: {response}");
    }
    // The response may begin before the body has ended.
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello";
    let mut client = server.socket(head.as_bytes()).await;
    read_until(&mut client, "HELLO").await;
    client.write_all(b"again").await.expect("it reads");
    read_until(&mut client, "AGAIN").await;
}

async fn read_until(client: &mut tokio::net::TcpStream, end: &str) {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buffer = [0; 1024];
        let count = in_time(end, client.read(&mut buffer)).await.expect("bytes");
        assert!(count > 0, "it ended after {text}");
        text += std::str::from_utf8(&buffer[..count]).expect("ASCII");
    }
}

#[tokio::test]
async fn only_the_handlers_that_ask_for_it_get_a_body_in_chunks() {
    let limits = ["--max-body-size=1kB", "--max-upload-size=1MB"];
    let server = Project::new().gate().file("app.py", STREAMS).args(&limits).serve().await;
    let text = "text/plain";

    let reply = post(&server, "/whole/a", text, "abc").await;
    assert_eq!(reply.json(), json!({"data": "abc", "chunks": ["abc"]}));
    assert_eq!(post(&server, "/flag", text, "abc").await.text(), "abc");
    assert_eq!(post(&server, "/flag?data", text, "abc").await.text(), "abc");
    // Its paths include the paths of other routes.
    let put = |path: &str, body: &'static str| send(server.request(Method::PUT, path).body(body));
    assert_eq!(put("/some/where", "abc").await.text(), "abc");
    assert_eq!(put("/whole", "abc").await.json(), json!({"whole": "abc", "files": []}));
    let form = send(
        server
            .request(Method::PUT, "/whole")
            .header("content-type", "multipart/form-data; boundary=XX")
            .body(form(&[("name=f; filename=f", b"1")])),
    );
    assert_eq!(form.await.json()["files"], json!(["f"]));

    // A function that runs after the response has the file until it returns.
    let reply = post_form(&server, "/background", &[("name=f; filename=f", b"late")]).await;
    assert_eq!(reply.status, 204);
    assert_eq!(server.arrival().await.name, "late");

    // A streamed body is as large as a file may be.
    let most = 900_000;
    assert_eq!(post(&server, "/flag", text, "x".repeat(most)).await.body.len(), most);
    assert_eq!(post(&server, "/flag", text, "x".repeat(1_000_001)).await.status, 413);
    assert_eq!(post(&server, "/flag?data", text, "x".repeat(1001)).await.status, 413);
    assert_eq!(post(&server, "/whole/a", text, "x".repeat(1001)).await.status, 413);

    // No byte of the body is asked for.
    let head = "POST /refuse?x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                content-length: 10\r\nconnection: close\r\n\r\n";
    let response = server.raw(head).await;
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
}

#[tokio::test]
async fn a_client_that_leaves_during_an_upload_is_listed_with_status_499() {
    let server = Project::new().gate().file("app.py", STREAMS).file("forms.py", FORMS).dev().await;
    let mut console = server.console().await;
    let form = "content-type: multipart/form-data; boundary=XX\r\n";
    for (path, header, start) in [
        ("/form", form, "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nx"),
        ("/async", "", "first"),
        ("/plain", "", "first"),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{header}content-length: 1000\r\n\r\n{start}"
        );
        let client = server.socket(head.as_bytes()).await;
        if path != "/form" {
            server.arrival().await;
        }
        drop(client);
        let ended = console.next_of_type("request.end").await;
        assert_eq!(ended["request"]["status"], 499, "{path}: {ended}");
    }
    assert_eq!(post_form(&server, "/form", &[]).await.status, 200);
}

#[tokio::test]
async fn a_save_may_change_the_way_a_handler_reads_its_body() {
    let app = |body: &str| {
        format!(
            "from snaxum import Request, route\n\
             @route('/', methods=['POST'])\n\
             def handler(request: Request):\n    return {body}\n"
        )
    };
    let (whole, chunks) = (app("request.text"), app("[c.decode() for c in request.stream()]"));
    let server = Project::new().file("app.py", &whole).dev().await;
    for (text, expected) in [(&chunks, "[\"abc\"]"), (&whole, "abc"), (&chunks, "[\"abc\"]")] {
        server.edit("app.py", text);
        assert_eq!(post(&server, "/", "text/plain", "abc").await.text(), expected);
    }
}
