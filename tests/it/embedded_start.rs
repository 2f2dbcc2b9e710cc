//! The start of Python in a program of a user's own, after an error and beside a running one.
//!
//! The server is `tests/embedding/program.rs`.

use super::quick_start;
use super::support::Project;

const BROKEN: &str = "import atexit\natexit.register(print, 'ended')\nimport no_such_module\n";
const APP: &str = r#"
from snaxum import get

@get("/python/hello")
def hello():
    return "hello"

@get("/python/later")
async def later():
    return "later"
"#;

#[tokio::test]
async fn a_program_can_start_python_again_after_an_error_and_has_one_at_a_time() {
    let project = Project::new().top_file("broken/app.py", BROKEN).file("app.py", APP);
    let server = quick_start::run("rust-and-python", project.args(&["retry"])).await;

    for path in ["/python/hello", "/python/later"] {
        assert_eq!(server.get(path).await.status, 200, "{}", server.out.text());
    }
    let printed = server.out.text();
    let (first, rest) = printed.split_once("first: ").expect("the first start fails");
    // The first one has stopped before its error is returned.
    assert!(first.contains("ended"), "{printed}");
    assert!(rest.contains("no_such_module"), "{printed}");
    assert!(rest.contains("second: a Python runtime is running"), "{printed}");
}
