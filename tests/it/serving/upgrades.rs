//! Another program on disk: a reload runs it in the new processes, and then in the parent, too.

use std::collections::BTreeSet;

use super::keep_alive::{KeepAlive, Load, Target};
use super::tls::make_certificate;
use super::upgraded_program::Program;
use super::versions::{app, project, reload, version};
use super::{curl, url};
use crate::support::{Process, Server, in_time};

/// Starts a program on the project, with `--port 0`.
async fn serve(args: &[&str]) -> (Program, Server) {
    let project = project();
    let program = Program::in_project(&project);
    let mut server = program.serve(project, &[&["--port", "0"], args].concat()).await;
    server.url = url(&server);
    (program, server)
}

/// Waits until the parent is the new program, and `generation` serves.
async fn is_upgraded(server: &Server, generation: u32) {
    let line = format!(
        "the parent is the program on disk now, snaxum {}; version {generation} of the code serves",
        env!("CARGO_PKG_VERSION")
    );
    server.err.wait_for(&line).await;
}

fn pids(processes: &[Process]) -> BTreeSet<u32> {
    processes.iter().map(|process| process.pid).collect()
}

async fn metrics_url(server: &Server) -> String {
    let line = server.out.wait_for("metrics on http://").await;
    line.trim_start_matches("metrics on ").to_owned()
}

/// All requests that the metrics have counted.
async fn counted(server: &Server, url: &str) -> f64 {
    let text = curl(server.project.path(), &[url]).await;
    let samples = text.lines().filter(|line| line.starts_with("snaxum_http_requests_total{"));
    samples
        .map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number"))
        .sum()
}

#[tokio::test]
async fn the_parent_becomes_the_new_program_in_its_process_and_its_processes_and_counters_stay() {
    let (program, mut server) = serve(&["--processes", "2", "--metrics", "127.0.0.1:0"]).await;
    let metrics = metrics_url(&server).await;
    for _ in 0..5 {
        version(&server).await;
    }
    let mut connection = KeepAlive::open(server.authority()).await.expect("it listens");
    connection.get("/version").await;

    program.install();
    assert!(!program.runs_in(server.pid));
    server.edit("app.py", &app("two"));
    let finished = reload(&server).await;
    assert_eq!(
        (finished.code, &*finished.stdout),
        (Some(0), "version 2 is live in 2 new processes\n")
    );
    is_upgraded(&server, 2).await;

    assert!(program.runs_in(server.pid));
    assert_eq!(connection.get("/version").await["version"], "two", "the connection is open");
    let processes = server.settled_processes(2).await;
    assert!(processes.iter().all(|process| program.runs_in(process.pid)));
    assert_eq!(counted(&server, &metrics).await, 7.0);

    // It is a parent like any other: of the same processes, with the same lock and sockets.
    let second = server.project.snaxum(&["serve", "--port", "0"]).await;
    assert!(second.stderr.contains(&server.pid.to_string()), "{}", second.stderr);
    let killed = processes[0].pid;
    processes[0].signal(libc::SIGKILL);
    server.err.wait_for(&format!("(pid {killed}) was killed")).await;
    server.err.wait_for(" serves (pid ").await;
    server.edit("app.py", &app("three"));
    assert_eq!(reload(&server).await.stdout, "version 3 is live in 2 new processes\n");
    assert_eq!(version(&server).await, "three");
    assert!(counted(&server, &metrics).await >= 8.0);

    let all = Process::below(server.pid);
    assert_eq!(server.stop().await.code(), Some(0));
    for process in all {
        process.is_gone().await;
    }
    for left in ["serve.sock", "metrics.json"] {
        assert!(!server.project.path().join(".snaxum").join(left).exists(), "{left}");
    }
    assert_eq!(server.err.text().matches("the parent is the program on disk").count(), 1);
}

/// Upgrades the server again and again under load, with metrics that are read and signals that arrive at
/// any time.
async fn upgrades_lose_no_request(program: &Program, server: &Server, target: &Target) {
    let metrics = metrics_url(server).await;
    let load = Load::on(target, 8, "/version");
    let scrapes = Load::on(&Target::Tcp(authority_of(&metrics)), 1, "/metrics");
    for generation in 2..5 {
        program.install();
        server.signal(libc::SIGHUP);
        is_upgraded(server, generation).await;
        load.continues(32).await;
    }
    assert_eq!(load.stop().await, Vec::<String>::new());
    assert_eq!(scrapes.stop().await, Vec::<String>::new());
    assert!(!server.err.text().contains("has ended"), "{}", server.err.text());
}

fn authority_of(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned()
}

#[tokio::test]
async fn upgrades_under_load_lose_no_request() {
    let (program, server) = serve(&["--processes", "2", "--metrics", "127.0.0.1:0"]).await;
    let target = Target::Tcp(server.authority().to_owned());
    upgrades_lose_no_request(&program, &server, &target).await;
}

#[tokio::test]
async fn upgrades_of_a_server_with_shared_memory_lose_no_request() {
    let (program, server) =
        serve(&["--processes", "2", "--preload", "--metrics", "127.0.0.1:0"]).await;
    let target = Target::Tcp(server.authority().to_owned());
    upgrades_lose_no_request(&program, &server, &target).await;
    // The process that has loaded the code is there, and forks a replacement.
    let before = pids(&server.settled_processes(3).await);
    let serving = server.get("/version").await.json()["pid"].as_u64().expect("a number");
    let serving = u32::try_from(serving).expect("a pid");
    server.edit("app.py", "1 / 0");
    Process::of(serving).signal(libc::SIGKILL);
    server.err.wait_for(" serves (pid ").await;
    let after = pids(&server.settled_processes(3).await);
    assert_eq!(&before - &after, BTreeSet::from([serving]));
}

