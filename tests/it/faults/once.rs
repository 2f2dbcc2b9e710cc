//! Calls that a process can make only once: the reload ends in a new process that works.

use std::net::TcpListener;

use super::super::scenarios::world::{World, index};
use super::super::support::Project;

fn binds(port: u16, result: u32) -> String {
    index(
        &format!(
            "import socket\nSOCKET = socket.socket()\nSOCKET.bind(('127.0.0.1', {port}))\nSOCKET.listen()"
        ),
        &result.to_string(),
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test]
async fn a_port_that_a_module_binds_is_free_for_the_new_process() {
    let port = free_port();
    let world = World::of(Project::new().file("app.py", &binds(port, 1))).await;

    world.server.edit("app.py", &binds(port, 2));

    world.until("/", |text| text == "2").await;
    world.server.out.wait_for("restarting in a new process").await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "it listens again");
    let status = world.server.api("status").await;
    assert_eq!(status["state"], "ok", "{status:#}");
}

#[tokio::test]
async fn a_port_of_another_program_does_not_end_the_serving_process() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = other.local_addr().expect("an address").port();
    let mut world = World::of(Project::new().file("app.py", &binds(free_port(), 1))).await;

    let reload = world.save("app.py", &binds(taken, 2)).await;

    assert!(reload.failure().contains("in use"), "{:#}", reload.0);
    world.server.out.wait_for("does not load in a new process").await;
    assert_eq!(world.text("/").await, "1");
}

#[tokio::test]
async fn a_registry_in_compiled_code_that_takes_nothing_twice_gets_a_new_process() {
    let project = Project::new();
    let libraries = project.path().join("libraries");
    let app = |n: u32| index("import compiled\ncompiled.register('message')", &n.to_string());
    let project = project
        // As in an extension module, the function has no frame of its own.
        .top_file("libraries/compiled.py", "register = {'message'}.remove\n")
        .env("PYTHONPATH", libraries.to_str().expect("UTF-8"))
        .file("app.py", &app(1));
    let mut world = World::of(project).await;

    // An error of the new text is not such a call.
    let reload = world.save("app.py", &index("x = int('no number')", "2")).await;
    assert!(reload.failure().contains("no number"));
    assert_eq!(reload.0["strategy"], "dependents");

    world.server.edit("app.py", &app(2));

    world.until("/", |text| text == "2").await;
}
