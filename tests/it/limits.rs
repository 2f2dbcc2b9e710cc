//! Much of everything: large bodies, slow readers, many connections, many paths. Memory stays
//! bounded, and others are served.

use futures_util::future::join_all;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::support::{Project, Server, in_time, send};

const MB: usize = 1024 * 1024;

pub(crate) const LARGE: &str = r#"
from snaxum import Response, route

@route("/large")
def large(request):
    return Response(b"x" * 100 * 1024 * 1024)

@route("/back", methods=["POST"])
def back(request):
    return Response(request.data)

@route("/hello")
def hello(request): return "hello"
"#;

/// A client with small buffers that reads only on demand.
pub(crate) struct Slow {
    pub(crate) stream: TcpStream,
}

impl Slow {
    pub(crate) async fn get(server: &Server, path: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("it has one");
        let address = server.authority().parse().expect("an address");
        let mut slow = Self { stream: socket.connect(address).await.expect("it listens") };
        slow.send_request(path).await;
        slow
    }

    pub(crate) async fn send_request(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await.expect("it reads");
    }

    pub(crate) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        in_time("some bytes", self.stream.read_exact(&mut bytes)).await.expect("an open stream");
        bytes
    }

    /// Reads the head byte by byte.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.read(1).await);
        }
        String::from_utf8(head).expect("ASCII")
    }

    /// Reads a chunked body to its end, and counts its bytes.
    pub(crate) async fn chunks(&mut self) -> usize {
        let mut count = 0;
        loop {
            let mut size = Vec::new();
            while !size.ends_with(b"\r\n") {
                size.extend(self.read(1).await);
            }
            let size = std::str::from_utf8(&size).expect("ASCII").trim_end();
            let size = usize::from_str_radix(size, 16).expect("a size");
            self.read(size + 2).await;
            if size == 0 {
                return count;
            }
            count += size;
        }
    }
}

#[tokio::test]
async fn a_large_response_is_in_memory_once_for_a_client_that_does_not_read_it() {
    let server =
        Project::new().file("app.py", LARGE).args(&["--dispatch-workers", "1"]).serve().await;
    assert_eq!(server.get("/hello").await.text(), "hello");
    let before = server.memory();

    let mut slow = Slow::get(&server, "/large").await;
    let head = slow.head().await;
    for _ in 0..100 {
        assert_eq!(slow.read(1).await, b"x");
        assert_eq!(server.get("/hello").await.text(), "hello");
    }
    let while_it_waits = server.memory() - before;
    let rest = slow.read(100 * MB - 100).await;
    slow.send_request("/hello").await;
    slow.head().await;
    let afterwards = server.memory() - before;

    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: 104857600"));
    assert!(rest.iter().all(|&byte| byte == b'x'));
    assert!(while_it_waits < 108 * MB, "{while_it_waits}");
    assert!(afterwards < 8 * MB, "{afterwards}");
}

#[tokio::test]
async fn a_large_body_goes_up_and_comes_back_and_nothing_of_it_stays() {
    let server =
        Project::new().file("app.py", LARGE).args(&["--max-body-size", "100MB"]).serve().await;
    let body: Vec<u8> = (0..100_000_000_u32).map(|n| n.to_le_bytes()[2]).collect();
    assert_eq!(server.get("/hello").await.text(), "hello");
    let before = server.memory();

    let sent = server.request(Method::POST, "/back").body(body.clone());
    let reply = send(sent).await;
    assert_eq!(server.get("/hello").await.text(), "hello");
    let afterwards = server.memory() - before;

    assert!(reply.body == body, "{} bytes came back", reply.body.len());
    assert!(afterwards < 8 * MB, "{afterwards}");
}

const ENDLESS: &str = r#"
import _gate
from snaxum import route

PIECE = b"x" * 65536
made = 0

@route("/plain")
def plain(request):
    def pieces():
        global made
        try:
            while True:
                made += len(PIECE)
                yield PIECE
        finally:
            _gate.notify("closed")
    return pieces()

@route("/async")
async def later(request):
    async def pieces():
        global made
        try:
            while True:
                made += len(PIECE)
                yield PIECE
        finally:
            _gate.notify("closed")
    return pieces()

@route("/made")
def count(request):
    return {"made": made}
"#;

#[tokio::test]
async fn a_stream_runs_no_further_than_its_client_reads() {
    // The buffers of the kernel, hyper and the channel: up to 4, 1 and 1 MB.
    const AHEAD: u64 = 8 * MB as u64;
    for path in ["/plain", "/async"] {
        let server = Project::new().gate().file("app.py", ENDLESS).serve().await;
        assert_eq!(server.get("/made").await.json()["made"], 0);
        let before = server.memory();

        let mut slow = Slow::get(&server, path).await;
        slow.head().await;
        slow.read(20 * MB).await;
        for _ in 0..200 {
            slow.read(1).await;
            let made = server.get("/made").await.json()["made"].as_u64().expect("a number");
            assert!(made <= 20 * MB as u64 + AHEAD, "{path}: {made}");
        }
        let grown = server.memory() - before;
        drop(slow);

        assert!(grown < 12 * MB, "{path}: {grown}");
        assert_eq!(server.arrival().await.name, "closed", "{path}");
    }
}

