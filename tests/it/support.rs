//! A little world for a test: a temporary project, a server on it, clients, and a gate.
//!
//! Nothing here sleeps in place of an event. Expected events are awaited; [`WATCHDOG`] only
//! turns a hang into a failure. Every process that is started here ends with its handle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Far longer than anything takes.
const WATCHDOG: Duration = Duration::from_secs(30);

/// Waits for `future`, or fails the test with `what` it waited for.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(WATCHDOG, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// A directory with `python/`, and how to start the binary on it.
pub(crate) struct Project {
    dir: TempDir,
    args: Vec<String>,
    env: Vec<(String, String)>,
    gate: Option<UnixListener>,
}

impl Project {
    pub(crate) fn new() -> Self {
        let dir = TempDir::with_prefix("snaxum-it-").expect("a temporary directory");
        fs::create_dir(dir.path().join("python")).expect("a directory");
        Self { dir, args: Vec::new(), env: Vec::new(), gate: None }
    }

    /// Adds a file below `python/`.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.top_file(&format!("python/{name}"), text)
    }

    /// Adds a file below DIR.
    pub(crate) fn top_file(self, name: &str, text: &str) -> Self {
        write(&self.path().join(name), text);
        self
    }

    /// Adds options to the command line.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(ToString::to_string));
        self
    }

    /// The options added so far.
    pub(crate) fn arguments(&self) -> &[String] {
        &self.args
    }

    /// Sets a variable for the processes started here.
    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds the module `_gate`, whose functions stop at [`Server::arrival`].
    pub(crate) fn gate(mut self) -> Self {
        self.gate = Some(UnixListener::bind(self.path().join("gate.sock")).expect("a socket"));
        self.file("_gate.py", GATE)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `snaxum COMMAND` to its end.
    pub(crate) async fn snaxum(&self, command: &[&str]) -> Finished {
        let output = self.command(env!("CARGO_BIN_EXE_snaxum")).args(command).output();
        let output = in_time("the command to end", output).await.expect("the binary starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Starts `snaxum dev` and returns when it responds.
    pub(crate) async fn dev(self) -> Server {
        self.spawn("dev").answering().await
    }

    /// Starts `snaxum serve` and returns when it responds.
    pub(crate) async fn serve(self) -> Server {
        let server = self.spawn("serve");
        server.listening().await
    }

    /// Starts the server without waiting for anything.
    pub(crate) fn spawn(self, command: &str) -> Server {
        let mut process = self.command(env!("CARGO_BIN_EXE_snaxum"));
        process.args([command, "--port", "0"]).args(&self.args);
        self.spawn_process(process)
    }

    /// Starts a program of the test's own that serves this project.
    pub(crate) fn spawn_process(self, mut process: Command) -> Server {
        let mut child = process.spawn().expect("the program starts");
        let out = Output::collect(child.stdout.take().expect("it is piped"));
        let err = Output::collect(child.stderr.take().expect("it is piped"));
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(WATCHDOG)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let pid = child.id().expect("it has just been started");
        Server {
            project: self,
            url: String::new(),
            token: String::new(),
            pid,
            child,
            out,
            err,
            client,
        }
    }

    /// A process in DIR that gets only the test's variables, and ends with its handle.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A signal to the group, as a terminal sends it, reaches no other process.
            .process_group(0)
            .kill_on_drop(true);
        // SAFETY: `signal` may be called between fork and exec. A test run in the background of a
        // shell has SIGINT ignored, which children inherit.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                Ok(())
            });
        }
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            let heard = [
                "PYTHONDONTWRITEBYTECODE",
                "PYTHONUNBUFFERED",
                "RUST_LOG",
                "NO_COLOR",
                "FORCE_COLOR",
                "CLICOLOR_FORCE",
            ];
            if name.starts_with("SNAXUM_") || heard.contains(&&*name) {
                command.env_remove(&key);
            }
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

/// The result of a one-shot command.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    pub(crate) project: Project,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) pid: u32,
    pub(crate) out: Output,
    pub(crate) err: Output,
    child: Child,
    client: reqwest::Client,
}

