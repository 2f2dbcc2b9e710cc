//! Parameters: filled by name from each part of a request, or refused with every fault.
//!
//! The types and their limits are in `tests/python/test_argument_extraction.py`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated

from snaxum import Cookie, Form, Header, HTTPError, Query, Request, ValidationError, route

@route("/users/<int:user_id>")
def user(user_id: int, limit: int = 10, q: str | None = None):
    return [user_id, limit, q]

@route("/async")
async def search(q: str, page: Annotated[int, Query(ge=1)] = 1, tag: list[Color] = []):
    return [q, page, [each.value for each in tag]]

@route("/orders", methods=["POST"])
def create(order: Order, dry: bool = False):
    return {"total": sum(item.price * item.count for item in order.items), "dry": dry}

@route("/pool", methods=["POST"], use_process_pool=True)
def pooled(order: Order, n: int, pool: ProcessPoolExecutor):
    return pool.submit(pow, len(order.items), n).result()

@route("/whoami")
def whoami(request: Request, x_token: Annotated[int, Header()], sid: Annotated[str, Cookie()] = ""):
    return [request.path, x_token, sid]

@route("/form", methods=["POST"])
def form(name: Annotated[str, Form(min_length=1)], age: Annotated[int, Form()] = 0):
    return [name, age]

@route("/first/<name>")
def first(anything):
    return anything.query_params["name"]

@route("/own")
def own():
    raise HTTPError(409, "not enough", members={"balance": 30}, errors=[{"msg": "a"}])

@route("/values")
def values():
    raise ValidationError([{"in": "body", "loc": ["a"], "msg": "is taken", "type": "taken"}])

# Defined below the handlers that use them.
class Color(Enum):
    RED = "red"

@dataclass
class Item:
    price: float
    count: int = 1

@dataclass
class Order:
    items: list[Item] = field(default_factory=list)
"#;

async fn posted(server: &Server, path: &str, content_type: &str, body: &str) -> Reply {
    let request = server.request(Method::POST, path).body(body.to_owned());
    send(request.header("content-type", content_type)).await
}

fn places(problem: &Value) -> Value {
    let errors = problem["errors"].as_array().expect("a list of errors");
    errors.iter().map(|each| json!([each["in"], each["loc"], each["type"]])).collect()
}

#[tokio::test]
async fn each_part_of_a_request_fills_the_parameters_of_its_name() {
    let server = Project::new().file("app.py", APP).serve().await;

    for (path, expected) in [
        ("/users/7", json!([7, 10, null])),
        ("/users/7?limit=5&q=a%20b&more=1", json!([7, 5, "a b"])),
        ("/users/7?limit=1&limit=2", json!([7, 2, null])),
        ("/async?q=x&tag=red&tag=red", json!(["x", 1, ["red", "red"]])),
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.json()), (200, expected), "{path}");
    }
    let order = r#"{"items": [{"price": 1.5, "count": 2}, {"price": 1}]}"#;
    let json = "application/json";
    let reply = posted(&server, "/orders?dry=yes", json, order).await;
    assert_eq!(reply.json(), json!({"total": 4.0, "dry": true}));
    let reply = posted(&server, "/pool?n=3", json, order).await;
    assert_eq!(reply.json(), json!(8));
    let form = "application/x-www-form-urlencoded";
    let reply = posted(&server, "/form", form, "name=ada+l&age=36").await;
    assert_eq!(reply.json(), json!(["ada l", 36]));
    let request = server.request(Method::GET, "/whoami").header("x-token", "5");
    let reply = send(request.header("cookie", "sid=abc")).await;
    assert_eq!(reply.json(), json!(["/whoami", 5, "abc"]));
    assert_eq!(server.get("/first/x?name=y").await.text(), "y");
}

