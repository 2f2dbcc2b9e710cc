//! `snaxum dev` on a terminal: what its keys do, what it draws, and how it leaves the terminal.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Child;
use tokio::sync::watch;

use crate::support::{Project, in_time, snaxum};

/// Far longer than anything takes.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);

pub(crate) const APP: &str = "from snaxum import route


@route('/')
def index(request):
    return 'hello'


@route('/boom')
def boom(request):
    count = 0
    return 1 / count
";

/// A server on a pseudo-terminal.
pub(crate) struct Screen {
    pub(crate) project: Project,
    pub(crate) child: Child,
    pub(crate) master: File,
    /// Its mode is asked for after the server has gone.
    pub(crate) slave: OwnedFd,
    pub(crate) text: watch::Receiver<String>,
    pub(crate) url: String,
}

impl Screen {
    /// Starts `snaxum dev` and returns when it reads keys, or responds if it reads none.
    pub(crate) async fn start(project: Project, columns: u16) -> Self {
        let mut screen = Self::open(project, columns, &["dev", "--port", "0"]);
        screen.wait_for("/__snaxum/?t=").await;
        let announced = fs::read(screen.project.path().join(".snaxum/dev.json")).expect("a file");
        let announced: Value = serde_json::from_slice(&announced).expect("JSON");
        screen.url = announced["url"].as_str().expect("a URL").to_owned();
        screen
    }

    /// Starts a command.
    pub(crate) fn open(project: Project, columns: u16, arguments: &[&str]) -> Self {
        let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let (mut master, mut slave) = (0, 0);
        // SAFETY: the pointers are to values of ours, or null where that is allowed.
        let made = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &raw const size as _,
            )
        };
        assert_eq!(made, 0, "a pseudo-terminal");
        // SAFETY: sets a flag of two descriptors of ours: processes of other tests get neither.
        unsafe {
            libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(slave, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        // SAFETY: both were just made, for us alone.
        let (master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let end = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut command = project.command(&snaxum());
        command.args(arguments).args(project.arguments()).env("TERM", "xterm-256color");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        let (sender, text) = watch::channel(String::new());
        let mut reader = master.try_clone().expect("a descriptor");
        std::thread::spawn(move || {
            let (mut bytes, mut whole) = ([0; 4096], Vec::new());
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                whole.extend_from_slice(&bytes[..count]);
                sender.send_modify(|text| *text = String::from_utf8_lossy(&whole).into_owned());
            }
        });
        Self { project, child, master, slave, text, url: String::new() }
    }

    /// Waits until this has been written.
    pub(crate) async fn wait_for(&self, what: &str) {
        self.wait_for_times(what, 1).await;
    }

    pub(crate) async fn wait_for_times(&self, what: &str, times: usize) {
        self.wait_until(what, |text| text.matches(what).count() >= times).await;
    }

    pub(crate) async fn wait_until(&self, what: &str, is_there: impl Fn(&str) -> bool) {
        let mut text = self.text.clone();
        let waiting = tokio::time::timeout(WATCHDOG, text.wait_for(|text| is_there(text)));
        let found = waiting.await.is_ok_and(|found| found.is_ok());
        assert!(found, "no {what:?} in:\n{}", self.text.borrow().escape_debug());
    }

    pub(crate) fn press(&mut self, key: &str) {
        self.master.write_all(key.as_bytes()).expect("the terminal takes it");
    }

    pub(crate) async fn get(&self, path: &str) {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        in_time(path, client.get(format!("{}{path}", self.url)).send()).await.expect("a response");
    }

    /// The bits of the terminal's mode that matter to what a person types.
    pub(crate) fn mode(&self) -> [bool; 3] {
        // SAFETY: all of it is numbers, for which zero is a value.
        let mut mode: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: points to a value of ours that outlives the call.
        let status = unsafe { libc::tcgetattr(self.slave.as_raw_fd(), &raw mut mode) };
        assert_eq!(status, 0, "it has a mode");
        [libc::ICANON, libc::ECHO, libc::ISIG].map(|flag| mode.c_lflag & flag != 0)
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        in_time("the server to end", self.child.wait()).await.expect("a child of ours")
    }

    /// The terminal is as it was before the start.
    pub(crate) async fn assert_left_as_found(&self) {
        assert_eq!(self.mode(), [true; 3]);
        let count = |text: &str, what| text.matches(what).count();
        self.wait_until("as many ends of the status line as starts", |text| {
            let set_up = count(text, "\x1b[1;23r");
            set_up > 0 && count(text, "\x1b7\x1b[r\x1b[24;1H\x1b[2K") == set_up
        })
        .await;
    }
}

