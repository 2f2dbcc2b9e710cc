//! Profiles of requests: by themselves once a request is slow, on demand, and while a request runs.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::support::{Project, Server, in_time, send};

const APP: &str = r#"import time
import _gate
from snaxum import route

def spin(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass

@route("/quick")
def quick(request):
    return {}

@route("/slow")
def slow(request):
    spin(0.4)
    return {}

@route("/hold")
def hold(request):
    _gate.wait("thread")
    return {}

@route("/later")
async def later(request):
    await _gate.wait_async("loop")
    return {}

@route("/parts")
def parts(request):
    def pieces():
        yield b"one"
        _gate.wait("stream")
    return pieces()

@route("/parts/async")
async def parts_async(request):
    async def pieces():
        yield b"one"
        await _gate.wait_async("stream")
    return pieces()

def descend(depth):
    if depth:
        descend(depth - 1)
    else:
        _gate.wait("deep")

@route("/deep")
def deep(request):
    descend(300)
    return {}
"#;

async fn app() -> Server {
    Project::new().gate().file("app.py", APP).dev().await
}

async fn profile_of(server: &Server, id: &str) -> Value {
    server.api(&format!("requests/{id}/profile")).await
}

/// Asks until there is a profile that `is_wanted`.
async fn wait_for(server: &Server, id: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    in_time("a profile", async {
        loop {
            let profile = profile_of(server, id).await;
            if !profile.is_null() && is_wanted(&profile) {
                return profile;
            }
        }
    })
    .await
}

fn is_over(profile: &Value) -> bool {
    profile["is_running"] == false
}

fn call<'a>(profile: &'a Value, function: &str) -> &'a Value {
    let calls = profile["calls"].as_array().expect("a list");
    let named = |call: &&Value| {
        let name = call["function"].as_str().expect("a name");
        name.rsplit('.').next() == Some(function)
    };
    calls.iter().find(named).unwrap_or_else(|| panic!("no `{function}` in {profile}"))
}

#[tokio::test]
async fn a_slow_request_is_profiled_by_itself_to_the_line() {
    let server = app().await;
    server.get("/quick").await;
    server.get("/slow").await;
    let profile = wait_for(&server, "2", is_over).await;

    assert_eq!(profile["is_demanded"], false);
    assert!(profile["from_ms"].as_f64() >= Some(50.0), "{profile}");
    let (slow, spin) = (call(&profile, "slow"), call(&profile, "spin"));
    assert_eq!((&slow["file"], &slow["kind"]), (&json!("python/app.py"), &json!("user")));
    let calls = profile["calls"].as_array().expect("a list");
    let caller = usize::try_from(spin["caller"].as_u64().expect("an index")).expect("a size");
    assert_eq!(&calls[caller], slow);
    assert!(spin["self_ms"].as_f64() > slow["self_ms"].as_f64(), "{profile}");

    let sources = profile["sources"].as_array().expect("a list");
    let spin = sources.iter().find(|source| source["function"] == "spin").expect("its source");
    let lines = spin["lines"].as_array().expect("lines");
    let texts: Vec<_> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(texts[0], "def spin(seconds):");
    let hottest = lines
        .iter()
        .max_by(|a, b| a["ms"].as_f64().partial_cmp(&b["ms"].as_f64()).expect("numbers"))
        .expect("a line");
    let loops = [json!(7), json!(8)];
    assert!(loops.contains(&hottest["line"]), "{lines:?}");
    assert!(profile_of(&server, "1").await.is_null(), "it was quick");
    let detail = server.api("requests/2").await;
    assert_eq!(detail["has_profile"], true);
    assert_eq!(server.api("requests/1").await["has_profile"], false);
    assert_eq!(server.api("profiled-requests").await, json!(["2"]));
}

