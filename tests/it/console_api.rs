//! The API of the console beside the event stream: sources, matches, workers; and the size of its page.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Project, Server, console_files, in_time, send};

const APP: &str = r#"import _gate
import tasks
from snaxum import Request, route

@route("/orders/<int:id>", methods=["GET", "POST"])
def order(request: Request) -> dict:
    """One order."""
    return {"id": request.path_params["id"]}

@route("/orders/new")
def new(request: Request) -> dict:
    return {}

@route("/hold")
def hold(request: Request) -> str:
    _gate.wait("thread")
    return "held"

@route("/later")
async def later(request: Request) -> str:
    await _gate.wait_async("loop")
    return "later"

@route("/work", use_process_pool=True)
def work(request: Request, pool) -> str:
    return str(pool.submit(tasks.hold).result())

@route("/version", use_process_pool=True)
def version(request: Request, pool) -> str:
    return str(pool.submit(tasks.version).result())
"#;
const TASKS: &str = r#"import _gate
VERSION = 1

def hold():
    _gate.wait("pool")
    return 1

def version():
    return VERSION
"#;

async fn app(args: &[&str]) -> Server {
    let project = Project::new().gate().file("app.py", APP).file("tasks.py", TASKS);
    project.args(args).dev().await
}

async fn id_of(server: &Server, path: &str) -> String {
    let routes = server.api("routes").await;
    let route = routes.as_array().expect("a list").iter().find(|route| route["path"] == path);
    route.expect("it serves")["id"].as_str().expect("an id").to_owned()
}

