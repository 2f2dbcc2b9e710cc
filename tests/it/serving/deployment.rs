//! The arguments in `docs/serving`: a server starts with them. `tests/deployment` checks the files.

use std::path::Path;

use super::{curl, project, serve};

/// The arguments of the container in `kubernetes.yaml`, with addresses of a test.
fn arguments() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/serving/kubernetes.yaml");
    let text = std::fs::read_to_string(file).expect("the file of the docs");
    let args = text.lines().filter_map(|line| line.trim().strip_prefix("- --"));
    args.map(|arg| match arg.split_once('=') {
        Some(("host", _)) => "--host=127.0.0.1".to_owned(),
        Some(("port", _)) => "--port=0".to_owned(),
        Some(("metrics", _)) => "--metrics=127.0.0.1:0".to_owned(),
        Some(("shutdown-delay", _)) => "--shutdown-delay=1ms".to_owned(),
        _ => format!("--{arg}"),
    })
    .collect()
}

#[tokio::test]
async fn the_container_starts_and_its_probes_pass() {
    let arguments = arguments();
    assert!(arguments.len() > 8, "{arguments:?}");
    let args: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = serve(project(), &args).await;
    let url = super::url(&server);
    let url = url.trim_end_matches(['"', '}']); // the log is JSON
    for path in ["/healthz", "/readyz", "/where"] {
        curl(server.project.path(), &["--fail", &format!("{url}{path}")]).await;
    }
}