#[tokio::test]
async fn a_request_that_never_ends_is_shown_while_it_runs() {
    let server = app().await;
    for (number, (path, functions)) in [
        ("/hold?profile", ["hold", "wait"].as_slice()),
        ("/later?a=1&profile", &["later", "wait_async"]),
        ("/parts?profile", &["pieces", "wait"]),
        ("/parts/async?profile", &["pieces", "wait_async"]),
    ]
    .into_iter()
    .enumerate()
    {
        let id = (number + 1).to_string();
        let client = server.begin(path);
        let held = server.arrival().await;
        let shows = |profile: &Value| {
            let calls = profile["calls"].as_array().expect("a list");
            functions.iter().all(|function| {
                calls.iter().any(|call| {
                    let name = call["function"].as_str().expect("a name");
                    name.rsplit('.').next() == Some(function)
                })
            })
        };
        let profile = wait_for(&server, &id, |profile| profile["samples"] != 0 && shows(profile));
        let profile = profile.await;
        assert_eq!((&profile["is_running"], &profile["is_demanded"]), (&json!(true), &json!(true)));
        let suspended = profile["suspended_ms"].as_f64().expect("a number");
        assert_eq!(suspended > 0.0, path.contains("async") || path.contains("later"), "{path}");
        assert!(profile["from_ms"].as_f64() < Some(50.0), "{profile}");
        held.open().await;
        client.await.expect("a response");
        wait_for(&server, &id, is_over).await;
    }
}

#[tokio::test]
async fn a_client_that_asks_for_it_receives_each_profile_as_an_event() {
    let server = app().await;
    let mut console = server.console().await;
    let choice = json!({"type": "subscribe", "types": ["profile"]});
    console.send(Message::text(choice.to_string())).await;
    let client = server.begin("/hold?profile");
    let held = server.arrival().await;
    let running = console.next_of_type("profile").await;
    assert_eq!((&running["request"], &running["is_running"]), (&json!("1"), &json!(true)));
    assert!(running["samples"].as_u64() > Some(0), "{running}");
    held.open().await;
    client.await.expect("a response");
    let over = in_time("the last profile", async {
        loop {
            let profile = console.next_of_type("profile").await;
            if profile["is_running"] == false {
                return profile;
            }
        }
    });
    assert_eq!(over.await["request"], "1");
    let bearer = format!("Bearer {}", server.token);
    let mut other = server.connect(&[("authorization", &bearer)]).await.expect("it is let in");
    assert_eq!(other.next_of_type("snapshot").await["profiled"], json!(["1"]));
}

#[tokio::test]
async fn a_deep_stack_is_cut() {
    let server = app().await;
    let client = server.begin("/deep?profile");
    let held = server.arrival().await;
    let profile = wait_for(&server, "1", |profile| profile["samples"] != 0).await;
    assert_eq!(profile["is_cut"], true);
    assert_eq!(call(&profile, "deep")["kind"], "user");
    call(&profile, "wait");
    held.open().await;
    client.await.expect("a response");
}

#[tokio::test]
async fn a_header_and_the_switch_of_a_route_ask_for_a_profile() {
    let server = app().await;
    send(server.request(Method::GET, "/quick").header("x-snaxum-profile", "1")).await;
    wait_for(&server, "1", |profile| is_over(profile) && profile["is_demanded"] == true).await;

    let routes = server.api("routes").await;
    let routes = routes.as_array().expect("a list");
    let quick = routes.iter().find(|route| route["path"] == "/quick").expect("it serves");
    let id = quick["id"].as_str().expect("an id");
    let switch = async |id: &str, is_on: bool| {
        let url =
            format!("/__snaxum/api/routes/{}/profile", id.replace(' ', "%20").replace('/', "%2F"));
        let request = server.request(Method::POST, &url).bearer_auth(&server.token);
        send(request.header("x-snaxum", "1").json(&json!({ "is_on": is_on }))).await
    };
    assert_eq!(switch(id, true).await.json(), json!([id]));
    assert_eq!(server.api("profiled-routes").await, json!([id]));
    server.get("/quick").await;
    wait_for(&server, "2", |profile| is_over(profile) && profile["is_demanded"] == true).await;
    assert_eq!(switch("unknown", true).await.status, 404);

    assert_eq!(switch(id, false).await.json(), json!([]));
    server.get("/quick").await;
    assert!(profile_of(&server, "3").await.is_null());
}
