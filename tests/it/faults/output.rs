//! The output of the process: a reader that does not read, and streams as libraries expect them.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::support::{Project, in_time, snaxum};

/// Each request writes 64 KiB, as much as a pipe has room for, to both streams.
const PRINTER: &str = "import logging
from snaxum import route

LINE = 'x' * 65535


def write():
    print(LINE)
    logging.warning(LINE)


@route('/sync')
def sync(request):
    write()
    return 'ok'


@route('/async')
async def asynchronous(request):
    write()
    return 'ok'


@route('/pool', use_process_pool=True)
def pool(request, pool):
    pool.submit(write).result()
    return 'ok'


@route('/boom')
def boom(request):
    raise RuntimeError(LINE)


@route('/quiet')
def quiet(request):
    return 'ok'
";

/// A server whose output is not read after its first lines.
struct Stalled {
    child: Child,
    out: BufReader<ChildStdout>,
    err: ChildStderr,
    url: String,
    client: reqwest::Client,
}

impl Stalled {
    async fn start(project: &Project, command: &str, before_url: &str) -> Self {
        let mut process = project.command(&snaxum());
        process.args([command, "--port", "0", "--pool-workers", "1"]);
        let mut child = process.spawn().expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        let err = child.stderr.take().expect("it is piped");
        let mut line = String::new();
        while !line.contains(before_url) {
            line.clear();
            let read = in_time("the address", out.read_line(&mut line)).await.expect("text");
            assert_ne!(read, 0, "the program ended");
        }
        let url = line.split(before_url).nth(1).expect("it is there");
        let url = format!("http://{}", url.split(['/', '\n']).next().expect("an address"));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { child, out, err, url, client }
    }

    async fn status(&self, path: &str) -> u16 {
        let sent = self.client.get(format!("{}{path}", self.url)).send();
        in_time(path, sent).await.expect("a response").status().as_u16()
    }
}

async fn whole(stream: impl AsyncRead + Unpin) -> String {
    let mut text = Vec::new();
    let mut stream = BufReader::new(stream);
    in_time("the end of the output", stream.read_to_end(&mut text)).await.expect("it ends");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_stalled_reader_of_output_delays_no_request_and_the_dropped_lines_are_counted() {
    for (command, before_url) in [("serve", "listening on http://"), ("dev", "App      http://")] {
        let project = Project::new().file("app.py", PRINTER);
        let mut server = Stalled::start(&project, command, before_url).await;
        // More than a pipe and the queue of a process have room for.
        for _ in 0..25 {
            for path in ["/sync", "/async", "/pool"] {
                assert_eq!(server.status(path).await, 200, "{command} {path}");
            }
            assert_eq!(server.status("/boom").await, 500);
        }
        assert_eq!(server.status("/quiet").await, 200);

        // The reader continues while the server stops.
        let pid = i32::try_from(server.child.id().expect("it runs")).expect("a pid");
        // SAFETY: sends a signal to our own child, which is not yet waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        let (out, err) = tokio::join!(whole(&mut server.out), whole(&mut server.err));
        let ended = in_time("the end", server.child.wait()).await.expect("our own child");
        assert!(ended.success());
        for (name, text) in [("stdout", &out), ("stderr", &err)] {
            assert!(text.contains(&format!("… (<{name}>: ")), "{command}: no note on {name}");
        }
    }
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_reader() {
    for (command, before_url) in [("serve", "listening on http://"), ("dev", "App      http://")] {
        let project = Project::new().file("app.py", PRINTER);
        let mut server = Stalled::start(&project, command, before_url).await;
        for _ in 0..4 {
            assert_eq!(server.status("/sync").await, 200);
        }
        let pid = i32::try_from(server.child.id().expect("it runs")).expect("a pid");
        // SAFETY: sends a signal to our own child, which is not yet waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        let ended = in_time("the end", server.child.wait()).await.expect("our own child");
        assert!(ended.success(), "{command}");
    }
}

/// Uses the streams as libraries do.
const STREAMS: &str = r#"import io, sys
from snaxum import route


def check(stream, descriptor, name):
    assert isinstance(stream, io.TextIOBase), type(stream)
    assert isinstance(stream.buffer, io.BufferedIOBase)
    assert stream.fileno() == descriptor
    assert stream.isatty() is False
    assert (stream.encoding, stream.errors) == ("utf-8", "backslashreplace")
    assert stream.line_buffering and stream.writable() and not stream.readable()
    assert stream.name == stream.buffer.name == f"<{name}>"
    stream.reconfigure(line_buffering=True)
    stream.write(f"text {name} \ud800\n")
    stream.buffer.write(f"bytes {name}\n".encode())
    stream.flush()
    stream.writelines(["line 1 ", "line 2\n"])


@route("/")
def index(request):
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        check(getattr(sys, name), descriptor, name)
        check(getattr(sys, f"__{name}__"), descriptor, name)
    return "ok"


@route("/pool", use_process_pool=True)
def pool(request, pool):
    return pool.submit(check_own).result()


def check_own():
    check(sys.stdout, 1, "stdout")
    return "ok"
"#;

#[tokio::test]
async fn the_standard_streams_are_text_streams_as_libraries_expect_them() {
    for command in ["serve", "dev"] {
        let project = Project::new().file("app.py", STREAMS).args(&["--pool-workers", "1"]);
        let server = if command == "dev" { project.dev().await } else { project.serve().await };
        for path in ["/", "/pool"] {
            let reply = server.get(path).await;
            assert_eq!(reply.status, 200, "{command} {path}: {}", reply.text());
        }
        for (name, stream) in [("stdout", &server.out), ("stderr", &server.err)] {
            stream.wait_for(&format!("text {name} \\ud800")).await;
            stream.wait_for(&format!("bytes {name}")).await;
            stream.wait_for("line 1 line 2").await;
        }
    }
}
