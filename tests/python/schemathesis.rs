//! Schemathesis sends requests that the OpenAPI document of a project allows, and some that it forbids,
//! to a dev server, and compares the responses with the document.
//!
//! The requests are the same in each run. `schemathesis/NAME.toml` turns single checks off, with the reason.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::venv::environment;
use crate::{project, project_at, root};

/// A dev server of a project, stopped when it is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(project: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_snaxum"));
        command.arg("dev").arg(project).args(["--port", "0"]);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert_ne!(output.read_line(&mut line).expect("UTF-8"), 0, "the server has ended");
            if let Some((_, url)) = line.split_once("App      ") {
                break url.trim().to_owned();
            }
        };
        thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        Self { process, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.process.wait();
    }
}

/// Runs schemathesis on a project, with at most `examples` random requests for each operation.
fn check(project: &TempDir, name: &str, phases: &str, examples: u32) {
    let directory = root().join("tests/python/schemathesis");
    let python = environment("schemathesis", "tests/python/schemathesis/requirements.txt");
    let server = Server::start(project.path());
    let files = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(python.with_file_name("schemathesis"))
        .arg("--config-file")
        .arg(directory.join(format!("{name}.toml")))
        .arg("run")
        .arg(format!("{}openapi.json", server.url))
        .args(["--generation-deterministic", "--continue-on-failure", "--no-color"])
        .args(["--phases", phases, "--max-examples", &examples.to_string()])
        .current_dir(files.path())
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("passed"), "{text}");
}

#[test]
fn schemathesis_finds_nothing_in_the_example() {
    check(&project_at(&root().join("example")), "example", "examples,coverage,fuzzing", 10);
}

#[test]
fn schemathesis_finds_nothing_in_the_quick_start_of_fastapi() {
    check(&project("fastapi"), "fastapi", "fuzzing", 3);
}