pub(crate) fn app() -> Project {
    Project::new().file("app.py", APP).env("CI", "").env("NO_COLOR", "1")
}

#[tokio::test]
async fn keys_act_without_enter_and_the_terminal_is_left_as_it_was() {
    let mut screen = Screen::start(app(), 100).await;
    screen.wait_for("r reload  o open  c console  l routes  e error").await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    assert_eq!(screen.mode(), [false, false, true]);

    screen.press("e");
    screen.wait_for("no error yet").await;
    screen.press("r");
    screen.wait_for("nothing to reload; version 1 is still serving").await;
    screen.press("\x1b[q");
    screen.press("lh");
    screen.wait_for("/boom  app.boom").await;
    screen.wait_for("show only errors and reloads").await;
    screen.press("k");
    screen.wait_for("\x1b[H\x1b[2J").await;

    screen.press("q");
    assert_eq!(screen.ended().await.code(), Some(0));
    screen.assert_left_as_found().await;
}

#[tokio::test]
async fn an_error_has_two_lines_and_its_whole_traceback_on_a_key() {
    let mut screen = Screen::start(app(), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;

    screen.get("/boom").await;
    screen.wait_for("└ python/app.py:12 in boom   return 1 / count   count=0").await;
    assert!(!screen.text.borrow().contains("ZeroDivisionError: division by zero"));
    screen.press("e");
    screen.wait_for("ZeroDivisionError: division by zero").await;
}

#[tokio::test]
async fn the_status_line_shows_a_broken_save_until_it_is_fixed() {
    let screen = Screen::start(app(), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    let file = screen.project.path().join("python/app.py");

    fs::write(&file, "def oops(:\n").expect("a file");
    screen.wait_for("▲ version 1 is still serving").await;
    screen.wait_for("\x1b[2K  ▲ version 1 live, the newest save does not load").await;
    screen.wait_for("│ 1 › def oops(:").await;

    fs::write(&file, APP.replace("hello", "hi")).expect("a file");
    screen.wait_for("fixed after").await;
    screen.wait_for("\x1b[2K  ● version 2 live").await;
}

#[tokio::test]
async fn the_newest_failure_is_pinned_by_a_key_and_reported_until_it_passes() {
    let mut screen = Screen::start(app(), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    screen.press("p");
    screen.wait_for("no request pinned: no request has failed so far").await;
    screen.get("/boom").await;
    screen.press("p");
    screen.wait_for("⚑ pinned GET /boom").await;

    let file = screen.project.path().join("python/app.py");
    fs::write(&file, APP.replace("1 / count", "2 / count")).expect("a file");
    screen.wait_for("1 pinned request: 1 still failing").await;
    fs::write(&file, APP.replace("1 / count", "str(count)")).expect("a file");
    screen.wait_for("1 pinned request: 1 passing").await;
    screen.wait_for("v3 #").await;
    let text = screen.text.borrow().clone();
    let place = |what: &str| text.lines().position(|line| line.contains(what)).expect(what);
    let line = text.lines().nth(place("1 passing")).expect("a line");
    assert!(line.contains("↻ v3") && line.contains("python/app.py"), "{line}");
    assert!(place("1 passing") < place("v3 #"), "the replay is below: {text}");
}

#[tokio::test]
async fn responses_of_the_old_code_are_above_the_reload() {
    let screen = Screen::start(app(), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    for _ in 0..3 {
        screen.get("/nowhere").await; // two of them share a line that comes later
    }
    let file = screen.project.path().join("python/app.py");
    fs::write(&file, APP.replace("hello", "hi")).expect("a file");
    screen.wait_for("↻ v2").await;
    let text = screen.text.borrow().clone();
    let (repeats, reload) = (text.find("(×2)"), text.find("↻ v2"));
    assert!(repeats.is_some() && repeats < reload, "{text}");
}

#[tokio::test]
async fn quiet_shows_errors_and_no_other_requests() {
    let mut screen = Screen::start(app(), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    screen.press("v");
    screen.wait_for("\x1b[2K  ● version 1 live · quiet").await;

    screen.get("/left-out").await;
    screen.get("/boom").await;
    screen.wait_for("└ python/app.py:12").await;
    assert!(!screen.text.borrow().contains("/left-out"));

    screen.press("v");
    screen.wait_for("showing everything").await;
    screen.get("/shown").await;
    screen.wait_for("/shown").await;
}

#[tokio::test]
async fn a_new_process_takes_the_keys_over_and_leaves_the_terminal_as_it_was() {
    let mut screen = Screen::start(app(), 60).await;
    screen.wait_for("h help  q quit").await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    assert!(!screen.text.borrow().contains("r reload"));

    let restart = screen.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    screen.wait_for_times("h help  q quit", 2).await;
    screen.wait_for("\x1b[2K  ● version 2 live").await;
    assert_eq!(screen.mode(), [false, false, true]);

    screen.press("q");
    assert_eq!(screen.ended().await.code(), Some(0));
    screen.assert_left_as_found().await;
}

#[tokio::test]
async fn the_browser_gets_our_own_addresses_as_one_argument() {
    let project = app().top_file("bin/xdg-open", "#!/bin/sh\necho \"$# $1\" >> opened\n");
    let program = project.path().join("bin/xdg-open");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let bin = program.parent().expect("a directory").to_str().expect("UTF-8").to_owned();
    let path = std::env::var("PATH").expect("there is one");
    let mut screen = Screen::start(project.env("PATH", &format!("{bin}:{path}")), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    let fifo = screen.project.path().join("opened");
    let name = std::ffi::CString::new(fifo.to_str().expect("UTF-8")).expect("no zero");
    // SAFETY: the name outlives the call.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0, "a pipe");

    for (key, rest) in [("o", "/"), ("c", "/__snaxum/?t=")] {
        screen.press(key);
        let opened = in_time("the address", tokio::fs::read_to_string(&fifo)).await.expect("text");
        assert!(opened.starts_with(&format!("1 {}{rest}", screen.url)), "{opened}");
    }
}

#[tokio::test]
async fn the_console_is_a_link_where_the_terminal_takes_one() {
    let screen = Screen::start(app().env("VTE_VERSION", "7600"), 100).await;
    let link = format!("\x1b]8;;{}/__snaxum/?t=", screen.url);
    screen.wait_for(&link).await;
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_the_terminal_as_it_was_too() {
    let held = APP.replace("    count = 0", "    print('held')\n    __import__('time').sleep(99)");
    let project = app().file("app.py", &held).env("RUST_LOG", "info");
    let mut screen = Screen::start(project, 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    let url = format!("{}/boom", screen.url);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = tokio::spawn(client.get(url).send());
    screen.wait_for("held").await;

    let pid = i32::try_from(screen.child.id().expect("it runs")).expect("a pid");
    // SAFETY: sends a signal to our own child, which is not yet waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0, "it is there");
    screen.wait_for("stopping").await;
    // SAFETY: the same.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0, "it is there");
    assert_eq!(screen.ended().await.code(), Some(130));
    screen.assert_left_as_found().await;
    assert!(in_time("no response", request).await.expect("a task").is_err());
}

#[tokio::test]
async fn in_ci_no_key_is_read_and_nothing_is_drawn_over() {
    let project = Project::new().file("app.py", APP).env("CI", "true").env("NO_COLOR", "1");
    appends_lines_only(Screen::start(project, 100).await).await;
}

#[tokio::test]
async fn no_keys_leaves_stdin_to_the_handlers() {
    appends_lines_only(Screen::start(app().args(&["--no-keys"]), 100).await).await;
}

async fn appends_lines_only(screen: Screen) {
    assert_eq!(screen.mode(), [true; 3]);
    screen.get("/boom").await;
    screen.wait_for("ZeroDivisionError: division by zero").await;
    let text = screen.text.borrow();
    assert!(!text.contains("q quit") && !text.contains('\x1b'), "{text:?}");
}

#[tokio::test]
async fn repeats_name_what_they_have_in_common_and_are_in_order() {
    let user = format!("{APP}\n\n@route('/users/<int:id>')\ndef user(request): return 'u'\n");
    let mut server = Project::new().file("app.py", &user).dev().await;
    for path in ["/users/1", "/users/2", "/users/3", "/boom"] {
        server.get(path).await;
    }
    let line = server.out.wait_for("(×2)").await;
    assert!(line.contains("  GET    /users/<int:id>  ") && line.contains(" ms "), "{line}");
    assert!(line.contains('≤') && line.ends_with("#2–#3"), "{line}");
    server.out.wait_for("  ZeroDivisionError  ").await;
    server.stop().await;
    let output = server.out.whole().await;
    let (repeats, next) = (output.find("(×2)"), output.find("  ZeroDivisionError  "));
    assert!(repeats.is_some() && repeats < next, "{output}");
}

#[tokio::test]
async fn one_cause_is_printed_once() {
    let broken = "import nosuch_module\n";
    let project = Project::new().file("app.py", "import models\n").file("models.py", broken);
    let mut server = project.dev().await;
    let names = server.out.wait_for("ModuleNotFoundError: No module named").await;
    assert!(names.contains("nosuch_module"), "{names}");
    server.get("/one").await;
    server.get("/two").await;
    server.edit("other.py", "X = 1\n");
    server.out.wait_for("still ModuleNotFoundError in python/models.py:1").await;
    server.stop().await;
    let output = server.out.whole().await;
    assert_eq!(output.matches("No module named").count(), 1, "{output}");
    assert!(output.contains("/one") && output.contains("/two"), "{output}");
}

#[tokio::test]
async fn the_banner_of_many_routes_leaves_the_console_on_the_screen() {
    let routes: String =
        (0..40).map(|n| format!("@route('/r{n}')\ndef r{n}(request): ...\n\n")).collect();
    let app = app().file("app.py", &format!("from snaxum import route\n\n{routes}"));
    let mut screen = Screen::start(app, 80).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    let text = screen.text.borrow().clone();
    assert!(text.contains("40 routes (l lists them)") && !text.contains("/r7  "), "{text}");
    let url = text.lines().find(|line| line.contains("/__snaxum/?t=")).expect("the console");
    assert!(url.starts_with("http://") && url.trim_end().len() <= 80, "{url:?}");
    screen.press("l");
    screen.wait_for("/r39  app.r39").await;
}

#[tokio::test]
async fn the_phases_of_a_reload_are_printed_on_request_by_a_new_process_too() {
    let server = Project::new().file("app.py", APP).args(&["--explain-reload"]).dev().await;
    server.edit("app.py", &APP.replace("hello", "hi"));
    let line = server.out.wait_for("settle ").await;
    assert!(line.contains("(app ") && line.contains(" · commit "), "{line}");

    let restart = server.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    server.edit("app.py", &APP.replace("hello", "hey"));
    server.out.wait_for("↻ v4").await;
}

#[tokio::test]
async fn no_request_is_left_out_of_the_count() {
    let mut server = Project::new().file("app.py", APP).dev().await;
    for _ in 0..10 {
        server.get("/").await;
    }
    server.stop().await;
    let output = server.out.whole().await;
    let times = |line: &str| line.split_once("(×").map_or(1, |(_, rest)| number(rest));
    let of_requests =
        output.lines().filter(|line| line.contains("  GET    /  ") && line.contains(" ms "));
    assert_eq!(of_requests.map(times).sum::<usize>(), 10, "{output}");
}

fn number(text: &str) -> usize {
    text.split(')').next().and_then(|digits| digits.parse().ok()).expect("a number")
}
