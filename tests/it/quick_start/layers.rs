//! The layers of the options around Python handlers in a server of the user's own.

use reqwest::Method;

use super::run;
use crate::support::{Project, Reply, Server, send};

const APP: &str = r#"
from snaxum import HTTPError, route

@route("/python/page", methods=["GET", "PUT"])
def page(request):
    return "page " * 1000

@route("/python/fails")
def fails():
    raise HTTPError(409, "not now")
"#;

async fn asked(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers
        .iter()
        .fold(server.request(method, path), |request, (name, value)| request.header(*name, *value));
    send(request).await
}

#[tokio::test]
async fn cors_and_compression_surround_python_handlers_and_no_route_of_rust() {
    let server = run("graceful", Project::new().file("app.py", APP)).await;
    let (origin, other) = (("origin", "https://a.example"), ("origin", "https://b.example"));
    let allowed = "access-control-allow-origin";

    let reply = asked(&server, Method::GET, "/python/page", &[origin]).await;
    assert_eq!((reply.status, reply.header(allowed)), (200, "https://a.example"));
    let varies = |by: &str| reply.headers.get_all("vary").iter().any(|each| each == by);
    assert!(varies("accept-encoding") && varies("origin, access-control-request-headers"));
    let reply = asked(&server, Method::GET, "/python/page", &[other]).await;
    assert_eq!((reply.status, reply.header(allowed)), (200, ""));
    // A page of that origin can read errors, too.
    for (path, status) in [("/python/fails", 409), ("/python/nowhere", 404)] {
        let reply = asked(&server, Method::GET, path, &[origin]).await;
        assert_eq!((reply.status, reply.header(allowed)), (status, "https://a.example"), "{path}");
    }

    let wanted = ("access-control-request-method", "PUT");
    let preflight = asked(&server, Method::OPTIONS, "/python/page", &[origin, wanted]).await;
    assert_eq!((preflight.status, preflight.header(allowed)), (200, "https://a.example"));
    assert!(preflight.header("access-control-allow-methods").contains("PUT"));
    // Without that header it is an ordinary OPTIONS.
    let options = asked(&server, Method::OPTIONS, "/python/page", &[origin]).await;
    assert!(options.header("allow").contains("PUT"), "{}", options.header("allow"));

    let packed = asked(&server, Method::GET, "/python/page", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");

    let rust = asked(&server, Method::GET, "/rust/hello", &[origin]).await;
    assert_eq!((rust.text(), rust.header(allowed)), ("hello from Rust", ""));
}
