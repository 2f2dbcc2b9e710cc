//! The output of `snaxum dev`: text of users is escaped, and JSON is complete.

use serde_json::Value;

use super::terminal::{APP, Screen, app};
use crate::support::Project;

#[tokio::test]
async fn a_path_cannot_steer_the_terminal() {
    let screen = Screen::start(app(), 100).await;
    screen.get("/a%0a%1b%5b2J%9b").await;
    screen.wait_for("/a\\u{a}\\u{1b}[2J").await;
    assert!(!screen.text.borrow().contains("\x1b[2J"));
}

/// Prints what could steer a terminal, and a line in colour.
const SPEAKER: &str = "import logging
from snaxum import route

@route('/')
def index(request):
    print('\\x1b[32mgreen', end=' ')
    print('\\x1b[2J\\x1b]0;title\\x07\\x9b1A\\u202e\\r 14:02:11  GET   /forged')
    logging.warning('logged \\x1b[1;1H')
    return ''
";

#[tokio::test]
async fn output_of_code_cannot_steer_the_terminal_but_may_have_color() {
    let screen = Screen::start(app().file("app.py", SPEAKER), 100).await;
    screen.wait_for("\x1b[2K  ● version 1 live").await;
    screen.get("/").await;
    let line = "\x1b[32mgreen \\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}1A\\u{202e}\\u{d} 14:02:11  \
                GET   /forged\x1b[0m\r\n";
    screen.wait_for(line).await;
    screen.wait_for("logged \\u{1b}[1;1H").await;
}

#[tokio::test]
async fn raw_output_reaches_the_terminal_as_it_is() {
    let project = app().file("app.py", SPEAKER).args(&["--raw-output"]);
    let screen = Screen::start(project, 100).await;
    screen.get("/").await;
    screen.wait_for("green \x1b[2J\x1b]0;title\x07\u{9b}1A\u{202e}\r 14:02:11").await;
}

/// Prints in a pool worker, and while the worker loads the module.
const POOL_SPEAKER: &str = "import os
from snaxum import route

print('loads \\x1b[2J')

def shout():
    print('\\x1b[32mgreen \\x1b[2J\\u202e')

@route('/', use_process_pool=True)
def index(request, pool):
    return str(pool.submit(shout).result())
";

#[tokio::test]
async fn output_of_modules_and_pool_workers_cannot_steer_the_terminal() {
    let screen = Screen::start(app().file("app.py", POOL_SPEAKER), 100).await;
    screen.wait_for("loads \\u{1b}[2J").await;
    screen.get("/").await;
    screen.wait_for("\x1b[32mgreen \\u{1b}[2J\\u{202e}\x1b[0m\r\n").await;

    let project = app().file("app.py", POOL_SPEAKER).args(&["--raw-output"]);
    let screen = Screen::start(project, 100).await;
    screen.get("/").await;
    screen.wait_for("green \x1b[2J\u{202e}").await;
}

#[tokio::test]
async fn without_a_terminal_colours_are_escaped_too() {
    let server = Project::new().file("app.py", SPEAKER).dev().await;
    server.get("/").await;
    let line = server.out.wait_for("green").await;
    assert!(line.starts_with("\\u{1b}[32mgreen \\u{1b}[2J"), "{line:?}");
}

#[tokio::test]
async fn as_json_stdout_has_events_and_nothing_else() {
    let noisy = format!(
        "{APP}
@route('/say')
def shout(request):
    import os, subprocess
    print('said \\x1b[2J\\x9b\\u202e')
    os.write(1, b'written\\n')
    subprocess.run(['echo', 'from a child'])
    return ''


print('loaded')
"
    );
    let project = Project::new().file("app.py", &noisy).args(&["--log-format", "json"]);
    let mut server = project.spawn("dev").logging().await;
    server.get("/say").await;
    server.get("/boom").await;
    server.edit("app.py", "def oops(:");
    server.out.wait_for("\"reload.fail\"").await;
    let restart = server.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(1), "{}", restart.stdout);
    server.edit("app.py", &noisy.replace("hello", "hi"));
    server.out.wait_for("\"generation\":2").await;
    let restart = server.project.snaxum(&["restart"]).await;
    assert_eq!(restart.code, Some(0), "{}", restart.stderr);
    server.get("/say").await;
    assert!(server.stop().await.success());

    let (out, err) = (server.out.whole().await, server.err.whole().await);
    let events: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let types: Vec<&str> =
        events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    let start = ["hello", "log", "reload.ok", "routes"];
    let (first, second) =
        (&types[..4], types.iter().rposition(|kind| *kind == "hello").expect("a start"));
    assert_eq!((first, &types[second..second + 4]), (&start[..], &start[..]), "{types:?}");
    assert_eq!((types[second - 1], types.last()), ("bye", Some(&"bye")));
    let logs: Vec<_> = events.iter().filter(|event| event["type"] == "log").collect();
    assert_eq!((&logs[0]["log"]["line"], &logs[0]["log"]["reload"]), (&"loaded".into(), &1.into()));
    assert_eq!(logs[1]["log"]["line"], "said \u{1b}[2J\u{9b}\u{202e}");
    assert!(!out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{out}");
    let token = err
        .split("?t=")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .expect("it is printed");
    assert!(!token.is_empty() && !out.contains(token));
    for printed in ["loaded", "written", "from a child"] {
        assert!(err.contains(printed) && !out.contains(&format!("\n{printed}")), "{err}");
    }
}

#[tokio::test]
async fn an_unread_log_blocks_nothing() {
    let project = Project::new().file("app.py", APP).args(&["--log-format=json"]);
    let mut server = project.spawn("dev").logging().await;
    server.out.wait_for("\"routes\"").await;
    server.out.hang_up().await;
    for _ in 0..3 {
        assert_eq!(server.get("/").await.text(), "hello");
    }
    assert!(server.stop().await.success());
}

const ALTERNATING: &str = "import asyncio
from snaxum import route

opened = asyncio.Event()

@route('/named/<name>')
def named(request):
    print('is named')
    return ''

@route('/first')
async def first(request):
    print('begins first')
    await opened.wait()
    print('ends first')
    return ''

@route('/second')
async def second(request):
    print('is second')
    opened.set()
    return ''
";

#[tokio::test]
async fn the_lines_of_requests_that_run_at_once_are_below_their_heads() {
    let screen = Screen::start(app().file("app.py", ALTERNATING), 100).await;
    tokio::join!(screen.get("/first"), async {
        screen.wait_for("GET    /first  #1 prints:\r\nbegins first\r\n").await;
        screen.get("/second").await;
    });
    screen.wait_for("GET    /second  #2 prints:\r\nis second\r\n").await;
    screen.wait_for("GET    /first  #1 prints:\r\nends first\r\n").await;
    screen.get("/named/%c2%9b2J").await;
    screen.wait_for("GET    /named/\\u{9b}2J  #3 prints:\r\nis named\r\n").await;
}
