//! Section G: files that are no code.

use super::super::support::Project;
use super::world::{World, index};

const READS: &str = "import json, pathlib\nCONFIG = json.loads(pathlib.Path(__file__).with_name('config.json').read_text())\n";

// Rows 112 and 113.
#[tokio::test]
async fn a_file_that_is_read_at_import_is_an_input_of_its_reader() {
    let project = Project::new()
        .file("config.json", "{\"x\": 1}")
        .file("_config.py", READS)
        .file("app.py", &index("import _config", "_config.CONFIG['x']"))
        .file("other.py", "");
    let mut world = World::of(project).await;
    assert_eq!(world.text("/").await, "1");

    let reload = world.save("config.json", "{\"x\": 2}").await;
    assert_eq!(reload.ran(), ["_config", "app"]);
    assert_eq!(world.text("/").await, "2");

    world.save("config.json", "{\"x\": ").await.failure();
    assert_eq!(world.text("/").await, "2");
    world.save("config.json", "{\"x\": 3}").await.ran();
    assert_eq!(world.text("/").await, "3");
}

// Rows 111 and 116.
#[tokio::test]
async fn what_handlers_read_and_write_is_nobodys_save() {
    let app = |n: u32| {
        format!(
            "import pathlib\nfrom snaxum import route\nFILE = pathlib.Path(__file__).with_name('notes.txt')\n\n@route('/write')\ndef write(request):\n    FILE.write_text('note')\n    return FILE.read_text() + '{n}'\n"
        )
    };
    let mut world = World::new(&[("app.py", &app(1))]).await;
    assert_eq!(world.text("/write").await, "note1");
    assert_eq!(world.save("app.py", &app(2)).await.ran(), ["app"]);
    let reloads = world.server.api("reloads").await;
    assert_eq!(reloads.as_array().expect("a list").len(), 2, "{reloads:#}");
}
