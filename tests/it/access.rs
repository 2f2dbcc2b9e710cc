//! Access to the console: the token, the origin, the host and the headers.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;

use reqwest::Method;
use serde_json::json;

use super::dev_api::{APP, PATHS, app, cookie, get_with, list};
use super::support::{Project, Server, send};

async fn console_with(server: &Server, headers: &[(&str, &str)]) -> u16 {
    let bearer = format!("Bearer {}", server.token);
    let all: Vec<_> = headers.iter().copied().chain([("authorization", &*bearer)]).collect();
    get_with(server, "/__snaxum/api/status", &all).await.status
}

// The guard

#[tokio::test]
async fn dev_json_is_readable_by_its_owner_only() {
    let server = app().await;
    let state = server.project.path().join(".snaxum");
    let mode =
        |path: &std::path::Path| path.metadata().expect("it is there").permissions().mode() & 0o777;

    let announced = server.announcement().expect("it runs");

    assert_eq!(mode(&state.join("dev.json")), 0o600);
    assert_eq!(mode(&state), 0o700);
    assert_eq!(std::fs::read_to_string(state.join(".gitignore")).expect("a file"), "*\n");
    assert_eq!(announced["pid"], server.pid);
    assert_eq!(announced["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(announced["token"].as_str().map(str::len), Some(43)); // 256 bits
}

#[tokio::test]
async fn without_the_token_the_whole_prefix_is_a_401_without_details() {
    let server = app().await;
    for path in PATHS {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
            let reply = send(server.request(method.clone(), path)).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert!(!reply.text().contains("app.py") && reply.body.len() < 200, "{method} {path}");
        }
    }
    for path in ["/__snaxum/?t=wrong", "/__snaxum/?t=", "/__snaxum/api/status?t=TOKEN"] {
        let reply = server.get(&path.replace("TOKEN", &server.token)).await;
        assert_eq!(reply.status, 401, "{path}");
    }
}

#[tokio::test]
async fn no_spelling_of_the_prefix_gets_around_the_guard() {
    let server = app().await;
    for path in [
        "/__snaxum/api/../api/status",
        "//__snaxum/api/status",
        "/__snaxum//api/status",
        "/%5f_snaxum/api/status",
        "/__snaxum/api/status/",
        "/__SNAXUM/api/status",
        "/./__snaxum/api/status",
        "/__snaxum/%61pi/status",
        "/__snaxum/assets/..%2fconsole.html",
        "/__snaxum/assets/console.js",
    ] {
        let response = server
            .raw(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
            .await;
        let status = response.split(' ').nth(1).expect("a status");
        assert!(["401", "404"].contains(&status), "{path}: {response}");
        assert!(
            !response.contains("uptime_s") && !response.contains("import "),
            "{path}: {response}"
        );
    }
}

#[tokio::test]
async fn the_printed_link_sets_a_cookie_and_leads_to_the_clean_address() {
    let server = app().await;
    let line = server.out.wait_for("/__snaxum/?t=").await;
    let link = line.split_whitespace().find(|word| word.contains("?t=")).expect("a link");
    let path = link.strip_prefix(&server.url).expect("it leads to this server");

    for _ in 0..2 {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (303, "/__snaxum/"));
        let set = reply.header("set-cookie");
        assert!(
            set.contains("HttpOnly")
                && set.contains("SameSite=Strict")
                && set.contains("Path=/__snaxum/"),
            "{set}"
        );
        let port = server.authority().rsplit(':').next().expect("a port");
        assert!(set.split('=').next().is_some_and(|name| name.contains(port)), "{set}");
        assert!(!set.contains(&server.token), "a browser sends it to every port: {set}");
    }
    let page = get_with(&server, "/__snaxum/", &[("cookie", &cookie(&server).await)]).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!page.text().contains(&server.token));
}

