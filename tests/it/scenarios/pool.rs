//! Section I: the pool's workers run the new code too.

use super::world::World;

const APP: &str = "import _tasks\nfrom snaxum import route\n\n@route('/', use_process_pool=True)\ndef index(request, pool):\n    return pool.submit(_tasks.answer).result()\n";

fn tasks(n: u32) -> String {
    format!("import os, _heavy\n\ndef answer():\n    return [{n}, os.getpid(), _heavy.LOADED]\n")
}

// Rows 135, 138 and 140.
#[tokio::test]
async fn workers_load_the_changed_cone_and_nothing_else_in_the_same_process() {
    let heavy = "import itertools, os, time\nLOADED = time.monotonic_ns()\n";
    let mut world =
        World::new(&[("app.py", APP), ("_tasks.py", &tasks(1)), ("_heavy.py", heavy)]).await;
    let mut seen: Vec<serde_json::Value> = Vec::new();
    for n in 1..=4 {
        if n > 1 {
            assert_eq!(world.save("_tasks.py", &tasks(n)).await.ran(), ["_tasks", "app"]);
        }
        world.save("_tasks.py", "def oops(:").await.failure();
        let answer = world.get("/").await.json();
        assert_eq!(answer[0], n);
        // Each worker loads what it needs once, at its first task.
        if let Some(before) = seen.iter().find(|other| other[1] == answer[1]) {
            assert_eq!(before[2], answer[2], "the unaffected module was not loaded again");
        }
        seen.push(answer);
    }
}
