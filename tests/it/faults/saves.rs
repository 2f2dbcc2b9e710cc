//! Saves of several files: one reload, and no request gets a mixture.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use snaxum::build_info::BUILD_PYTHON;

use super::super::support::{Project, Server, in_time};

/// Writes version 2 of the modules of a group, `gap` milliseconds apart, and prints the milliseconds
/// between the first two writes.
const WRITER: &str = r#"
import sys, time
directory, group, count, gap = sys.argv[1:]
times = []
for number in range(int(count)):
    times.append(time.perf_counter())
    with open(f"{directory}/{group}_{number}.py", "w") as file:
        file.write("VERSION = 2\n")
    time.sleep(float(gap) / 1e3)
print((times[1] - times[0]) * 1e3)
"#;

/// Returns the versions of a group's modules, which were imported at the start.
const APP: &str = r#"
import importlib, pathlib
from snaxum import route

HERE = pathlib.Path(__file__).parent
GROUPS = {}
for path in sorted(HERE.glob("g*_*.py")):
    module = importlib.import_module(path.stem)
    GROUPS.setdefault(path.stem.partition("_")[0], []).append(module)


@route("/<group>")
def versions(request):
    modules = GROUPS[request.path_params["group"]]
    return " ".join(sorted({str(module.VERSION) for module in modules}))
"#;

struct Burst {
    /// Milliseconds between the first two writes.
    first_gap: f64,
    /// The reloads that it caused.
    reloads: usize,
    /// The different responses to requests meanwhile.
    responses: BTreeSet<String>,
}

/// Starts a server with a group of modules for each of these sizes.
async fn server(sizes: &[usize]) -> Arc<Server> {
    let mut project = Project::new().file("app.py", APP).args(&["--reload-wait", "20s"]);
    for (group, size) in sizes.iter().enumerate() {
        for number in 0..*size {
            project = project.file(&format!("g{group}_{number}.py"), "VERSION = 1\n");
        }
    }
    Arc::new(project.dev().await)
}

/// Saves a group by a process of its own, under requests, and waits until it serves.
async fn save(server: &Arc<Server>, group: usize, size: usize, gap_ms: u32) -> Burst {
    let path = format!("/g{group}");
    let reloads = async || server.api("reloads").await.as_array().expect("a list").len();
    let before = reloads().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let client = tokio::spawn({
        let (server, is_over, path) = (Arc::clone(server), Arc::clone(&is_over), path.clone());
        async move {
            let mut responses = BTreeSet::new();
            while !is_over.load(Ordering::Relaxed) {
                responses.insert(server.get(&path).await.text().to_owned());
            }
            responses
        }
    });
    let mut writer = server.project.command(BUILD_PYTHON);
    writer.args(["-c", WRITER, server.python("").to_str().expect("UTF-8"), &path[1..]]);
    writer.args([size.to_string(), gap_ms.to_string()]);
    let written = in_time("the writer", writer.output()).await.expect("it starts");
    assert!(written.status.success(), "{written:?}");

    let last = server.get(&path).await;

    is_over.store(true, Ordering::Relaxed);
    assert_eq!(last.text(), "2", "the request came after the save");
    let first_gap = String::from_utf8(written.stdout).expect("UTF-8");
    Burst {
        first_gap: first_gap.trim().parse().expect("a number"),
        reloads: reloads().await - before,
        responses: client.await.expect("the client runs"),
    }
}

#[tokio::test]
async fn a_save_of_many_files_is_one_reload_without_a_mixture() {
    let bursts = [(2, 0), (2, 1), (3, 1), (10, 0), (10, 1), (50, 1), (500, 1)];
    let server = server(&bursts.map(|(size, _)| size)).await;
    for (group, (size, gap_ms)) in bursts.into_iter().enumerate() {
        let burst = save(&server, group, size, gap_ms).await;
        // A busy machine may stop the writer after its first file: that is a save of its own.
        let is_one = burst.first_gap < 1.4;
        let name = format!("{size} files, gaps of {gap_ms} ms, the first {}", burst.first_gap);
        let most = if is_one { 1 } else { 2 };
        assert!((1..=most).contains(&burst.reloads), "{name}: {} reloads", burst.reloads);
        let is_mixed = burst.responses.contains("1 2");
        assert!(!(is_one && is_mixed), "{name}: {:?}", burst.responses);
    }
}

#[tokio::test]
async fn a_save_with_longer_gaps_is_at_most_two_reloads() {
    let bursts = [(10, 3), (10, 10), (20, 15)];
    let server = server(&bursts.map(|(size, _)| size)).await;
    for (group, (size, gap_ms)) in bursts.into_iter().enumerate() {
        let burst = save(&server, group, size, gap_ms).await;
        let name = format!("{size} files, gaps of {gap_ms} ms");
        assert!((1..=2).contains(&burst.reloads), "{name}: {} reloads", burst.reloads);
    }
}