fn texts(source: &Value) -> Vec<&str> {
    let lines = source["lines"].as_array().expect("lines");
    lines.iter().map(|line| line["text"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn a_source_belongs_to_the_serving_code_even_if_the_file_changed() {
    let server = app(&[]).await;
    let id = id_of(&server, "/orders/new").await;
    let path = format!("routes/{id}/source");

    server.edit("app.py", "def oops(:\n");
    server.api("wait").await;
    let source = server.api(&path).await;

    assert_eq!(source["file"], "python/app.py");
    assert_eq!((&source["generation"], &source["is_cut"]), (&json!(1), &json!(false)));
    assert_eq!(source["lines"][0]["line"], 10);
    assert_eq!(
        texts(&source),
        ["@route(\"/orders/new\")", "def new(request: Request) -> dict:", "    return {}"]
    );

    server.edit("app.py", &format!("# one line more\n{APP}"));
    server.api("wait").await;
    let source = server.api(&path).await;
    assert_eq!((&source["lines"][0]["line"], texts(&source).len()), (&json!(11), 3));
}

#[tokio::test]
async fn no_part_of_a_source_s_address_is_taken_for_a_path() {
    let server = app(&[]).await;
    for id in [
        "r_00000000",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "file:%2F%2F%2Fetc%2Fpasswd",
        "python%2Fapp.py",
        "app.py%00",
        "%5C%5Chost%5Cshare",
    ] {
        let path = format!("/__snaxum/api/routes/{id}/source");
        let request = server.request(reqwest::Method::GET, &path).bearer_auth(&server.token);
        assert_eq!(super::support::send(request).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn a_save_is_compared_with_the_code_that_was_loaded() {
    let server = app(&[]).await;
    let diff = async |id: u64| {
        let diff = server.api(&format!("reloads/{id}/diff")).await;
        let files = diff["files"].as_array().expect("a list").clone();
        let lines = files.iter().flat_map(|file| file["hunks"].as_array().expect("a list").clone());
        let lines = lines.flat_map(|hunk| hunk.as_array().expect("a list").clone());
        let changed = lines.filter(|line| line["sign"] != " ");
        let changed = changed.map(|line| format!("{}{}", text(&line["sign"]), text(&line["text"])));
        (files[0].clone(), changed.collect::<Vec<_>>())
    };
    let start = server.api("reloads/1/diff").await;
    assert_eq!(start, json!({"is_stored": false, "files": []}));

    let changed = APP.replace(
        "def new(request: Request) -> dict:\n    return {}",
        "def new(request: Request) -> dict:\n    return {1: 1}",
    );
    server.edit("app.py", &changed);
    server.api("wait").await;
    let (file, lines) = diff(2).await;
    assert_eq!((text(&file["file"]), text(&file["kind"])), ("python/app.py", "changed"));
    assert_eq!(lines, ["-    return {}", "+    return {1: 1}"]);
    assert_eq!(text(&file["functions"][0]["name"]), "new");

    // A save that does not load is compared with the code that is still serving.
    server.edit("app.py", &format!("{changed}def oops(:\n"));
    server.api("wait").await;
    assert_eq!(diff(3).await.1, ["+def oops(:"]);

    // Comments: the serving code has the new lines from now on.
    server.edit("app.py", &format!("# a comment\n{changed}"));
    server.api("wait").await;
    assert_eq!(diff(4).await.1, ["+# a comment"]);

    let request = server.request(reqwest::Method::GET, "/__snaxum/api/reloads/99/diff");
    assert_eq!(super::support::send(request.bearer_auth(&server.token)).await.status, 404);
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn a_match_names_the_winner_its_parameters_and_why_others_lost() {
    let server = app(&[]).await;

    let lookup = server.api("match?method=post&path=/orders/9?x=1").await;
    assert_eq!((&lookup["method"], &lookup["path"]), (&json!("POST"), &json!("/orders/9")));
    assert_eq!(lookup["route"]["handler"], "app.order");
    assert_eq!(lookup["route"]["params"], json!([{"name": "id", "type": "int", "value": "9"}]));

    let lookup = server.api("match?method=GET&path=/orders/n%2565w").await;
    assert_eq!((&lookup["status"], &lookup["path"]), (&json!(200), &json!("/orders/new")));
    let lookup = server.api("match?method=GET&path=/orders/x").await;
    assert_eq!((&lookup["status"], &lookup["route"]), (&json!(404), &Value::Null));
    assert!(
        lookup["near_misses"][0]["reason"].as_str().is_some_and(|why| why.contains("`x`")),
        "{lookup}"
    );

    let path = "/__snaxum/api/match?method=GET&path=orders";
    let request = server.request(reqwest::Method::GET, path).bearer_auth(&server.token);
    assert_eq!(super::support::send(request).await.status, 400);
}

#[tokio::test]
async fn each_worker_is_listed_with_its_request() {
    let server = app(&["--dispatch-workers", "1", "--pool-workers", "1"]).await;
    let idle = server.api("workers").await;
    assert_eq!(idle["dispatch"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&idle["dispatch"][0]["request"], &idle["queue"]["count"]),
        (&Value::Null, &json!(0))
    );

    let work = server.begin("/work");
    let pool_requests = server.arrival().await;
    let later = server.begin("/later");
    let on_loop = server.arrival().await;
    let hold = server.begin("/hold");
    let in_thread = server.arrival().await;
    let waiting = server.begin("/orders/7");
    let workers = in_time("a request in the queue", async {
        loop {
            let workers = server.api("workers").await;
            if workers["queue"]["count"] == 1 {
                return workers;
            }
        }
    })
    .await;

    assert_eq!((&workers["generation"], &workers["queue_capacity"]), (&1.into(), &1024.into()));
    let thread = &workers["dispatch"][0];
    assert!(thread["name"].as_str().is_some_and(|name| name.starts_with("dispatch-")), "{thread}");
    assert_eq!(thread["replaced"], false);
    for (request, path) in [
        (&thread["request"], "/hold"),
        (&workers["queue"]["requests"][0], "/orders/7"),
        (&workers["loop"]["requests"][0], "/later"),
        (&workers["pool_requests"]["requests"][0], "/work"),
    ] {
        assert_eq!((&request["method"], &request["path"]), (&json!("GET"), &json!(path)));
        assert!(request["age_ms"].as_f64().is_some_and(|age| age > 0.0), "{request}");
        let runs = path != "/orders/7";
        assert_eq!(request["generation"], if runs { json!(1) } else { Value::Null }, "{path}");
    }
    let worker = &workers["pool"]["workers"][0];
    assert_eq!((&worker["task"], &worker["busy"]), (&json!("tasks.hold"), &json!(true)));
    assert!(worker["task_ms"].as_f64().is_some_and(|age| age > 0.0), "{worker}");
    assert!(worker["rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000), "{worker}");

    for held in [in_thread, on_loop, pool_requests] {
        held.open().await;
    }
    for request in [work, later, hold, waiting] {
        assert_eq!(request.await.expect("no panic").status, 200);
    }
    let workers = server.api("workers").await;
    let slowest = workers["slowest_routes"].as_array().expect("a list");
    let paths: Vec<_> = slowest.iter().map(|row| row["route"].as_str()).collect();
    assert!(slowest.len() == 4 && paths.contains(&Some("/hold")), "{slowest:?}");
    let means: Vec<_> = slowest.iter().map(|row| row["mean_ms"].as_f64()).collect();
    assert!(means.is_sorted_by(|one, two| one >= two) && means[3] > Some(0.0), "{slowest:?}");
    let worker = &workers["pool"]["workers"][0];
    assert_eq!((&worker["done"], &worker["failed"]), (&json!(1), &json!(0)));
    assert_eq!(worker["task"], Value::Null);
}

#[tokio::test]
async fn a_pool_worker_is_stale_until_its_next_task() {
    let server = app(&["--pool-workers", "1"]).await;
    let worker = async || server.api("workers").await["pool"]["workers"][0].clone();
    assert_eq!(server.get("/version").await.text(), "1");
    let before = worker().await;
    assert_eq!((&before["generation"], &before["stale"]), (&json!(1), &json!(false)));

    server.edit("tasks.py", &TASKS.replace("VERSION = 1", "VERSION = 2"));
    server.api("wait").await;
    assert_eq!(worker().await["stale"], true);

    assert_eq!(server.get("/version").await.text(), "2");
    let after = worker().await;
    assert_eq!((&after["generation"], &after["stale"]), (&json!(2), &json!(false)));
    assert_eq!(after["pid"], before["pid"]);
}

#[tokio::test]
async fn a_request_whose_client_disconnected_is_listed_with_status_499() {
    let server = app(&[]).await;
    let mut console = server.console().await;
    for path in ["/hold", "/later?a=1"] {
        let client = server.begin(path);
        let held = server.arrival().await;
        client.abort();

        let ended = console.next_of_type("request.end").await["request"].clone();
        assert_eq!(
            (&ended["status"], &ended["generation"]),
            (&json!(499), &Value::Null),
            "{ended}"
        );
        assert_eq!(ended["path"], path.split('?').next().expect("a path"));
        assert!(ended["total_ms"].as_f64() > Some(0.0), "{ended}");
        drop(held); // the handler continues
    }
    // A request that got its response is listed once.
    server.get("/orders/new").await;
    let ended = console.next_of_type("request.end").await["request"].clone();
    assert_eq!((&ended["status"], &ended["path"]), (&json!(200), &json!("/orders/new")));
    let requests = server.api("requests").await;
    assert_eq!(requests.as_array().expect("a list").len(), 3, "{requests}");
}

/// The names of all scripts and styles of the console, the vendored ones included.
fn assets() -> impl Iterator<Item = String> {
    let names = console_files().into_iter().map(|(name, _)| name);
    let ends = [".js", ".css", ".js.gz"];
    let served = names.filter(move |name| ends.iter().any(|end| name.ends_with(end)));
    served.map(|name| name.trim_end_matches(".gz").to_owned())
}

/// The bytes that a browser receives for these paths, with this encoding.
async fn received(server: &Server, paths: &[String], encoding: &str) -> usize {
    let mut bytes = 0;
    for path in paths {
        let request = server.request(Method::GET, path).bearer_auth(&server.token);
        let reply = send(request.header("accept-encoding", encoding)).await;
        assert_eq!(reply.status, 200, "{path}");
        bytes += reply.body.len();
    }
    bytes
}

#[tokio::test]
async fn a_browser_receives_less_than_300_kb_for_all_of_the_console() {
    let server = app(&[]).await;
    let paths: Vec<String> = assets().map(|name| format!("/__snaxum/assets/{name}")).collect();
    assert!(paths.len() > 50, "{paths:?}");

    let bytes = received(&server, &paths, "gzip").await;

    assert!(bytes < 300_000, "{bytes} bytes");
}

#[tokio::test]
async fn the_first_screen_of_the_console_is_a_part_of_it() {
    let server = app(&[]).await;
    let request = server.request(Method::GET, "/__snaxum/").bearer_auth(&server.token);
    let page = send(request).await.text().replace("&#x2f;", "/");
    let mut paths = vec!["/__snaxum/".to_owned()];
    paths.extend(page.split("href=\"").skip(1).filter_map(|rest| {
        rest.split('"').next().filter(|path| path.starts_with('/')).map(str::to_owned)
    }));
    assert!(paths.len() > 50, "{page}");

    let sizes =
        [received(&server, &paths, "gzip").await, received(&server, &paths, "identity").await];

    assert!(sizes[0] < 100_000 && sizes[1] < 250_000, "{sizes:?}");
}
