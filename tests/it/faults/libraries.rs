//! Libraries that users have, in their own newest versions: joblib, debugpy, protobuf, pandas.
//!
//! They are among the packages of the Python tests.

use std::net::TcpListener;

use serde_json::json;

use super::super::scenarios::world::{World, index};
use super::super::support::Project;

/// A process pool of joblib, which runs functions of user modules, and frames of pandas.
const APP: &str = r#"
import joblib
import pandas as pd
from work import version
from snaxum import route

@route("/joblib")
def pooled(request):
    return joblib.Parallel(n_jobs=2)(joblib.delayed(version)() for _ in range(2))

@route("/counts")
def counts(request):
    return pd.Series(["a", "b", "a"], name="letter").value_counts()

@route("/frame")
def frame(request):
    return pd.DataFrame({"name": ["x", None], "at": pd.to_datetime(["2026-01-02", None])})
"#;

#[tokio::test]
async fn joblib_runs_new_code_after_a_save_and_frames_of_the_newest_pandas_are_json() {
    let work = |n: u32| format!("def version():\n    return {n}\n");
    let project = Project::new().packages().file("work.py", &work(1)).file("app.py", APP);
    let mut world = World::of(project).await;
    assert_eq!(world.server.get("/joblib").await.json(), json!([1, 1]));
    assert_eq!(world.server.get("/counts").await.json(), json!({"a": 2, "b": 1}));
    let frame = json!([
        {"name": "x", "at": "2026-01-02T00:00:00"},
        {"name": null, "at": null},
    ]);
    assert_eq!(world.server.get("/frame").await.json(), frame);

    world.save("work.py", &work(2)).await;

    assert_eq!(world.server.get("/joblib").await.json(), json!([2, 2]));
    // The workers of joblib do not delay it.
    assert_eq!(world.server.stop().await.code(), Some(0));
}

/// A module as protoc generates it, of a message with or without a second field.
fn generated(has_name: bool) -> String {
    let (size, name) = match has_name {
        true => ("#", r"\x12\x0c\n\x04name\x18\x02 \x01(\t"),
        false => (r"\x15", ""),
    };
    let file = format!(
        r#"\n\nshop.proto\"{size}\n\x04Item\x12\r\n\x05price\x18\x01 \x01(\x05{name}b\x06proto3"#
    );
    format!(
        "from google.protobuf import descriptor_pool as _descriptor_pool\n\
         from google.protobuf.internal import builder as _builder\n\n\
         DESCRIPTOR = _descriptor_pool.Default().AddSerializedFile(b\"{file}\")\n\
         _globals = globals()\n\
         _builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, _globals)\n\
         _builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, 'shop_pb2', _globals)\n"
    )
}

#[tokio::test]
async fn a_message_that_protoc_generates_again_gets_a_new_process() {
    let app = index("import shop_pb2", "[field.name for field in shop_pb2.Item.DESCRIPTOR.fields]");
    let project = Project::new().packages().file("shop_pb2.py", &generated(false));
    let world = World::of(project.file("app.py", &app)).await;
    assert_eq!(world.text("/").await, "['price']");

    world.server.edit("shop_pb2.py", &generated(true));

    world.until("/", |text| text == "['price', 'name']").await;
    assert_eq!(world.server.api("status").await["state"], "ok");
}

#[tokio::test]
async fn a_debugger_that_listens_since_the_start_listens_again_in_a_new_process() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    // It also debugs the processes of joblib.
    let app = |n: u32| {
        let before = format!("import debugpy, joblib\ndebugpy.listen(('127.0.0.1', {port}))");
        index(&before, &format!("sum(joblib.Parallel(2)([joblib.delayed(abs)({n})]))"))
    };
    let mut world = World::of(Project::new().packages().file("app.py", &app(1))).await;
    assert_eq!(world.text("/").await, "1");

    world.server.edit("app.py", &app(2));

    world.until("/", |text| text == "2").await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "it listens again");
    assert_eq!(world.server.api("status").await["state"], "ok");
    assert_eq!(world.server.stop().await.code(), Some(0));
}