#[tokio::test]
async fn every_fault_of_a_request_is_in_one_problem_document() {
    let server = Project::new().file("app.py", APP).serve().await;

    let reply = server.get("/async?page=0&tag=red&tag=blue").await;
    assert_eq!((reply.status, reply.header("content-type")), (422, "application/problem+json"));
    let problem = reply.json();
    let expected = json!([
        ["query", ["q"], "missing"],
        ["query", ["page"], "greater_than_equal"],
        ["query", ["tag", 1], "enum"],
    ]);
    assert_eq!(places(&problem), expected, "{problem}");
    assert_eq!(problem["detail"], "the query parameter `q` is missing; 2 more faults");
    assert_eq!(problem["errors"][1]["msg"], "must be at least 1");

    let order = r#"{"items": [{"price": "x"}, {"count": 1}]}"#;
    let json = "application/json";
    for (path, last) in [("/orders?dry=maybe", "bool_parsing"), ("/pool", "missing")] {
        let problem = posted(&server, path, json, order).await.json();
        let places = places(&problem);
        assert_eq!(places[0][1], json!(["items", 0, "price"]), "{problem}");
        assert_eq!(places[1], json!(["body", ["items", 1, "price"], "missing"]));
        assert_eq!(places[2][2], last);
    }

    for (content_type, body, status) in
        [(json, "", 422), (json, "{", 400), ("text/plain", order, 415)]
    {
        let reply = posted(&server, "/orders", content_type, body).await;
        assert_eq!(reply.status, status, "{content_type} {body}: {}", reply.text());
    }
    let request = server.request(Method::GET, "/users/7?limit=x").header("accept", "text/html");
    let page = send(request).await;
    assert_eq!(page.status, 422);
    assert!(page.text().contains("must be an integer"), "{}", page.text());
    assert!(page.text().contains("query limit"), "{}", page.text());
}

#[tokio::test]
async fn an_error_of_a_handler_may_have_members_of_its_own() {
    let server = Project::new().file("app.py", APP).dev().await;

    let own = server.get("/own").await;
    let problem = own.json();
    assert_eq!((own.status, &problem["balance"]), (409, &json!(30)), "{problem}");
    assert_eq!(problem["errors"], json!([{"msg": "a"}]));
    let values = server.get("/values").await;
    assert_eq!(values.status, 422);
    assert_eq!(places(&values.json()), json!([["body", ["a"], "taken"]]));
}

#[tokio::test]
async fn a_type_that_is_gone_rejects_the_save_and_the_last_good_code_serves() {
    let server = Project::new().file("app.py", APP).dev().await;
    assert_eq!(server.get("/async?q=x").await.status, 200);

    server.edit("app.py", &APP.replace("class Color", "class Colour"));
    let waited = server.project.snaxum(&["wait"]).await;
    assert_eq!(waited.code, Some(1));
    let shown = format!("{}{}", waited.stdout, waited.stderr);
    for words in ["parameter `tag` is unknown: `Color`", "app.py:15"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(server.get("/async?q=x&tag=red").await.status, 200);

    server.edit("app.py", &APP.replace("RED = \"red\"", "RED = \"rot\""));
    assert_eq!(server.project.snaxum(&["wait"]).await.code, Some(0));
    assert_eq!(server.get("/async?q=x&tag=rot").await.status, 200);
    assert_eq!(server.get("/async?q=x&tag=red").await.status, 422);
}

const TYPED: &str = r#"
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Optional

from snaxum import Form, Query, route

class Color(Enum):
    RED = "red"

@dataclass
class Filter:
    color: Optional[Color] = None

@route("/typed", methods=["GET", "POST"])
def typed(filter: Annotated[Filter, Query()], color: Annotated[Optional[Color], Query()] = None):
    return "version 1"

@route("/posted", methods=["POST"])
def posted(filter: Optional[Filter], colors: list[Color] = []):
    return "version 1"
"#;

// Python caches the parts of such types, and a handler's plan refers to them.
#[tokio::test]
async fn the_types_of_parameters_do_not_outlive_their_code() {
    let server = Project::new().file("app.py", TYPED).file("stored.py", "VALUE = 1").dev().await;
    assert_eq!(server.get("/typed?color=red").await.text(), "version 1");
    server.edit("app.py", &TYPED.replace("version 1", "version 2"));
    assert_eq!(server.project.snaxum(&["wait"]).await.code, Some(0));
    assert_eq!(server.get("/typed?color=red").await.text(), "version 2");

    // A leak that is reported later.
    let stored = "import snaxum\nclass Stored:\n    def get(self): ...\nsnaxum.keep('stored', Stored)\nVALUE = ";
    for version in ["2", "3"] {
        server.edit("stored.py", &format!("{stored}{version}\n"));
        assert_eq!(server.project.snaxum(&["wait"]).await.code, Some(0));
    }
    let first = server.err.wait_for("is still referenced by").await;
    assert!(first.contains("`stored`"), "{first}");
}
