//! A little world for a test: a temporary project, a server on it, clients, and a gate.
//!
//! Nothing here sleeps in place of an event. Expected events are awaited; [`WATCHDOG`] only
//! turns a hang into a failure. Every process that is started here ends with its handle.

mod apps;
mod console;
mod console_files;
mod output;
mod process;
mod reply;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self};

use apps::GATE;
pub(crate) use apps::app_returning;
pub(crate) use console::Console;
pub(crate) use console_files::console_files;
pub(crate) use output::Output;
pub(crate) use process::Process;
use process::ProcessGroup;
pub(crate) use reply::{Reply, send};

/// Far longer than anything takes.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Waits for `future`, or fails the test with `what` it waited for.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(WATCHDOG, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// The command under test: the binary, or the command that `SNAXUM_COMMAND` names, such as that of
/// an installed wheel.
pub(crate) fn snaxum() -> String {
    std::env::var("SNAXUM_COMMAND").unwrap_or_else(|_| env!("CARGO_BIN_EXE_snaxum").to_owned())
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

    /// Gives the project the packages of the Python tests.
    pub(crate) fn packages(self) -> Self {
        self.environment(&crate::venv::python())
    }

    /// Gives the project the environment of this interpreter.
    pub(crate) fn environment(self, python: &Path) -> Self {
        let venv = python.ancestors().nth(2).expect("bin/python");
        std::os::unix::fs::symlink(venv, self.path().join(".venv")).expect("the project is new");
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
        let output = self.command(&snaxum()).args(command).output();
        let output = in_time("the command to end", output).await.expect("the binary starts");
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Starts `snaxum dev` and returns when it responds.
    pub(crate) async fn dev(self) -> Server {
        self.spawn("dev").ready().await
    }

    /// Starts `snaxum serve` and returns when it responds.
    pub(crate) async fn serve(self) -> Server {
        let server = self.spawn("serve");
        server.listening().await
    }

    /// Starts the server without waiting for anything.
    pub(crate) fn spawn(self, command: &str) -> Server {
        let mut process = self.command(&snaxum());
        process.args([command, "--port", "0"]).args(&self.args);
        let has_parent = command == "serve";
        Server { has_parent, ..self.spawn_process(process) }
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
            _group: ProcessGroup::of(pid),
            project: self,
            url: String::new(),
            token: String::new(),
            has_parent: false,
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
            let inherited = [
                "PYTHONDONTWRITEBYTECODE",
                "PYTHONUNBUFFERED",
                "RUST_LOG",
                "NO_COLOR",
                "FORCE_COLOR",
                "CLICOLOR_FORCE",
            ];
            if name.starts_with("SNAXUM_") || inherited.contains(&&*name) {
                command.env_remove(&key);
            }
        }
        // A client that closes is noticed after this time.
        command.env("SNAXUM_HALF_CLOSE_TIMEOUT", "500ms");
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
    _group: ProcessGroup,
    /// Whether a child of the started process serves, without a file that names it.
    has_parent: bool,
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
    pub(crate) async fn ready(self) -> Self {
        self.out.wait_for("/__snaxum/?t=").await;
        self.announced()
    }

    /// The same for one whose stdout is a log of events.
    pub(crate) async fn logging(self) -> Self {
        self.err.wait_for("/__snaxum/?t=").await;
        self.announced()
    }

    /// Takes address and token from `.snaxum/dev.json`.
    pub(crate) fn announced(mut self) -> Self {
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
            Ok((socket, _)) => Ok(Console::new(socket)),
            Err(tungstenite::Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("no response to the upgrade: {error}"),
        }
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) async fn raw(&self, bytes: &str) -> String {
        let mut stream = self.socket(bytes.as_bytes()).await;
        let mut response = Vec::new();
        in_time("the raw response", stream.read_to_end(&mut response)).await.expect("it responds");
        String::from_utf8_lossy(&response).into_owned()
    }

    /// A new connection on which these bytes have been sent.
    pub(crate) async fn socket(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.authority()).await.expect("it listens");
        stream.write_all(bytes).await.expect("it reads");
        stream
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

    /// The process that runs Python: a child of the started process, but for programs of a test.
    pub(crate) fn python_pid(&self) -> u32 {
        let announced = self.announcement().and_then(|announced| announced["python_pid"].as_u64());
        if let Some(pid) = announced {
            return u32::try_from(pid).expect("a pid");
        }
        match self.has_parent {
            true => Process::children_of(self.pid).first().map_or(self.pid, |child| child.pid),
            false => self.pid,
        }
    }

    pub(crate) fn python_process(&self) -> Process {
        Process::of(self.python_pid())
    }

    /// Stops the process that runs Python with SIGSTOP, and returns when each of its threads has
    /// stopped.
    pub(crate) fn suspend(&self) {
        self.python_process().suspend();
    }

    /// Continues after `suspend`.
    pub(crate) fn resume(&self) {
        self.python_process().signal(libc::SIGCONT);
    }

    /// Waits until the started process has stopped, as Ctrl-Z makes it.
    pub(crate) fn has_stopped(&self) {
        // SAFETY: `siginfo_t` is plain data for the kernel to fill; `WNOWAIT` leaves the state of
        // our own child to the wait for its exit.
        let stopped = unsafe {
            let mut info = std::mem::zeroed::<libc::siginfo_t>();
            libc::waitid(libc::P_PID, self.pid, &raw mut info, libc::WSTOPPED | libc::WNOWAIT)
        };
        assert_eq!(stopped, 0, "the server is there");
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
        let pid = self.python_pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has some");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<usize>().ok()).expect("kB") * 1024
    }

    /// The children of the started process.
    pub(crate) fn processes(&self) -> Vec<Process> {
        Process::children_of(self.pid)
    }

    /// The same, once there are `count`: a replaced one, or a trial, may be about to end.
    pub(crate) async fn settled_processes(&self, count: usize) -> Vec<Process> {
        Process::children_once(self.pid, count).await
    }

    /// The descendants of the process that runs Python.
    pub(crate) fn children(&self) -> Vec<Process> {
        Process::below(self.python_pid())
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