impl Server {
    /// Takes the address from the line that prints it.
    pub(crate) async fn listening(mut self) -> Self {
        let line = self.out.wait_for("listening on http://").await;
        self.url = line.split("listening on ").nth(1).expect("the line has it").trim().to_owned();
        self
    }

    /// Waits until a dev server responds, and takes its address and token.
    pub(crate) async fn answering(self) -> Self {
        self.out.wait_for("/__snaxum/?t=").await;
        self.announced()
    }

    /// The same for one whose stdout is a log of events.
    pub(crate) async fn logging(self) -> Self {
        self.err.wait_for("/__snaxum/?t=").await;
        self.announced()
    }

    fn announced(mut self) -> Self {
        let announced = self.announcement().expect("a responding dev server has written it");
        self.url = announced["url"].as_str().expect("a URL").to_owned();
        self.token = announced["token"].as_str().expect("a token").to_owned();
        self
    }

    /// `.snaxum/dev.json`, while it is there.
    pub(crate) fn announcement(&self) -> Option<Value> {
        let text = fs::read_to_string(self.project.path().join(".snaxum/dev.json")).ok()?;
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        send(self.request(Method::POST, path).json(body)).await
    }

    /// A request for [`send`], or for a task that sends it while the test continues.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Sends a GET from a task of its own: for what waits at the gate.
    pub(crate) fn begin(&self, path: &str) -> tokio::task::JoinHandle<Reply> {
        tokio::spawn(send(self.request(Method::GET, path)))
    }

    /// `/__snaxum/api/…` with the token.
    pub(crate) async fn api(&self, path: &str) -> Value {
        let url = format!("/__snaxum/api/{path}");
        let reply = send(self.request(Method::GET, &url).bearer_auth(&self.token)).await;
        assert_eq!(reply.status, 200, "{url}: {}", reply.text());
        reply.json()
    }

    /// A console that receives everything from now on, after `hello` and `snapshot`.
    pub(crate) async fn console(&self) -> Console {
        let bearer = format!("Bearer {}", self.token);
        let mut console = self.connect(&[("authorization", &bearer)]).await.expect("it is let in");
        console.next_of_type("snapshot").await;
        console
    }

    /// Opens the event stream with just these headers.
    pub(crate) async fn connect(
        &self,
        headers: &[(&'static str, &str)],
    ) -> Result<Console, StatusCode> {
        self.connect_to("/__snaxum/ws", headers).await
    }

    /// The same for any socket.
    pub(crate) async fn connect_to(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Console, StatusCode> {
        let url = format!("{}{path}", self.url.replace("http://", "ws://"));
        let mut request = url.into_client_request().expect("a URL");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        match in_time("the upgrade", tokio_tungstenite::connect_async(request)).await {
            Ok((socket, _)) => Ok(Console { socket }),
            Err(tungstenite::Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("no response to the upgrade: {error}"),
        }
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.authority()).await.expect("it listens");
        stream.write_all(bytes.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        in_time("the raw response", stream.read_to_end(&mut answer)).await.expect("it responds");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn authority(&self) -> &str {
        self.url.strip_prefix("http://").expect("it serves http")
    }

    /// Saves a file below `python/` in place.
    pub(crate) fn edit(&self, name: &str, text: &str) {
        write(&self.python(name), text);
    }

    /// A path below `python/`.
    pub(crate) fn python(&self, name: &str) -> PathBuf {
        self.project.path().join("python").join(name)
    }

    /// Waits until a handler, task or module stops at the gate.
    pub(crate) async fn arrival(&self) -> Held {
        let gate = self.project.gate.as_ref().expect("the project has a gate");
        let (stream, _) = in_time("an arrival at the gate", gate.accept()).await.expect("a socket");
        let mut stream = BufReader::new(stream);
        let mut name = String::new();
        in_time("its name", stream.read_line(&mut name)).await.expect("it sends its name");
        Held { name: name.trim_end().to_owned(), stream }
    }

    pub(crate) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.pid).expect("a pid");
        // SAFETY: sends a signal to our own child, which is not yet waited for.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "the server is there");
    }

    /// Signals the server and all its descendants, as Ctrl-C in a terminal does.
    pub(crate) fn signal_group(&self, signal: i32) {
        let pid = i32::try_from(self.pid).expect("a pid");
        // SAFETY: sends a signal to the group that our own child was made the leader of.
        assert_eq!(unsafe { libc::kill(-pid, signal) }, 0, "the server is there");
    }

    /// Waits for the end that something else brings about.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        in_time("the server to end", self.child.wait()).await.expect("a child of ours")
    }

    /// Asks for a clean stop and waits for it.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.ended().await
    }

    /// Bytes of memory that the server itself has in use.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has some");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).expect("kB") * 1024
    }

