//! Tracebacks with objects whose methods raise, recurse or never return.

use serde_json::{Value, json};

use super::support::{Project, Server};

const HOSTILE: &str = r#"
import os
import threading
from snaxum import Request, route

def repr_of(body):
    return type("Hostile", (), {"__repr__": body, "note": "shown by type"})()

def raising(self):
    raise SystemExit(3)

def recursive(self):
    return repr(self)

def nothing(self):
    return None

def endless(self):
    while True:
        pass

class Longer(str):
    def __len__(self):
        raise ValueError("no length")

class Meta(type):
    @property
    def __name__(cls):
        raise ValueError("no name")

class Nameless(metaclass=Meta):
    pass

class Liar:
    @property
    def __class__(self):
        raise ValueError("no class")

class Noted(Exception):
    @property
    def __notes__(self):
        raise ValueError("no notes")

@route("/hostile")
def hostile(request: Request):
    raises = repr_of(raising)
    is_none = repr_of(nothing)
    no_length = repr_of(lambda self: Longer("x"))
    nameless = Nameless()
    liar = Liar()
    huge = repr_of(lambda self: "x" * 5_000_000)
    recurses = repr_of(recursive)
    never_ends = repr_of(endless)
    next = "after the unfinished task"
    second, third = repr_of(endless), repr_of(endless)
    late = "after three of them"
    raise Noted("it went wrong")

@route("/slow")
def slow(request: Request):
    library = repr_of(lambda self: threading.Event().wait(0.1) and "" or "slow")
    late = "after the slow one"
    raise Noted("it went wrong")

@route("/async")
async def on_the_loop(request: Request):
    never_ends = repr_of(endless)
    raise Noted("it went wrong")

@route("/hello")
def hello(request: Request):
    return "hello"
"#;

#[tokio::test]
async fn a_hostile_repr_neither_stalls_nor_stops_the_server() {
    let server = Project::new().file("app.py", HOSTILE).dev().await;

    let hostile = Shown::of(&server, "/hostile").await;
    assert_eq!(server.get("/hello").await.text(), "hello");
    assert_eq!(hostile.value("raises"), "<Hostile: repr raised SystemExit>");
    let recurses = hostile.value("recurses");
    // Which limit it meets first depends on the machine's load.
    assert!(
        recurses == "<Hostile: repr raised RecursionError>"
            || recurses == "<Hostile: not shown, out of time>",
        "{recurses}"
    );
    assert_eq!(hostile.value("is_none"), "<Hostile: repr raised TypeError>");
    assert_eq!(hostile.value("no_length"), "x");
    assert!(hostile.value("nameless").contains("Nameless"));
    assert!(hostile.value("liar").contains("Liar"));
    let huge = hostile.value("huge");
    assert!(huge.len() < 1200 && huge.contains("5000000 characters"));
    assert_eq!(hostile.value("never_ends"), "<Hostile: not shown, out of time>");
    assert_eq!(hostile.value("next"), "'after the unfinished task'", "one hides no other");
    let late = hostile.value("late");
    // Whether time is left for it depends on the machine's load.
    assert!(late == "<str: not shown, out of time>" || late == "'after three of them'", "{late}");

    let slow = Shown::of(&server, "/slow").await;
    assert_eq!(slow.value("library"), "slow", "a library's `repr` is waited for");
    assert_eq!(slow.value("late"), "'after the slow one'");

    let on_the_loop = Shown::of(&server, "/async").await;
    assert_eq!(on_the_loop.value("never_ends"), "<Hostile: not shown, out of time>");
    assert_eq!(Shown::of(&server, "/async").await.locals.len(), 2, "the loop still runs");
}

/// The locals that a failed request is shown with.
struct Shown {
    locals: Vec<Value>,
}

impl Shown {
    async fn of(server: &Server, path: &str) -> Self {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 500);
        let request = server.api(&format!("requests/{}", reply.header("x-request-id"))).await;
        let traceback = &request["traceback"];
        let raised = (&traceback["type"], &traceback["message"]);
        assert_eq!(raised, (&json!("app.Noted"), &json!("it went wrong")));
        Self { locals: traceback["frames"][0]["locals"].as_array().expect("locals").clone() }
    }

    fn value(&self, name: &str) -> &str {
        let local = self.locals.iter().find(|local| local["name"] == name).expect("it is shown");
        local["value"].as_str().expect("text")
    }
}