#[tokio::test]
async fn the_page_carries_every_protective_header_and_a_fresh_nonce() {
    let server = app().await;
    let cookie = cookie(&server).await;
    let page = get_with(&server, "/__snaxum/", &[("cookie", &cookie)]).await;
    let again = get_with(&server, "/__snaxum/", &[("cookie", &cookie)]).await;

    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'nonce-",
        "style-src 'nonce-",
        "img-src data:;",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'; trusted-types snaxum-preview",
        &format!("connect-src 'self' ws://{}", server.authority()),
    ] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert_ne!(policy, again.header("content-security-policy"));
    // The nonce of styles is in rendered responses too; it must allow no script.
    let nonces: HashSet<_> = policy.split('\'').filter(|part| part.starts_with("nonce-")).collect();
    assert_eq!(nonces.len(), 2, "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), value, "{name}");
        // A rejection has the same headers.
        assert_eq!(server.get("/__snaxum/").await.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn the_page_and_all_it_loads_name_no_other_host() {
    let server = app().await;
    let cookie = cookie(&server).await;
    let page = get_with(&server, "/__snaxum/", &[("cookie", &cookie)]).await;
    let text = page.text().replace("&#x2f;", "/");
    let assets: Vec<&str> =
        text.split(['"', '\'']).filter(|part| part.starts_with("/__snaxum/assets/")).collect();
    assert!(!assets.is_empty(), "{}", page.text());
    for path in assets {
        let asset = get_with(&server, path, &[("cookie", &cookie)]).await;
        assert_eq!(asset.status, 200, "{path}");
        for line in asset.text().lines().filter(|line| line.contains("http")) {
            let harmless = line.replace("http://www.w3.org/", "");
            assert!(
                !harmless.contains("http://") && !harmless.contains("https://"),
                "{path}: {line}"
            );
        }
    }
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
}

#[tokio::test]
async fn only_names_of_this_machine_reach_app_and_console() {
    let server = app().await;
    for good in
        ["localhost", "localhost:1", "LOCALHOST", "my.localhost:3000", "127.0.0.1", "[::1]:80"]
    {
        assert_eq!(get_with(&server, "/hello", &[("host", good)]).await.status, 200, "{good}");
        assert_eq!(console_with(&server, &[("host", good)]).await, 200, "{good}");
    }
    for bad in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "0.0.0.0",
        "192.168.1.7",
        "localhost.",
        "bob@localhost",
        "[::]",
        "evil.example:3000",
        "127.1",
        "2130706433",
        ".localhost",
        "localhost:x",
    ] {
        let reply = get_with(&server, "/hello", &[("host", bad)]).await;
        // 400 if it is not a host name at all.
        assert!([400, 403].contains(&reply.status), "{bad}: {}", reply.status);
        assert_ne!(reply.text(), "hello", "{bad}");
        let console = console_with(&server, &[("host", bad)]).await;
        assert!([400, 403].contains(&console), "{bad}: {console}");
    }
    // The log names the remedy.
    server.err.wait_for("--allow-host").await;
}

#[tokio::test]
async fn a_request_that_names_no_host_or_two_is_refused() {
    let server = app().await;
    for head in [
        "GET /hello HTTP/1.1\r\n",
        "GET /hello HTTP/1.0\r\n",
        "GET /hello HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n",
        "GET http://evil.example/hello HTTP/1.1\r\nhost: localhost\r\n",
    ] {
        let response = server.raw(&format!("{head}connection: close\r\n\r\n")).await;
        let status = response.split(' ').nth(1).expect("a status");
        assert!(["400", "403"].contains(&status), "{head:?}: {response}");
    }
}

#[tokio::test]
async fn a_name_that_is_allowed_reaches_the_app() {
    let server = Project::new().file("app.py", APP).args(&["--allow-host", "App.Test"]).dev().await;

    assert_eq!(get_with(&server, "/hello", &[("host", "app.test:3000")]).await.status, 200);
    assert_eq!(get_with(&server, "/hello", &[("host", "other.test")]).await.status, 403);
}

#[tokio::test]
async fn a_pattern_allows_the_hosts_of_a_tunnel_and_a_star_any_with_a_warning() {
    let allows = async |pattern: &str, hosts: &[(&str, u16)]| {
        let args = ["--allow-host", pattern];
        let server = Project::new().file("app.py", APP).args(&args).dev().await;
        for (host, status) in hosts {
            let reply = get_with(&server, "/hello", &[("host", host)]).await;
            assert_eq!(reply.status, *status, "{pattern} {host}");
            // Another name needs the token as this machine's own does.
            let expected = if *status == 200 { 401 } else { 403 };
            let console = get_with(&server, "/__snaxum/", &[("host", host)]).await;
            assert_eq!(console.status, expected, "{pattern} {host}");
        }
        server
    };
    let hosts = |bare, one, two| {
        [
            ("ngrok-free.app", bare),
            ("a1-b2.ngrok-free.app:443", one),
            ("a.b.ngrok-free.app", two),
            ("angrok-free.app", 403),
            ("ngrok-free.app.evil.example", 403),
            ("localhost", 200),
        ]
    };
    let one_level = allows("*.ngrok-free.app", &hosts(403, 200, 403)).await;
    allows(".ngrok-free.app", &hosts(200, 200, 200)).await;
    let any = allows("*", &[("evil.example", 200), ("10.0.0.1", 200)]).await;
    any.err.wait_for("any host name is accepted").await;
    assert!(!one_level.err.text().contains("any host name"), "{}", one_level.err.text());

    let wrong = Project::new().args(&["--allow-host", "https://a.example"]);
    let finished = wrong.snaxum(&["dev", "--allow-host", "https://a.example"]).await;
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("a name without scheme and port"), "{}", finished.stderr);
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing_from_the_console() {
    let server = app().await;
    for headers in [
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("origin", "http://localhost:1")],
        [("origin", "http://127.0.0.1")],
        [("origin", "file://")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        assert_eq!(console_with(&server, &headers).await, 403, "{headers:?}");
    }
    assert_eq!(console_with(&server, &[("origin", &server.url)]).await, 200);
    for site in ["same-origin", "none"] {
        assert_eq!(console_with(&server, &[("sec-fetch-site", site)]).await, 200, "{site}");
    }
}

#[tokio::test]
async fn a_preflight_is_refused_and_no_response_grants_access_to_other_sites() {
    let server = app().await;
    for path in PATHS {
        let request = server.request(Method::OPTIONS, path).bearer_auth(&server.token);
        assert_eq!(send(request).await.status, 403, "{path}");
    }
    for headers in
        [vec![], vec![("origin", server.url.as_str())], vec![("origin", "http://evil.example")]]
    {
        for path in PATHS {
            let bearer = format!("Bearer {}", server.token);
            let all: Vec<_> =
                headers.iter().copied().chain([("authorization", &*bearer)]).collect();
            let reply = get_with(&server, path, &all).await;
            let granted =
                reply.headers.keys().find(|name| name.as_str().starts_with("access-control"));
            assert_eq!(granted, None, "{path}");
        }
    }
}

#[tokio::test]
async fn with_the_token_an_unknown_path_is_a_plain_404_and_a_write_a_405() {
    let server = app().await;
    let with_token = |method, path| send(server.request(method, path).bearer_auth(&server.token));

    assert_eq!(with_token(Method::GET, "/__snaxum/nothing/here").await.status, 404);
    assert_eq!(with_token(Method::GET, "/__snaxum/assets/../../Cargo.toml").await.status, 404);
    let write = server.request(Method::POST, "/__snaxum/api/status").bearer_auth(&server.token);
    let write = write.json(&json!({})).header("x-snaxum", "1");
    assert_eq!(send(write).await.status, 405);
}

/// The paths that change the server.
const CHANGES: [&str; 4] = ["reload", "restart", "pause", "resume"];

#[tokio::test]
async fn only_marked_json_with_the_token_changes_anything() {
    let server = app().await;
    let bearer = format!("Bearer {}", server.token);
    let cookie = cookie(&server).await;
    let (json, form) = ("application/json", "application/x-www-form-urlencoded");
    for path in CHANGES.map(|name| format!("/__snaxum/api/{name}")) {
        for (method, headers, expected) in [
            (Method::POST, vec![("content-type", json), ("x-snaxum", "1")], 401),
            (Method::POST, vec![("authorization", &*bearer), ("content-type", form)], 415),
            (Method::POST, vec![("cookie", &*cookie), ("content-type", "text/plain")], 415),
            (Method::POST, vec![("authorization", &*bearer)], 415),
            (Method::POST, vec![("authorization", &*bearer), ("content-type", json)], 403),
            (
                Method::POST,
                vec![
                    ("cookie", &*cookie),
                    ("origin", "http://evil.example"),
                    ("content-type", json),
                    ("x-snaxum", "1"),
                ],
                403,
            ),
            (Method::GET, vec![("authorization", &*bearer), ("x-snaxum", "1")], 405),
            (Method::HEAD, vec![("authorization", &*bearer), ("x-snaxum", "1")], 405),
        ] {
            let request = server.request(method.clone(), &path).body("{}");
            let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
            assert_eq!(send(request).await.status, expected, "{method} {path} {headers:?}");
        }
    }
    let status = server.api("status").await;
    assert_eq!((&status["pid"], &status["generation"]), (&json!(server.pid), &json!(1)));
    assert_eq!(status["paused"], false);
    assert_eq!(list(&server.api("reloads").await).len(), 1);
}

#[tokio::test]
async fn no_response_of_the_app_contains_the_token() {
    let server = app().await;
    for path in ["/hello", "/raise", "/nowhere", "/__snaxum/", "/__snaxum/api/status"] {
        for accept in ["text/html", "application/json"] {
            let reply = get_with(&server, path, &[("accept", accept)]).await;
            assert!(!reply.text().contains(&server.token), "{path}");
            assert!(!format!("{:?}", reply.headers).contains(&server.token), "{path}");
        }
    }
    for path in ["status", "routes", "requests", "reloads"] {
        assert!(!server.api(path).await.to_string().contains(&server.token), "{path}");
    }
}

#[tokio::test]
async fn the_console_serves_loopback_only_even_where_the_app_is_public() {
    let mut server = Project::new().file("app.py", APP).args(&["--host", "0.0.0.0"]).dev().await;
    // The address that other machines would use; there is none on a machine without a network.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    if socket.connect("192.0.2.1:9").is_err() {
        return;
    }
    let outside = socket.local_addr().expect("an address").ip();
    let port = server.authority().rsplit(':').next().expect("a port");
    let bearer = format!("Bearer {}", server.token);
    let headers = [
        ("host", "localhost"),
        ("authorization", &*bearer),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
    ];
    server.url = format!("http://{outside}:{port}");

    assert_eq!(get_with(&server, "/hello", &headers).await.status, 200);
    for path in PATHS {
        assert_eq!(get_with(&server, path, &headers).await.status, 403, "{path}");
    }
}