    /// The server's descendants.
    pub(crate) fn children(&self) -> Vec<Process> {
        Process::below(self.pid)
    }
}

/// Sends a request and reads the response to its end.
pub(crate) async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.expect("a response");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.expect("a whole body").to_vec() }
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    /// A header's value, or "".
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

/// A client of the event stream.
pub(crate) struct Console {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Console {
    /// Opens the event stream over a connection of the test's own.
    pub(crate) async fn over(stream: TcpStream, server: &Server) -> Self {
        let url = format!("ws://{}/__snaxum/ws", server.authority());
        let mut request = url.into_client_request().expect("a URL");
        let bearer = format!("Bearer {}", server.token).parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        let opening = tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(stream));
        let (socket, _) = in_time("the upgrade", opening).await.expect("it is let in");
        Self { socket }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        in_time("a message", self.receive()).await
    }

    /// The next message of this type; skips what is not.
    pub(crate) async fn next_of_type(&mut self, kind: &str) -> Value {
        in_time(kind, async {
            loop {
                let message = self.receive().await;
                if message["type"] == kind {
                    return message;
                }
            }
        })
        .await
    }

    async fn receive(&mut self) -> Value {
        loop {
            let message = self.socket.next().await.expect("an open stream");
            if let Message::Text(text) = message.expect("a frame") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Sends a frame, as no console does.
    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("an open stream");
    }

    /// Reads to the end of the stream; the code that it was closed with.
    pub(crate) async fn close_code(self) -> Option<u16> {
        self.end().await.1
    }

    /// Reads to the end of the stream; the types that came.
    pub(crate) async fn rest(self) -> Vec<String> {
        self.end().await.0
    }

    /// Reads to the end of the stream; the types that came, and the code that it was closed with.
    pub(crate) async fn end(mut self) -> (Vec<String>, Option<u16>) {
        let (mut kinds, mut code) = (Vec::new(), None);
        in_time("the end of the stream", async {
            while let Some(Ok(message)) = self.socket.next().await {
                match message {
                    Message::Text(text) => {
                        let message: Value = serde_json::from_str(&text).expect("JSON");
                        kinds.push(message["type"].as_str().expect("a type").to_owned());
                    }
                    Message::Close(frame) => code = frame.map(|frame| frame.code.into()),
                    _ => {}
                }
            }
        })
        .await;
        (kinds, code)
    }
}

/// A process that waits at the gate. Dropping it opens the gate too.
pub(crate) struct Held {
    /// Its message.
    pub(crate) name: String,
    stream: BufReader<UnixStream>,
}

impl Held {
    pub(crate) async fn open(mut self) {
        self.stream.write_all(b"!").await.expect("it waits");
    }
}

const GATE: &str = r#"
"""Stops at the test's gate until the test opens it."""
import asyncio
import pathlib
import socket

PATH = str(pathlib.Path(__file__).parent.parent / "gate.sock")


def wait(name):
    with socket.socket(socket.AF_UNIX) as gate:
        gate.connect(PATH)
        gate.sendall(f"{name}\n".encode())
        gate.recv(1)


def notify(name):
    with socket.socket(socket.AF_UNIX) as gate:
        gate.connect(PATH)
        gate.sendall(f"{name}\n".encode())


async def wait_async(name):
    reader, writer = await asyncio.open_unix_connection(PATH)
    try:
        writer.write(f"{name}\n".encode())
        await reader.read(1)
    finally:
        writer.close()
"#;

/// The lines of a stream, in order.
pub(crate) struct Output {
    lines: watch::Receiver<Lines>,
    reading: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Lines {
    text: Vec<String>,
    is_over: bool,
}

impl Output {
    fn collect(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, lines) = watch::channel(Lines::default());
        let reading = tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                sender.send_modify(|lines| lines.text.push(text));
                line.clear();
            }
            sender.send_modify(|lines| lines.is_over = true);
        });
        Self { lines, reading }
    }

    /// The first line that contains `text`; waits until there is one.
    pub(crate) async fn wait_for(&self, text: &str) -> String {
        self.wait(text, WATCHDOG).await
    }

    /// The same for a start that downloads first.
    pub(crate) async fn wait_at_leisure(&self, text: &str) -> String {
        self.wait(text, WATCHDOG * 20).await
    }

    async fn wait(&self, text: &str, limit: Duration) -> String {
        let mut lines = self.lines.clone();
        let has_it =
            |lines: &Lines| lines.is_over || lines.text.iter().any(|line| line.contains(text));
        let waiting = tokio::time::timeout(limit, lines.wait_for(has_it)).await;
        let found = match &waiting {
            Ok(Ok(lines)) => lines.text.iter().find(|line| line.contains(text)).cloned(),
            _ => None,
        };
        drop(waiting);
        found.unwrap_or_else(|| panic!("no line with {text:?} in:\n{}", self.text()))
    }

    /// Closes our end, as a reader does that has seen enough.
    pub(crate) async fn hang_up(&mut self) {
        self.reading.abort();
        let ended = (&mut self.reading).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it was open");
    }

    /// All so far.
    pub(crate) fn text(&self) -> String {
        self.lines.borrow().text.join("\n")
    }

    /// All, once the writer has closed it.
    pub(crate) async fn whole(&self) -> String {
        let mut lines = self.lines.clone();
        in_time("the end of the output", lines.wait_for(|lines| lines.is_over))
            .await
            .expect("it ends");
        self.text()
    }
}

