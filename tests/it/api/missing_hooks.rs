//! Requests while a module that may have hooks does not load.

use serde_json::json;

use crate::support::Project;

#[tokio::test]
async fn the_paths_of_a_module_that_does_not_load_are_known_from_its_decorators() {
    let server = Project::new()
        .file(
            "app.py",
            r#"
from snaxum import Blueprint, post

shop = Blueprint("shop", prefix="/shop")

@shop.get("/<int:n>")
def item(n): ...

@post("/orders")
def order(): ...

raise RuntimeError("not today")
"#,
        )
        .dev()
        .await;

    assert_eq!(server.get("/shop/3").await.status, 500);
    assert_eq!(server.post("/orders", &json!(1)).await.status, 500);
    assert_eq!(server.get("/shop/x").await.status, 503);
}

#[tokio::test]
async fn no_request_passes_the_hooks_of_a_module_that_does_not_load() {
    let auth = "from snaxum import abort, before_request\n\n\
                @before_request\ndef check(request):\n    abort(401)\n";
    let project = || {
        Project::new()
            .file("app.py", "from snaxum import get\n\n@get('/')\ndef index(): return 'secret'\n")
            .file("guard/__init__.py", "from . import auth\n")
            .file("guard/auth.py", &format!("{auth}if (\n"))
    };

    let served = project().serve().await;
    let refused = served.get("/").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert!(refused.text().contains("a module with hooks before every handler did not load"));

    let dev = project().dev().await;
    assert_eq!(dev.get("/").await.status, 503);
    dev.edit("guard/auth.py", auth);
    assert_eq!(dev.get("/").await.status, 401);
}

#[tokio::test]
async fn no_request_passes_the_hooks_of_a_module_that_was_not_reached() {
    let auth = "from snaxum import abort, before_request\n\n\
                @before_request\ndef check(request):\n    abort(401)\n";
    let project = || {
        Project::new()
            .file("app.py", "from snaxum import get\n\n@get('/')\ndef index(): return 'secret'\n")
    };
    let cases = [
        // The package ends before its import of `auth`, which has no error itself.
        project().file("guard/__init__.py", "import missing\nfrom . import auth\n"),
        project().file("guard/__init__.py", "if (\nfrom . import auth\n"),
        project().file("main.py", "import missing\nimport guard.auth\n"),
    ];
    for case in cases {
        let served = case.file("guard/auth.py", auth).serve().await;
        assert_eq!(served.get("/").await.status, 503);
    }
    // The name of the standard library comes first, so nothing reads the file.
    let served = project().file("token.py", auth).serve().await;
    assert_eq!(served.get("/").await.status, 503);

    // A test has hooks of its own.
    let tests = "from snaxum import before_request\n\n@before_request\ndef check(): ...\n";
    let dev = project()
        .file("guard/__init__.py", "import missing\nfrom . import auth\n")
        .file("guard/auth.py", "\n")
        .file("tests/test_guard.py", tests)
        .dev()
        .await;
    assert_eq!(dev.get("/").await.text(), "secret");
    dev.edit("guard/auth.py", auth);
    dev.edit("guard/__init__.py", "from . import auth\n");
    assert_eq!(dev.get("/").await.status, 401);
}
