//! Bad input: one clear line with the fault, its place and the way out.

use std::fs::{self, File};
use std::os::fd::AsRawFd;

use super::{MANIFEST, PROGRAM, project, save_file, serving, text_of};
use crate::support::{Process, Project, Server, in_time};

/// Waits until cargo runs the build script of the project, and returns its process.
pub(super) async fn build_script(server: &Server) -> Process {
    let is_it = |process: &Process| {
        let name = fs::read_link(format!("/proc/{}/exe", process.pid)).unwrap_or_default();
        name.file_name().is_some_and(|name| name.to_string_lossy().starts_with("build-script-"))
    };
    in_time("the build script", async {
        loop {
            if let Some(found) = Process::below(server.pid).into_iter().find(is_it) {
                return found;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

const ENDLESS: &str = "fn main() { loop { std::thread::park(); } }";

#[tokio::test]
async fn a_stop_ends_a_build_that_never_ends() {
    let mut server = project(PROGRAM).top_file("build.rs", ENDLESS).spawn("dev");
    let script = build_script(&server).await;

    server.signal(libc::SIGINT);

    assert_eq!(server.ended().await.code(), Some(0));
    script.is_gone().await;
}

#[tokio::test]
async fn the_lock_of_another_cargo_is_reported_with_the_way_around_it() {
    let server = serving(PROGRAM).await;
    let lock =
        File::create(server.project.path().join("target/debug/.cargo-lock")).expect("a lock");
    // SAFETY: locks a file of our own.
    assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) }, 0);

    save_file(&server, "src/main.rs", &super::responding("two"));

    server.out.wait_for("cargo-target-dir = \"target/snaxum\"").await;
    assert_eq!(text_of(&server).await, "one");
    drop(lock);
    server.out.wait_for("↻ v1").await;
    assert_eq!(text_of(&server).await, "two");
}

#[tokio::test]
async fn several_binaries_need_a_name() {
    let several = || project(PROGRAM).top_file("src/bin/admin.rs", "fn main() {}");
    let ended = several().snaxum(&["dev", "--port", "0"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("`admin` and `shop`; name one"), "{}", ended.stderr);

    let named = "[tool.snaxum]\ncargo-bin = \"cart\"\n";
    let ended = several().top_file("pyproject.toml", named).snaxum(&["dev", "--port", "0"]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("pyproject.toml:2: `cargo-bin` is `cart`, which is not a binary here"),
        "{}",
        ended.stderr
    );

    let server = several().args(&["--cargo-bin", "shop"]).spawn("dev");
    server.out.wait_for("version 1 live").await;
    assert_eq!(text_of(&server.announced()).await, "one");
}

#[tokio::test]
async fn without_cargo_the_python_modules_can_be_served() {
    let module = "from snaxum import route\n\n@route('/')\ndef home():\n    return 'python'\n";
    let without = || project(PROGRAM).file("app.py", module).env("CARGO", "/nowhere/cargo");
    let named = ["dev", "--port", "0", "--cargo-bin", "server"];
    let ended = without().snaxum(&named).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let missing = "`/nowhere/cargo` does not start";
    for part in [missing, "with `--no-cargo`"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }

    let server = without().dev().await;
    assert_eq!(text_of(&server).await, "python");
    server.err.wait_for(missing).await;
    let server = without().args(&["--no-cargo"]).dev().await;
    assert_eq!(text_of(&server).await, "python");
    assert!(!server.err.text().contains(missing));
}

#[tokio::test]
async fn a_package_that_cargo_cannot_resolve_leaves_the_project_to_python() {
    let module = "from snaxum import route\n\n@route('/')\ndef home():\n    return 'python'\n";
    for (manifest, problem) in [
        (MANIFEST.replace("path = \"library\"", "path = \"moved\""), "moved"),
        (MANIFEST.replace("[package]", "[package]\nauthors.workspace = true"), "workspace"),
    ] {
        let server =
            project(PROGRAM).file("app.py", module).top_file("Cargo.toml", &manifest).dev().await;
        assert_eq!(text_of(&server).await, "python");
        server.err.wait_for("only the Python modules are served: cargo cannot read").await;
        server.err.wait_for(problem).await;
    }
}

#[tokio::test]
async fn a_package_without_a_server_leaves_the_project_to_python() {
    let module = "from snaxum import route\n\n@route('/')\ndef home():\n    return 'python'\n";
    let manifest = MANIFEST.replace("snaxum = { path = \"library\" }", "");
    let server = Project::new()
        .file("app.py", module)
        .top_file("Cargo.toml", &manifest)
        .top_file("src/main.rs", "fn main() {}")
        .dev()
        .await;
    assert_eq!(text_of(&server).await, "python");
}

#[tokio::test]
async fn a_broken_manifest_is_an_error_of_the_save() {
    let server = serving(PROGRAM).await;
    save_file(&server, "Cargo.toml", &MANIFEST.replace("[package]", "[package"));
    server.out.wait_for("cargo: ").await;
    assert_eq!(text_of(&server).await, "one");
    save_file(&server, "Cargo.toml", MANIFEST);
    server.out.wait_for("nothing to reload: the program is the same as before").await;
}
