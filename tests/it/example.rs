//! The example under `snaxum dev`, from nothing: the README's first command.

#[path = "../../example/tests/endpoints/table.rs"]
mod table;

use std::fs;
use std::path::Path;

use reqwest::Method;

use super::support::{Project, send};

/// A project with the example's files and no `.venv`.
fn copy_of_the_example() -> Project {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("example");
    let read = |path: &Path| fs::read_to_string(path).expect("a text file");
    let mut project =
        Project::new().top_file("pyproject.toml", &read(&example.join("pyproject.toml")));
    for directory in ["python", "static"] {
        for entry in fs::read_dir(example.join(directory)).expect("the example is there") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let name = path.strip_prefix(&example).expect("it is below").display().to_string();
                project = project.top_file(&name, &read(&path));
            }
        }
    }
    project
}

#[tokio::test]
async fn a_start_without_a_venv_makes_one_reports_it_and_serves() {
    // Installing polars may take its time; everything else is waited for as usual.
    let server = copy_of_the_example().spawn("dev");
    server.err.wait_at_leisure(".venv is ready after").await;
    let server = server.ready().await;

    for call in &table::PYTHON {
        let mut request =
            server.request(Method::from_bytes(call.method.as_bytes()).expect("valid"), call.path);
        if !call.body.is_empty() {
            request = request.header("content-type", call.content_type).body(call.body);
        }
        let reply = send(request).await;
        assert_eq!(reply.status, 200, "{} {}: {}", call.method, call.path, reply.text());
        assert!(reply.text().contains(call.expected), "{}: {}", call.path, reply.text());
    }
    assert!(server.err.text().contains("no .venv yet: creating one with"));
    let types = server.project.path().join(".snaxum/python/snaxum/py.typed");
    assert!(types.is_file(), "editors find the framework's types");
}
