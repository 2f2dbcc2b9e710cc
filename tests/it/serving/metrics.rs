//! The metrics address: the text for Prometheus, and `snaxum top`.

use reqwest::Method;

use super::exposition::parse;
use crate::support::{Project, Server, send};

const APP: &str = r#"
import _gate
from snaxum import route

@route("/user/<int:id>")
def user(id: int): return {"id": id}

@route("/wait")
def wait():
    _gate.wait("wait")
    return "waited"

@route("/pool", use_process_pool=True)
def pooled(request, pool): return {"three": pool.submit(len, "abc").result()}
"#;

async fn metrics_url(server: &Server) -> String {
    let line = server.out.wait_for("metrics on http://").await;
    line.trim_start_matches("metrics on ").to_owned()
}

async fn scrape(url: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let reply = send(client.get(url)).await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    reply.text().to_owned()
}

fn project(args: &[&str]) -> Project {
    Project::new().gate().file("app.py", APP).args(args)
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_show_queue_workers_and_pool() {
    let options =
        ["--metrics", "127.0.0.1:0", "--dispatch-workers", "1", "--pool-workers", "1", "--health"];
    let server = project(&options).serve().await;
    let url = metrics_url(&server).await;
    for path in ["/user/1", "/user/2", "/user/x", "/a", "/b", "/pool", "/healthz"] {
        server.get(path).await;
    }
    send(server.request(Method::DELETE, "/user/1")).await;
    let (first, second) = (server.begin("/wait"), server.begin("/wait"));
    let held = server.arrival().await;

    let text = loop {
        let text = scrape(&url).await;
        if text.contains("\nsnaxum_queue_depth 1\n") {
            break text; // the second request has arrived
        }
    };
    let exposition = parse(&text);
    let samples = &exposition.samples;
    let requests = |labels: &str| samples[&format!("snaxum_http_requests_total{{{labels}}}")];
    assert_eq!(requests(r#"method="GET",route="/user/<int:id>",status="200""#), 2.0);
    assert_eq!(requests(r#"method="GET",route="unmatched",status="404""#), 3.0);
    assert_eq!(requests(r#"method="DELETE",route="unmatched",status="405""#), 1.0);
    assert_eq!(requests(r#"method="GET",route="/pool",status="200""#), 1.0);
    let time = r#"snaxum_http_request_duration_seconds_count{method="GET",route="/pool"}"#;
    assert_eq!(samples[time], 1.0);
    assert!(samples["snaxum_queue_wait_seconds_count"] >= 7.0, "{text}");
    assert!(samples["snaxum_gil_wait_seconds_count"] >= 7.0, "{text}");
    for (name, value) in [
        ("requests_in_progress", 2.0),
        ("queue_capacity", 1024.0),
        ("dispatch_workers", 1.0),
        ("dispatch_workers_busy", 1.0),
        ("dispatch_workers_stuck", 0.0),
        ("pool_workers", 1.0),
        ("pool_tasks_total{result=\"done\"}", 1.0),
        ("processes", 1.0),
        ("generation", 1.0),
    ] {
        assert_eq!(samples[&format!("snaxum_{name}")], value, "{name}\n{text}");
    }
    assert!(samples["process_resident_memory_bytes"] > 1e6, "{text}");
    assert!(!text.contains("healthz") && !text.contains("/user/1"), "{text}");
    let dashboard = include_str!("../../../docs/grafana.json");
    exposition.check_dashboard(&serde_json::from_str(dashboard).expect("JSON"));

    let top = server.project.snaxum(&["top"]).await;
    assert_eq!(top.code, Some(0), "{top:?}");
    for part in ["1 process", "queue 1 of 1024", "workers 1 of 1 busy", "/user/<int:id>"] {
        assert!(top.stdout.contains(part), "{part}\n{}", top.stdout);
    }
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
    assert_eq!(server.project.snaxum(&["top", address]).await.code, Some(0));
    held.open().await;
    server.arrival().await.open().await;
    for waiting in [first, second] {
        assert_eq!(waiting.await.expect("a response").status, 200);
    }
}

#[tokio::test]
async fn processes_are_summed_and_their_counters_outlive_them() {
    let server = project(&["--metrics", "127.0.0.1:0", "--processes", "2"]).serve().await;
    let url = metrics_url(&server).await;
    for _ in 0..20 {
        server.get("/user/1").await;
    }
    let of_users =
        r#"snaxum_http_requests_total{method="GET",route="/user/<int:id>",status="200"}"#;
    let samples = parse(&scrape(&url).await).samples;
    assert_eq!((samples[of_users], samples["snaxum_processes"]), (20.0, 2.0));
    assert_eq!(samples["snaxum_dispatch_workers"], 8.0);

    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let state = send(client.get(url.replace("/metrics", "/metrics.json"))).await.json();
    let numbers: Vec<_> = (0..2).map(|index| state["members"][index]["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2)]);
    let pid = state["members"][0]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    // SAFETY: sends a signal to a process of our own server, which its parent has not waited for.
    assert_eq!(unsafe { libc::kill(pid.expect("a pid"), libc::SIGKILL) }, 0);
    server.err.wait_for("process 1 serves").await;

    server.get("/user/1").await;
    let samples = parse(&scrape(&url).await).samples;
    assert_eq!((samples[of_users], samples["snaxum_processes"]), (21.0, 2.0));
}

#[tokio::test]
async fn a_metrics_address_in_use_is_one_line_and_nothing_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let server = project(&[]).snaxum(&["serve", "--port", "0", "--metrics", &address]).await;
    assert_eq!(server.code, Some(1), "{server:?}");
    let lines: Vec<_> = server.stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].contains(&address), "{server:?}");
    assert!(lines[0].contains("choose another address with `--metrics`"), "{server:?}");

    let bad = project(&[]).snaxum(&["serve", "--metrics", "example.com"]).await;
    assert_eq!(bad.code, Some(2), "{bad:?}");
    assert!(bad.stderr.contains("such as 127.0.0.1:9464"), "{bad:?}");
}

#[tokio::test]
async fn top_without_a_server_states_how_to_start_one() {
    let top = project(&[]).snaxum(&["top"]).await;
    assert_eq!(top.code, Some(2), "{top:?}");
    assert!(top.stderr.contains("start one with `snaxum serve --metrics"), "{top:?}");
    let lost = project(&[]).snaxum(&["top", "127.0.0.1:1"]).await;
    assert!(lost.code == Some(1) && lost.stderr.contains("does not respond"), "{lost:?}");
}