const HUGE: &str = r#"
from snaxum import route

SIZE = 10 * 1024 * 1024
made = 0

def piece():
    global made
    made += 1
    return b"x" * SIZE

@route("/plain")
def plain(request):
    def pieces():
        while True:
            yield piece()
    return pieces()

@route("/async")
async def later(request):
    async def pieces():
        while True:
            yield piece()
    return pieces()

@route("/made")
def count(request):
    return str(made)
"#;

#[tokio::test]
async fn a_stream_of_huge_chunks_buffers_few_of_them_for_a_client_that_does_not_read() {
    for path in ["/plain", "/async"] {
        let server = Project::new().file("app.py", HUGE).serve().await;
        assert_eq!(server.get("/made").await.text(), "0");
        let before = server.memory();

        let mut slow = Slow::get(&server, path).await;
        slow.head().await;
        for _ in 0..200 {
            slow.read(1).await;
            let made: usize = server.get("/made").await.text().parse().expect("a number");
            // One is on its way, one waits, and one waits for room.
            assert!(made <= 3, "{path}: {made}");
        }
        let grown = server.memory() - before;

        assert!(grown < 40 * MB, "{path}: {grown}");
        // Some more, each after the one before.
        slow.read(40 * MB).await;
    }
}

#[tokio::test]
async fn clients_that_do_not_read_their_async_streams_block_no_other_stream() {
    let server = Project::new().gate().file("app.py", ENDLESS).serve().await;
    let mut waiting = Vec::new();
    for _ in 0..40 {
        let mut slow = Slow::get(&server, "/async").await;
        slow.head().await;
        waiting.push(slow);
    }

    let mut other = Slow::get(&server, "/async").await;
    other.head().await;
    other.read(20 * MB).await;

    drop((waiting, other));
    for _ in 0..41 {
        assert_eq!(server.arrival().await.name, "closed");
    }
}

const ENDING: &str = r#"
from snaxum import route

@route("/pieces/<int:count>")
async def pieces(request):
    async def pieces():
        for _ in range(request.path_params["count"]):
            yield b"x" * 65536
    return pieces()

@route("/hello")
async def hello(request): return "hello"
"#;

#[tokio::test]
async fn an_async_stream_that_ends_unread_blocks_no_request() {
    let server = Project::new().file("app.py", ENDING).serve().await;
    let mut open = Vec::new();
    // Among these are some that end with the last piece that there is room for.
    for count in 1..100 {
        let mut slow = Slow::get(&server, &format!("/pieces/{count}")).await;
        slow.head().await;
        open.push((count, slow));
        assert_eq!(server.get("/hello").await.text(), "hello");
    }

    for (count, mut slow) in open {
        let rest = slow.chunks().await;
        assert_eq!(rest, count * 65536);
    }
}

pub(crate) async fn idle(server: &Server, count: usize) -> Vec<TcpStream> {
    let connect = || async { TcpStream::connect(server.authority()).await.expect("it listens") };
    join_all((0..count).map(|_| connect())).await
}

#[tokio::test]
async fn thousands_of_long_paths_leave_nothing_behind() {
    const BATCH: usize = 124;
    const BATCHES: usize = 4;
    // Every other one matches. Each has 8 kB with its query, so a leak shows soon.
    let batch = |from: usize| -> String {
        let long = "x".repeat(4000);
        let request = |n: usize| {
            let place = ["item", "nowhere"][n % 2];
            let close = if n + 1 == from + BATCH { "connection: close\r\n" } else { "" };
            format!("GET /{place}/{n}-{long}?{n}={long} HTTP/1.1\r\nhost: localhost\r\n{close}\r\n")
        };
        (from..from + BATCH).map(request).collect()
    };
    let source = "from snaxum import route\n\n\
                  @route('/item/<name>')\ndef item(request): return 'item'\n";
    for command in ["serve", "dev"] {
        let project = Project::new().file("app.py", source).env("MALLOC_ARENA_MAX", "1");
        let server = match command {
            "dev" => project.dev().await,
            _ => project.serve().await,
        };
        let mut memory = Vec::new();
        // The first round fills what has a bound.
        for round in 0..=8 {
            let from = |n| (round * BATCHES + n) * BATCH;
            let batches = (0..BATCHES).map(|n| {
                let batch = batch(from(n));
                let server = &server;
                async move { server.raw(&batch).await }
            });
            for responses in join_all(batches).await {
                assert_eq!(responses.matches("HTTP/1.1 200 ").count(), BATCH / 2);
                assert_eq!(responses.matches("HTTP/1.1 404 ").count(), BATCH / 2);
            }
            memory.push(server.memory());
        }
        // Addresses of 32 MB came in between.
        assert!(memory[8].saturating_sub(memory[0]) < 8 * MB, "{command}: {memory:?}");
    }
}

