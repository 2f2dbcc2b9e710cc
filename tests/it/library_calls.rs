//! Calls of requests to databases, as rows with their time and place. `tests/python` has other libraries.

use serde_json::{Value, json};

use super::support::{Project, Server};

const APP: &str = r#"import asyncio
import concurrent.futures
import sqlite3
import sys
import threading
from snaxum import no_capture, route

pool = concurrent.futures.ThreadPoolExecutor(1)

def connect():
    connection = sqlite3.connect(":memory:")
    connection.execute("create table users (id integer, name text, password text)")
    return connection

@route("/users")
def users(request):
    connection = connect()
    for number in range(7):
        connection.execute("select name from users where id = ?", (number,)).fetchall()
    return {}

@route("/users/async")
async def users_async(request):
    cursor = connect().cursor()
    cursor.executemany("insert into users values (?, ?, 'x')", [(1, "a"), (2, "b")])
    return {"rows": cursor.execute("select * from users").fetchall()}

@route("/secret")
def secret(request):
    connection = connect()
    connection.execute("update users set password = ? where id = ?", ("hunter2-long", 1))
    connection.execute("update users set name = :name, password = :password", {"name": "ada", "password": "hunter2-long"})
    connection.execute("insert into users (id, password) values (1, 'hunter2-long')")
    return {}

@route("/private")
@no_capture
def private(request):
    connect().execute("select 'private text'")
    return {}

@route("/many")
def many(request):
    connection = connect()
    for number in range(1000):
        connection.execute(f"select {number}")
    return {}

@route("/broken")
def broken(request):
    connect().execute("select * from missing")

def ask(place):
    print("asks in", place)
    return connect().execute(f"select '{place}'").fetchall()

@route("/threads/<name>")
def threads(request):
    name = request.path_params["name"]
    thread = threading.Thread(target=ask, args=[f"{name} thread"])
    thread.start()
    thread.join()
    list(pool.map(ask, [f"{name} pool"]))
    with concurrent.futures.ThreadPoolExecutor() as own:
        own.submit(ask, f"{name} own pool").result()
    return {}

@route("/threads/async/<name>")
async def threads_async(request):
    name = request.path_params["name"]
    await asyncio.to_thread(ask, f"{name} to_thread")
    await asyncio.get_running_loop().run_in_executor(None, ask, f"{name} executor")
    return {}

@route("/imported")
def imported(request):
    names = ["sqlalchemy", "duckdb", "psycopg", "asyncpg", "httpx", "requests", "aiohttp"]
    return [name for name in names if name in sys.modules]
"#;

async fn app() -> Server {
    Project::new().file("app.py", APP).dev().await
}

async fn detail(server: &Server, id: u64) -> Value {
    server.api(&format!("requests/{id}")).await
}

fn texts(calls: &Value) -> Vec<&str> {
    let calls = calls.as_array().expect("a list").iter();
    calls.map(|call| call["text"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn statements_are_rows_with_their_place_and_repeated_ones_are_named() {
    let server = app().await;
    server.get("/users").await;
    let request = detail(&server, 1).await;
    let calls = &request["calls"];
    assert_eq!(texts(calls)[0], "create table users (id integer, name text, password text)");
    assert_eq!(texts(calls)[1..], ["select name from users where id = ?"; 7]);
    assert_eq!((&calls[0]["file"], &calls[0]["line"]), (&json!("python/app.py"), &json!(12)));
    assert_eq!((&calls[7]["line"], &calls[7]["function"]), (&json!(19), &json!("users")));
    assert_eq!((&calls[7]["nth"], &calls[7]["values"]), (&json!(7), &json!("6")));
    assert_eq!((&calls[7]["kind"], &calls[7]["library"]), (&json!("sql"), &json!("sqlite3")));
    let summary = &request["call_summary"];
    assert_eq!((&summary["count"], &summary["repeated"]["count"]), (&json!(8), &json!(7)));
    assert_eq!(summary["repeated"]["line"], 19);
    let listed = &server.api("requests").await[0];
    assert_eq!(&listed["call_summary"], summary);

    server.get("/users/async").await;
    let request = detail(&server, 2).await;
    assert_eq!(request["calls"][1]["values"], "2 rows, the first: 1, 'a'");
    assert!(request["call_summary"]["repeated"].is_null());
}

#[tokio::test]
async fn secrets_in_statements_and_values_are_masked() {
    let server = app().await;
    server.get("/secret").await;
    let calls = detail(&server, 1).await["calls"].clone();
    assert!(!calls.to_string().contains("hunter2"), "{calls}");
    assert_eq!(calls[1]["values"], "••••, ••••");
    assert_eq!(calls[2]["values"], "name='ada', password=••••");
    assert_eq!(texts(&calls)[3], "insert into users (id, password) values (••••, '••••')");

    server.get("/private").await;
    let private = detail(&server, 2).await;
    assert_eq!(texts(&private["calls"]), ["", ""]);
    assert_eq!(private["calls"][1]["library"], "sqlite3");
}

#[tokio::test]
async fn rows_are_bounded_and_failures_are_shown() {
    let server = app().await;
    server.get("/many").await;
    let many = detail(&server, 1).await;
    let rows = many["calls"].as_array().expect("a list").len();
    assert!((300..400).contains(&rows), "{rows}");
    assert_eq!(many["call_summary"]["count"], 1000);
    assert_eq!(many["call_summary"]["repeated"]["count"], 999);

    server.get("/broken").await;
    let broken = detail(&server, 2).await;
    assert_eq!(broken["calls"][1]["error"], "OperationalError: no such table: missing");
}

#[tokio::test]
async fn a_reload_changes_nothing_and_no_library_is_imported() {
    let server = app().await;
    assert_eq!(server.get("/imported").await.json(), json!([]));
    server.edit("app.py", &APP.replace("range(7)", "range(6)"));
    server.get("/users").await;
    let request = detail(&server, 2).await;
    assert_eq!((&request["generation"], &request["call_summary"]["count"]), (&json!(2), &json!(7)));
}

#[tokio::test]
async fn calls_and_lines_of_threads_belong_to_the_request_that_started_them() {
    let server = app().await;
    let pairs = [
        ("/threads/a", ["thread", "pool", "own pool"].as_slice()),
        ("/threads/async/b", &["to_thread", "executor"]),
    ];
    for (id, (path, places)) in (1..).zip(pairs.into_iter().cycle().take(4)) {
        // The threads of a pool work for one request after the other.
        server.get(path).await;
        let name = path.rsplit('/').next().expect("a name");
        let request = detail(&server, id).await;
        let calls = texts(&request["calls"]);
        let asked: Vec<_> = calls.into_iter().filter(|text| text.starts_with("select")).collect();
        let wanted: Vec<_> =
            places.iter().map(|place| format!("select '{name} {place}'")).collect();
        assert_eq!(asked, wanted);
        let lines = request["logs"].as_array().expect("a list").iter();
        let lines: Vec<_> = lines.map(|line| line["line"].as_str().expect("text")).collect();
        let wanted: Vec<_> = places.iter().map(|place| format!("asks in {name} {place}")).collect();
        assert_eq!(lines, wanted);
    }
}
