//! Programs that are not good: none of them replaces one that is.

use super::{PROGRAM, project, responding, save, serving, text_of};
use crate::support::Process;

#[tokio::test]
async fn a_program_that_panics_exits_or_ignores_the_socket_replaces_none() {
    let server = project(PROGRAM).args(&["--cargo-start-timeout", "2s"]).spawn("dev");
    server.out.wait_for("version 1 live").await;
    let server = server.announced();

    save(&server, "fn main() { panic!(\"no database\"); }");
    server.out.wait_for("panic: no database").await;
    server.err.wait_for("panicked at src/main.rs:1:13").await;
    assert_eq!(text_of(&server).await, "one");

    save(&server, "fn main() { eprintln!(\"no key\"); std::process::exit(3); }");
    server.out.wait_for("exit code 3: the program ended while it started: no key").await;
    assert_eq!(text_of(&server).await, "one");

    save(&server, "fn main() { loop { std::thread::park(); } }");
    server.out.wait_for("the program neither takes the socket nor starts Python within 2 s").await;
    server.out.wait_for("snaxum::server::bind(address)").await;
    assert_eq!(text_of(&server).await, "one");
    assert_eq!(Process::children_of(server.pid).len(), 1, "the others are gone");

    save(&server, &responding("two"));
    server.out.wait_for("↻ v1").await;
    assert_eq!(text_of(&server).await, "two");
}

#[tokio::test]
async fn a_program_that_crashes_starts_again_although_the_newest_build_is_broken() {
    let server = serving(PROGRAM).await;
    save(&server, "fn main() { panic!(\"no database\"); }");
    server.out.wait_for("panic: no database").await;

    let crashed = server.python_process();
    crashed.signal(libc::SIGKILL);

    server.out.wait_for("the server process has ended: SIGKILL").await;
    server.out.wait_for("shop serves again").await;
    assert_eq!(text_of(&server).await, "one");
    assert_ne!(server.python_process(), crashed);
}

#[tokio::test]
async fn a_crash_while_a_bad_program_is_tried_starts_the_last_good_one_again() {
    let server = project(PROGRAM).args(&["--cargo-start-timeout", "2s"]).spawn("dev");
    server.out.wait_for("version 1 live").await;
    let server = server.announced();
    let serving = server.python_process();
    save(&server, "fn main() { eprintln!(\"parked\"); loop { std::thread::park(); } }");
    server.err.wait_for("parked").await;

    serving.signal(libc::SIGKILL);

    server.out.wait_for("the program neither takes the socket nor starts Python within 2 s").await;
    server.out.wait_for("shop serves again").await;
    assert_eq!(text_of(&server).await, "one");
}

#[tokio::test]
async fn a_stop_ends_the_program_and_removes_the_file_of_the_server() {
    let mut server = serving(PROGRAM).await;
    let children = server.processes();
    assert_eq!(children.len(), 1);

    server.signal(libc::SIGINT);

    assert_eq!(server.ended().await.code(), Some(0));
    for child in children {
        child.is_gone().await;
    }
    assert!(server.announcement().is_none());
}

#[tokio::test]
async fn a_program_ends_with_a_builder_that_is_killed() {
    let mut server = serving(PROGRAM).await;
    let children = server.processes();

    server.signal(libc::SIGKILL);

    server.ended().await;
    for child in children {
        child.is_gone().await;
    }
}

#[tokio::test]
async fn the_program_gets_its_arguments_and_the_directory_of_the_project() {
    let main = PROGRAM.replace(
        "fn main() {",
        "fn main() {\n    println!(\"{:?} {:?}\", std::env::args().skip(1).collect::<Vec<_>>(), \
         std::env::current_dir().unwrap());",
    );
    let project = project(&main)
        .top_file("pyproject.toml", "[tool.snaxum]\ncargo-args = [\"--color\", \"a b\"]\n");
    let root = project.path().canonicalize().expect("it exists");
    let server = project.spawn("dev");
    server.out.wait_for(&format!("[\"--color\", \"a b\"] {:?}", root.display().to_string())).await;
}
