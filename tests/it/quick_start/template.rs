//! The Rust template of `snaxum new`: its program as a member of the quick start's workspace, where
//! the crate of the registry is this one.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::super::new_project::{created, empty};
use super::super::support::snaxum;
use super::{built, cargo};

pub(super) const NAME: &str = "new-project";

/// Returns the files of the project, each with its path in the workspace.
pub(super) async fn files() -> Vec<(String, String)> {
    let parent = TempDir::new().expect("a temporary directory");
    let mut command = empty().command(&snaxum());
    let created = command.args(["new", NAME, "--template", "rust"]).current_dir(parent.path());
    assert!(created.status().await.expect("it starts").success());
    let mut found = Vec::new();
    add(parent.path(), &parent.path().join(NAME), &mut found);
    found
}

fn add(parent: &Path, directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            add(parent, &path, found);
        } else {
            let name = path.strip_prefix(parent).expect("it is below").display().to_string();
            found.push((name, fs::read_to_string(&path).expect("text")));
        }
    }
}

#[tokio::test]
async fn the_rust_template_passes_its_tests_and_serves_both_languages_with_live_reload() {
    let root = built().await;
    let member = root.join("crate").join(NAME);
    let venv = crate::venv::python().ancestors().nth(2).expect("bin/python").to_owned();
    let link = member.join(".venv");
    let _ = fs::remove_file(&link); // a former run may have been with another Python
    std::os::unix::fs::symlink(venv, link).expect("it is ours");
    let test = ["test", "--offline", "--workspace", "--bin", NAME];
    let (status, output) = cargo(root, &test).await;
    assert!(status.success(), "{output}");

    let project = created("rust").await.packages();
    let program = root.parent().expect("the target directory").join("debug").join(NAME);
    let mut command = project.command(program.to_str().expect("UTF-8"));
    command.arg("--dev").env("ADDRESS", "127.0.0.1:0");
    let mut server = project.spawn_process(command).listening().await;
    server.out.wait_for("console at http://").await;
    assert_eq!(server.get("/rust/hello").await.text(), "Hello from Rust");
    assert!(server.get("/python/sales").await.text().contains(r#""city":"Graz","sales":215"#));

    let text = fs::read_to_string(server.python("endpoints.py")).expect("a file");
    server.edit("endpoints.py", &text.replace("[120,", "[121,"));
    assert!(server.get("/python/sales").await.text().contains(r#""city":"Graz","sales":216"#));
    assert!(server.stop().await.success());
}
