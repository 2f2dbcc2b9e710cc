//! Values that handlers return: which become a response, and how the others fail.
//!
//! The values of libraries are in `tests/python/test_library_values.py`.

use serde_json::{Value, json};

use crate::support::{Project, in_time};

/// The shape of pydantic's models, which can be iterated.
const PYDANTIC: &str = r#"
class BaseModel:
    def __init__(self, **fields): self.fields = fields
    def __iter__(self): return iter(self.fields.items())
    def model_dump(self, mode, by_alias): return self.fields
"#;

const RETURNS: &str = r#"
import collections, dataclasses, io, pathlib
from pydantic import BaseModel
from snaxum import Response, route

class User(BaseModel): pass

@dataclasses.dataclass
class Point:
    x: int

class Pages:
    def __iter__(self): yield "page"

class AsyncPages:
    async def __aiter__(self): yield "page"

values = {
    "model": User(name="ada"), "dataclass": Point(1), "true": True, "int": 42, "float": 1.5,
    "set": {1}, "deque": collections.deque([1]), "range": range(2),
    "pages": Pages(), "async-pages": AsyncPages(), "object": object(), "complex": 1j,
    "nested": {"a": [object()]}, "path": pathlib.Path(__file__), "missing": pathlib.Path("gone.csv"),
    "buffer": io.BytesIO(b"all"),
}

@route("/value/<name>")
def value(request):
    return values[request.path_params["name"]]

@route("/async/<name>")
async def value_async(request):
    return values[request.path_params["name"]]
"#;

#[tokio::test]
async fn only_values_with_a_form_become_responses_and_others_are_a_500_with_the_types() {
    let server = Project::new().file("pydantic.py", PYDANTIC).file("app.py", RETURNS).dev().await;

    for prefix in ["/value", "/async"] {
        for (name, expected) in [
            ("model", json!({"name": "ada"})),
            ("dataclass", json!({"x": 1})),
            ("true", json!(true)),
            ("int", json!(42)),
            ("float", json!(1.5)),
            ("set", json!([1])),
            ("deque", json!([1])),
            ("range", json!([0, 1])),
        ] {
            let reply = server.get(&format!("{prefix}/{name}")).await;
            assert_eq!((reply.status, reply.json()), (200, expected), "{name}");
            assert_eq!(reply.header("content-type"), "application/json");
        }
        for (name, detail) in [
            ("pages", "iter(...) to stream it"),
            ("async-pages", "aiter(...) to stream it"),
            ("object", "`object` cannot be a body; return a dict, list"),
            ("complex", "return its .real and .imag"),
            ("nested", "cannot encode `object` at `$.a[0]`"),
        ] {
            let reply = server.get(&format!("{prefix}/{name}")).await;
            let problem = reply.json();
            assert_eq!(reply.status, 500, "{problem}");
            assert!(problem["detail"].as_str().expect("text").contains(detail), "{problem}");
        }
        let file = server.get(&format!("{prefix}/path")).await;
        assert_eq!((file.status, file.text()), (200, RETURNS));
        assert!(file.header("content-type").starts_with("text/x-python"));
        assert_eq!(server.get(&format!("{prefix}/buffer")).await.text(), "all");
        let missing = server.get(&format!("{prefix}/missing")).await;
        assert_eq!(missing.status, 404);
        assert_eq!(missing.json()["detail"], "the file `gone.csv` does not exist");
    }
}

const STREAMS: &str = r#"
from snaxum import HTTPError, Response, route

def fails(error):
    if error is not None:
        raise error
    yield "never"

async def fails_async(error):
    for chunk in fails(error):
        yield chunk

errors = {"value": ValueError("too early"), "http": HTTPError(409, "taken")}

for kind in (fails, fails_async):
    @route(f"/{kind.__name__}/<error>")
    def stream(request, kind=kind):
        return kind(errors[request.path_params["error"]])

    @route(f"/async/{kind.__name__}/<error>")
    async def stream_async(request, kind=kind):
        return Response(kind(errors[request.path_params["error"]]), 201)

@route("/wrong")
def wrong(request):
    return iter([{"a": 1}])

@route("/late")
def late(request):
    yield "one byte"
    raise ValueError("too late")

@route("/nothing")
def nothing(request):
    return iter(())
"#;

#[tokio::test]
async fn an_error_before_the_first_byte_of_a_stream_is_a_500() {
    let server = Project::new().file("app.py", STREAMS).dev().await;

    for kind in ["/fails", "/fails_async", "/async/fails", "/async/fails_async"] {
        let reply = server.get(&format!("{kind}/value")).await;
        let problem = reply.json();
        assert_eq!((reply.status, &problem["detail"]), (500, &json!("ValueError: too early")));
        assert!(!problem["traceback"]["frames"].as_array().expect("frames").is_empty());
        let reply = server.get(&format!("{kind}/http")).await;
        assert_eq!((reply.status, &reply.json()["detail"]), (409, &json!("taken")), "{kind}");
    }
    let wrong = server.get("/wrong").await;
    assert_eq!(wrong.status, 500);
    assert!(wrong.text().contains("the stream yielded a dict; yield str or bytes"));
    assert_eq!(server.get("/nothing").await.status, 200);

    // The end of the connection may overtake the first byte.
    if let Ok(late) = server.request(reqwest::Method::GET, "/late").send().await {
        assert_eq!(late.status(), 200);
        assert!(late.bytes().await.is_err(), "the body is cut");
    }
    server.err.wait_for("ValueError: too late").await;
    let recorded = server.api("requests").await;
    let statuses: Vec<&Value> =
        recorded.as_array().expect("a list").iter().map(|request| &request["status"]).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 5, "{statuses:?}");
}

#[tokio::test]
async fn a_silent_stream_begins_with_an_empty_chunk_or_as_an_event_stream() {
    let server = Project::new()
        .gate()
        .file(
            "app.py",
            r#"
import _gate
from snaxum import Response, route

@route("/empty")
def empty(request):
    yield ""
    _gate.wait("empty")
    yield "text"

@route("/events")
async def events(request):
    async def silent():
        await _gate.wait_async("events")
        yield "data: 1\n\n"
    return Response(silent(), content_type="text/event-stream")
"#,
        )
        .serve()
        .await;

    for (path, text) in [("/empty", "text"), ("/events", "data: 1\n\n")] {
        let sent = server.request(reqwest::Method::GET, path).send();
        let (response, held) = tokio::join!(in_time("the head", sent), server.arrival());
        let response = response.expect("a response");
        assert_eq!(response.status(), 200);
        held.open().await;
        assert_eq!(response.text().await.expect("a whole body"), text);
    }
}