const HEADED: &str = r#"
from snaxum import Response, route

@route("/headed/<name>")
def headed(request):
    return Response("", headers={f"x-{n}": "y" * 3000 for n in range(90)})
"#;

#[tokio::test]
async fn long_request_heads_are_not_recorded_by_dev_mode() {
    let server = Project::new()
        .file("app.py", HEADED)
        .env("MALLOC_ARENA_MAX", "1")
        .args(&["--dispatch-workers", "1"])
        .dev()
        .await;
    let long = "x".repeat(5000);
    let head = |end| {
        format!("GET /headed/{long}?{long} HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n{end}\r\n")
    };
    let requests = head("").repeat(49) + &head("connection: close\r\n");
    let mut memory = vec![server.memory()];
    for _ in 0..10 {
        let responses = server.raw(&requests).await;
        assert_eq!(responses.matches("HTTP/1.1 200 ").count(), 50, "{responses:.300}");
        memory.push(server.memory());
    }

    let newest = &server.api("requests").await[0];
    let detail = server.api(&format!("requests/{}", newest["id"].as_str().expect("text"))).await;

    // 140 MB went out; some 50 kB of each of the 500 requests are recorded.
    assert!(memory[10].saturating_sub(memory[0]) < 40 * MB, "{memory:?}");
    assert_eq!(newest["path"], format!("/headed/{}… (912 bytes more)", &long[..4088]));
    assert_eq!(newest["query"], format!("{}… (904 bytes more)", &long[..4096]));
    let headers = detail["request_headers"].as_array().expect("a list");
    let cut = format!("{}… (904 bytes more)", &long[..4096]);
    assert!(headers.iter().any(|header| header[1] == *cut), "{headers:?}");
    let last = &detail["response_headers"].as_array().expect("a list").last().expect("some")[1];
    let last = last.as_str().expect("text");
    assert!(last.starts_with("(8") && last.ends_with(" headers more)"), "{last}");
}

fn with_header(size: usize, end: &str) -> String {
    let long = "x".repeat(size);
    format!("GET /size HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-long: {long}{end}")
}

const SIZE: &str = r#"
from snaxum import route

@route("/size")
def size(request):
    return str(len(request.headers.get("x-long", "")))
"#;

#[tokio::test]
async fn a_header_of_60_kb_is_read_and_one_of_half_a_megabyte_refused() {
    let server = Project::new().file("app.py", SIZE).serve().await;

    let long = server.raw(&with_header(60_000, "\r\n\r\n")).await;
    let too_long = server.raw(&with_header(500_000, "")).await;

    assert!(long.starts_with("HTTP/1.1 200 ") && long.ends_with("60000"), "{long}");
    assert!(too_long.starts_with("HTTP/1.1 431 "), "{too_long}");
    assert_eq!(server.get("/size").await.text(), "0");
}

#[tokio::test]
async fn dev_mode_reads_a_head_of_16_kib_and_refuses_a_longer_one_with_the_reason() {
    let server = Project::new().file("app.py", SIZE).dev().await;
    let within = 16 * 1024 - 100;

    let long = server.raw(&with_header(within, "\r\n\r\n")).await;
    let too_long = server.raw(&with_header(17 * 1024, "\r\n\r\n")).await;
    let far_too_long = server.raw(&with_header(60_000, "\r\n\r\n")).await;
    let more_than_is_read = server.raw(&with_header(200_000, "\r\n\r\n")).await;
    let for_the_console =
        with_header(17 * 1024, "\r\n\r\n").replace("/size", "/__snaxum/api/status");
    let for_the_console = server.raw(&for_the_console).await;

    assert!(long.starts_with("HTTP/1.1 200 ") && long.ends_with(&within.to_string()), "{long}");
    for refused in [&too_long, &far_too_long, &for_the_console] {
        assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
        assert!(refused.contains("the limit of the dev server. Cookies are"), "{refused}");
    }
    assert!(more_than_is_read.starts_with("HTTP/1.1 431 "), "{more_than_is_read}");
    server.err.wait_for("address and headers have over 16 KiB").await;
    assert_eq!(server.get("/size").await.text(), "0");
}

#[tokio::test]
async fn long_unfinished_headers_cost_their_own_length_and_block_no_request() {
    const CLIENTS: usize = 200;
    let server = Project::new().file("app.py", SIZE).serve().await;
    assert_eq!(server.get("/size").await.text(), "0");
    let before = server.memory();

    let mut open = idle(&server, CLIENTS).await;
    for stream in &mut open {
        stream.write_all(with_header(60_000, "").as_bytes()).await.expect("it reads");
        assert_eq!(server.get("/size").await.text(), "0");
    }
    let grown = server.memory() - before;

    assert!(grown < CLIENTS * 160 * 1024, "{grown}");
}
