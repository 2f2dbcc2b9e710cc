//! The sockets that a server listens on: Unix sockets, and inherited ones.

use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{in_time, snaxum};

use super::{curl, curl_json, project, rejected, run, serve, url};

#[tokio::test]
async fn a_unix_socket_serves_and_its_file_ends_with_the_server() {
    let project = project();
    let path = project.path().join("app.sock");
    // A crash has left the file of an earlier server.
    drop(UnixListener::bind(&path).expect("it is free"));

    let mut server = serve(project, &["--uds", "app.sock"]).await;
    assert_eq!(url(&server), format!("unix:{}", path.display()));
    let dir = server.project.path().to_owned();
    let socket = path.to_str().expect("UTF-8");
    let at = |url| ["--unix-socket", socket, url];
    let origin = curl_json(&dir, &at("http://a.example/where")).await;
    let expected = json!({"client": null, "port": null, "scheme": "http", "host": "a.example"});
    assert_eq!(origin, expected);
    assert_eq!(curl(&dir, &at("http://b.example/wsgi")).await, "- http b.example HTTP/1.1");
    assert_eq!(curl(&dir, &at("http://b.example/asgi")).await, "- http b.example HTTP/1.1");

    // A client that only stops sending gets its response.
    let mut half = tokio::net::UnixStream::connect(&path).await.expect("it listens");
    half.write_all(b"GET /where HTTP/1.0\r\n\r\n").await.expect("it reads");
    half.shutdown().await.expect("its other side is open");
    let mut text = String::new();
    in_time("the response", half.read_to_string(&mut text)).await.expect("text");
    assert!(text.starts_with("HTTP/1.0 200 "), "{text}");

    let second = rejected(&server.project, &["--uds", "app.sock"]).await;
    assert!(second.contains("app.sock`: a server listens there; stop it or choose"), "{second}");
    assert!(server.stop().await.success());
    assert!(!path.exists(), "its file is gone");
}

#[tokio::test]
async fn a_socket_that_cannot_be_used_is_one_line() {
    let project = project();
    let file = project.path().join("notes.txt");
    std::fs::write(&file, "notes").expect("a file");
    let taken = rejected(&project, &["--uds", "notes.txt"]).await;
    assert!(taken.contains("notes.txt`: it exists and is not a socket; choose"), "{taken}");
    assert_eq!(std::fs::read_to_string(&file).expect("it is left"), "notes");
    let nowhere = rejected(&project, &["--uds", "no/app.sock"]).await;
    assert!(nowhere.contains("its directory does not exist; create it"), "{nowhere}");

    for (args, line) in [
        (
            &["--uds", "a.sock", "--port", "0"][..],
            "`uds` is set, and so is `port`; a server listens",
        ),
        (&["--fd", "3", "--uds", "a.sock"], "`uds` is set, and so is `fd`"),
        (&["--fd", "3", "--host", "127.0.0.1"], "`fd` is set, and so is `host`"),
        (&["--tls-cert", "a.pem", "--port", "0"], "`tls-cert` is set without `tls-key`; add"),
        (
            &["--fd", "99"],
            "`fd` is 99, which is not open; pass the descriptor of a listening socket",
        ),
        (&["--fd", "1"], "`fd` is 1, which is not a socket; pass"),
        (&["--fd", "2"], "`fd` is 2, which is not a socket; pass"),
    ] {
        let error = rejected(&project, args).await;
        assert!(error.contains(line), "{error}");
    }
    let finished = project.snaxum(&["dev", "--uds", "a.sock"]).await;
    let line =
        "command line: `uds` is set, and dev mode serves plain HTTP on a port; use `snaxum serve`";
    assert!(finished.code == Some(2) && finished.stderr.contains(line), "{finished:?}");
    // The command line wins over the project's file.
    let project = project.top_file("pyproject.toml", "[tool.snaxum]\nport = 1\n");
    let mut server = serve(project, &["--uds", "a.sock"]).await;
    assert!(server.stop().await.success());
}

#[tokio::test]
async fn a_listening_socket_can_come_from_another_process() {
    for arguments in ["--fd 3", ""] {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("it has one");
        let project = project();
        // As systemd does: the process that a shell becomes has its id.
        let script = format!(
            "exec env LISTEN_PID=$$ LISTEN_FDS=1 {} serve {arguments} .",
            snaxum().replace(' ', "\\ ")
        );
        let mut command = project.command("sh");
        command.args(["-c", &script]);
        let fd = socket.as_raw_fd();
        // SAFETY: `dup2` may be called between fork and exec; the descriptor is open.
        unsafe {
            command.pre_exec(move || match libc::dup2(fd, 3) {
                3 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let mut server = project.spawn_process(command);
        server.out.wait_for(&format!("listening on http://{address}")).await;
        drop(socket);
        let dir = server.project.path().to_owned();
        let origin = curl_json(&dir, &[&format!("http://{address}/where")]).await;
        assert_eq!(origin["client"], "127.0.0.1");
        assert_eq!(origin["host"], address.to_string());
        assert!(server.stop().await.success());
    }
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_until_another_ends() {
    let server = project().args(&["--max-connections", "1"]).serve().await;
    let mut first = server.socket(b"GET /where HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut byte = [0];
    in_time("the first response", first.read_exact(&mut byte)).await.expect("it responds");
    server.err.wait_for("connection limit reached").await;
    let mut second = server.socket(b"GET /where HTTP/1.0\r\n\r\n").await;
    drop(first);
    let mut text = String::new();
    in_time("the second response", second.read_to_string(&mut text)).await.expect("text");
    assert!(text.starts_with("HTTP/1.0 200 "), "{text}");
}

#[tokio::test]
async fn a_socket_for_another_process_or_one_of_two_is_not_taken() {
    // As the child of a service that was started with a socket.
    let project = project().env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let mut server = project.serve().await;
    assert!(server.stop().await.success());

    let script =
        format!("exec env LISTEN_PID=$$ LISTEN_FDS=2 {} serve .", snaxum().replace(' ', "\\ "));
    let output = run("sh", server.project.path(), &["-c", &script]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("`LISTEN_FDS` is 2; a server has one socket"), "{error}");
}