/// A process of the server, distinguished from a later one with the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: String,
}

impl Process {
    /// All descendants of `pid`.
    pub(crate) fn below(pid: u32) -> Vec<Self> {
        let all: Vec<(u32, Self)> = fs::read_dir("/proc")
            .expect("a /proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(Self::read)
            .collect();
        let mut found = vec![];
        let mut parents = vec![pid];
        while let Some(parent) = parents.pop() {
            for (_, process) in all.iter().filter(|(above, _)| *above == parent) {
                parents.push(process.pid);
                found.push(process.clone());
            }
        }
        found
    }

    /// The parent and the process; `None` for one that has ended.
    fn read(pid: u32) -> Option<(u32, Self)> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may contain anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Its first thread may have ended before the others, which have its files open still.
        let has_threads = fields[17].parse::<u32>().ok()? > 1;
        let ended = matches!(fields[0], "Z" | "X") && !has_threads;
        let process = Self { pid, started: fields[19].to_owned() };
        (!ended).then_some((fields[1].parse().ok()?, process))
    }

    pub(crate) fn is_alive(&self) -> bool {
        Self::read(self.pid).is_some_and(|(_, found)| found == *self)
    }

    /// Waits until it has exited. The only place that polls: no event reports another's child.
    pub(crate) async fn is_gone(&self) {
        in_time(&format!("the end of process {}", self.pid), async {
            while self.is_alive() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// Runs the same request many times at once, each in a task of its own.
pub(crate) fn at_once(
    server: &Arc<Server>,
    path: &str,
    count: usize,
) -> Vec<tokio::task::JoinHandle<Reply>> {
    (0..count).map(|_| server.begin(path)).collect()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is below a directory")).expect("directories");
    fs::write(path, text).expect("a file");
}