#[tokio::test]
async fn upgrades_of_a_server_with_tls_lose_no_request() {
    let project = project();
    make_certificate(project.path()).await;
    let program = Program::in_project(&project);
    let certificate = project.path().join("cert.pem");
    let args = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--port", "0"];
    let server = program.serve(project, &[&args[..], &["--metrics", "127.0.0.1:0"]].concat()).await;
    let authority = url(&server).replace("https://", "");
    upgrades_lose_no_request(&program, &server, &Target::Tls(authority, certificate)).await;
}

#[tokio::test]
async fn upgrades_of_a_server_with_a_unix_socket_lose_no_request() {
    let project = project();
    let program = Program::in_project(&project);
    let path = project.path().join("app.sock");
    let args = ["--uds", "app.sock", "--metrics", "127.0.0.1:0"];
    let mut server = program.serve(project, &args).await;
    upgrades_lose_no_request(&program, &server, &Target::Unix(path.clone())).await;
    assert_eq!(server.stop().await.code(), Some(0));
    assert!(!path.exists(), "its file is gone");
}

#[tokio::test]
async fn a_request_under_way_on_the_old_code_survives_the_upgrade() {
    let (program, server) = serve(&[]).await;
    let slow = server.begin("/slow");
    let held = server.arrival().await;
    program.install();
    server.edit("app.py", &app("two"));
    assert_eq!(reload(&server).await.code, Some(0));
    is_upgraded(&server, 2).await;
    held.open().await;
    let reply = in_time("the response", slow).await.expect("no panic");
    assert_eq!(reply.json()["version"], "one");
    assert_eq!(version(&server).await, "two");
}

#[tokio::test]
async fn signals_during_an_upgrade_are_neither_lost_nor_fatal() {
    let (program, mut server) = serve(&[]).await;
    program.install();
    server.signal(libc::SIGHUP);
    let line = "the parent is the program on disk now";
    in_time("the upgrade", async {
        while !server.err.text().contains(line) {
            server.signal(libc::SIGHUP);
            server.signal(libc::SIGUSR1);
            tokio::time::sleep(std::time::Duration::from_micros(200)).await;
        }
    })
    .await;
    assert_eq!(reload(&server).await.code, Some(0));
    program.install();
    assert_eq!(reload(&server).await.code, Some(0));
    server.signal(libc::SIGTERM); // wherever the upgrade is
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_program_that_does_not_start_changes_nothing() {
    let (program, server) = serve(&["--processes", "2"]).await;
    let (before, good) = (pids(&server.processes()), program.bytes());
    server.edit("app.py", &app("two"));
    for (bytes, why) in [
        (&b"#!/bin/sh\necho it is broken >&2\nexit 3\n"[..], "it is broken"),
        (b"\x7fELF and nothing else", "cannot replace the parent"),
    ] {
        program.install_bytes(bytes);
        let finished = reload(&server).await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        for part in ["version 1 is still serving", "the new program cannot replace the parent", why]
        {
            // A wheel has a Python that starts, and an extension module that does not load.
            let is_of_binary = part == "it is broken" && std::env::var("SNAXUM_COMMAND").is_ok();
            assert!(
                is_of_binary || finished.stderr.contains(part),
                "{part} in {}",
                finished.stderr
            );
        }
    }
    assert_eq!(pids(&server.settled_processes(2).await), before);
    assert_eq!(version(&server).await, "one");

    program.install_bytes(&good);
    assert_eq!(reload(&server).await.code, Some(0));
    is_upgraded(&server, 2).await;
    assert_eq!(version(&server).await, "two");
}

#[tokio::test]
async fn code_that_does_not_load_leaves_the_program_as_it_is() {
    let (program, server) = serve(&[]).await;
    program.install();
    server.edit("app.py", "1 / 0");
    let finished = reload(&server).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("ZeroDivisionError"), "{}", finished.stderr);
    assert!(!program.runs_in(server.pid), "the parent is the old program");
    assert_eq!(version(&server).await, "one");
    server.edit("app.py", &app("two"));
    assert_eq!(reload(&server).await.code, Some(0));
    is_upgraded(&server, 2).await;
}

#[tokio::test]
async fn a_program_with_other_messages_replaces_the_parent_first_and_then_loads_the_code() {
    for args in [&["--processes", "2"][..], &["--preload"]] {
        let (program, server) = serve(args).await;
        let mut connection = KeepAlive::open(server.authority()).await.expect("it listens");
        connection.get("/version").await;
        let load = Load::start(&server, 4, "/version");
        program.set_protocol(2);
        program.install();

        // Code that does not load: the old processes serve, under a parent of the new version.
        server.edit("app.py", "1 / 0");
        let finished = reload(&server).await;
        assert!(finished.stderr.contains("ZeroDivisionError"), "{finished:?}");
        is_upgraded(&server, 1).await;
        assert_eq!(version(&server).await, "one");

        server.edit("app.py", &app("two"));
        let finished = reload(&server).await;
        assert!(finished.stdout.starts_with("version 2 is live"), "{finished:?}");
        assert_eq!(connection.get("/version").await["version"], "two");
        assert_eq!(load.stop().await, Vec::<String>::new());

        // The one before knows no newer messages.
        program.set_protocol(1);
        program.install();
        let finished = reload(&server).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("not 2; restart the server"), "{}", finished.stderr);
        assert_eq!(version(&server).await, "two");
    }
}
