//! Several parameters of one body, and what else a client of FastAPI relies on in bodies and results.
//!
//! Each case of conversion is in `tests/python/test_embedded_body.py` and `test_return_types.py`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from snaxum import Body, UploadFile, get, post, put

@dataclass
class Item:
    name: str

@dataclass
class StoredItem(Item):
    secret: str = "hidden"

@put("/orders/<int:order_id>")
def update(order_id: int, item: Item, owner: Item, count: Annotated[int, Body(ge=1)] = 1):
    return [order_id, item.name, owner.name, count]

@put("/embedded")
async def embedded(item: Annotated[Item, Body(embed=True)]) -> Item:
    return StoredItem(item.name)

@post("/number")
def number(value: Annotated[int, Body()]):
    return {"value": value}

@post("/upload")
def upload(file: UploadFile):
    return file.size

@get("/since")
def since(start: dt.datetime):
    return {"start": start}
"#;

async fn put(server: &Server, path: &str, body: &str) -> Reply {
    let request = server.request(Method::PUT, path).body(body.to_owned());
    send(request.header("content-type", "application/json")).await
}

fn places(reply: &Reply) -> Vec<Value> {
    let problem = reply.json();
    let errors = problem["errors"].as_array().expect("a list of errors");
    errors.iter().map(|each| json!([each["in"], each["loc"], each["type"]])).collect()
}

#[tokio::test]
async fn several_parameters_are_members_of_one_body() {
    let server = Project::new().file("app.py", APP).dev().await;

    let whole = r#"{"item": {"name": "tea"}, "owner": {"name": "ada"}, "count": "3"}"#;
    assert_eq!(put(&server, "/orders/7", whole).await.json(), json!([7, "tea", "ada", 3]));
    let refused = put(&server, "/orders/7", r#"{"item": {"name": 1}, "count": 0}"#).await;
    assert_eq!(refused.status, 422);
    assert_eq!(
        places(&refused),
        [
            json!(["body", ["item", "name"], "string_type"]),
            json!(["body", ["owner"], "missing"]),
            json!(["body", ["count"], "greater_than_equal"]),
        ]
    );
    assert_eq!(put(&server, "/orders/7", "{").await.status, 400);
    assert_eq!(put(&server, "/orders/7", "[1]").await.status, 422);
    // The result has a field more than its declared type.
    let embedded = put(&server, "/embedded", r#"{"item": {"name": "tea"}}"#).await;
    assert_eq!(embedded.json(), json!({"name": "tea"}));

    let document = server.get("/openapi.json").await.json();
    let body = &document["paths"]["/orders/{order_id}"]["put"]["requestBody"];
    let schema = &body["content"]["application/json"]["schema"];
    assert_eq!(schema["required"], json!(["item", "owner"]), "{document}");
    assert_eq!(schema["properties"]["count"]["minimum"], 1);

    server.edit("app.py", &APP.replace("owner: Item, ", ""));
    let whole = r#"{"item": {"name": "tea"}, "count": 2}"#;
    let reply = put(&server, "/orders/7", whole).await;
    assert_eq!(reply.status, 500, "the name `owner` is gone: {}", reply.text());
}

#[tokio::test]
async fn a_single_value_a_date_and_a_text_for_a_file_are_read_as_in_fastapi() {
    let server = Project::new().file("app.py", APP).serve().await;

    for (body, status) in [("5", 200), ("\"5\"", 200), ("5.0", 200), ("1.5", 422), ("\"x\"", 422)] {
        let request = server.request(Method::POST, "/number").body(body);
        let reply = send(request.header("content-type", "application/json")).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        if status == 200 {
            assert_eq!(reply.json(), json!({"value": 5}));
        }
    }
    let reply = server.get("/since?start=2026-05-01").await;
    assert_eq!(reply.json(), json!({"start": "2026-05-01T00:00:00"}));
    let request = server.request(Method::POST, "/upload").body("file=text");
    let reply = send(request.header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!(places(&reply), [json!(["form", ["file"], "value_error"])]);
    assert!(reply.text().contains("must be a file, and not text"), "{}", reply.text());
}
