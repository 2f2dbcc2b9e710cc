//! Declarations that cannot be: each error names the place and the way out, and the last good code
//! is still serving.

use crate::scenarios::world::World;
use crate::support::Project;

const GOOD: &str = "
from snaxum import mount, route

def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'good']

async def asgi(scope, receive, send): ...

mount('/app', app)
";

#[tokio::test]
async fn a_mount_that_cannot_be_rejects_the_reload_and_names_the_correction() {
    let mut world = World::new(&[("app.py", GOOD)]).await;
    let line = GOOD.lines().count() + 1;
    for (code, problem) in [
        ("mount('/app/', asgi)", "two applications at `/app`: "),
        ("@route('/app/<path:x>')\ndef f(x): ...", "two handlers for GET /app/<path:x>"),
        ("mount('x', app)", "must begin with a slash: `mount(\"/x\", app)`"),
        ("mount('/a/<b>', app)", "which is plain text without `<...>`"),
        ("mount('/a//b', app)", "cannot be a name in a prefix"),
        ("mount('/__snaxum/x', app)", "belongs to the console"),
        ("mount(app, '/x')", "pass `mount(prefix, app)`"),
        ("mount('/x', 'app:app')", "import the application, and pass the object"),
        ("import os; mount('/x', os)", "pass its application, as `os.app`"),
        ("mount('/x', {})", "it is a dict, which cannot be called"),
        ("mount('/x', lambda: app)", "as a factory; call it: `<lambda>()`"),
        ("mount('/x', lambda scope: app)", "`asgiref.compatibility.guarantee_single_callable`"),
        ("mount('/x', lambda *args: app)", "name it: `interface=\"asgi\"`"),
        ("mount('/x', lambda a, b, c, d: app)", "it takes 4 parameters"),
        ("async def f(a, b): ...\nmount('/x', f)", "it is async and takes 2 parameters"),
        ("mount('/x', app, interface='cgi')", "pass 'asgi' or 'wsgi'"),
    ] {
        let mut reload = world.save("app.py", &format!("{GOOD}{code}\n")).await;
        // A late event of the save before may have come first.
        while !reload.failure().contains(problem) {
            reload = world.reload().await;
        }
        let failure = reload.failure();
        assert!(failure.contains(problem), "{code}: {failure}");
        let is_there = (line..line + 2).any(|line| failure.contains(&format!("app.py:{line}")));
        assert!(is_there, "{code}: {failure}");
        assert_eq!(world.text("/app/x").await, "good");
    }
    let named = format!("{GOOD}mount('/x', lambda *args: app(*args), interface='wsgi')\n");
    world.save("app.py", &named).await.ran();
    assert_eq!(world.text("/x").await, "good");
    let reload = world.save("app.py", GOOD).await;
    assert_eq!(reload.diff("removed"), ["/x/<path:path>"]);
    assert_eq!(world.get("/x").await.status, 404);
}

#[tokio::test]
async fn a_mount_is_listed_and_explained() {
    let project = Project::new().file("app.py", GOOD);
    let listed = project.snaxum(&["routes", "--format", "json"]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let rows: serde_json::Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let row = &rows[0];
    assert_eq!((&row["methods"][0], &row["path"]), (&"ANY".into(), &"/app/<path:path>".into()));
    assert_eq!((&row["handler"], &row["mode"]), (&"app.app".into(), &"wsgi".into()));
    let matched = project.snaxum(&["routes", "--match", "PUT /app/a/b"]).await;
    assert_eq!(matched.code, Some(0), "{}", matched.stderr);
    assert!(matched.stdout.contains("app.app"), "{}", matched.stdout);
    assert_eq!(project.snaxum(&["check"]).await.code, Some(0));
    let document = project.snaxum(&["openapi"]).await;
    assert_eq!(document.code, Some(0), "{}", document.stderr);
    assert!(!document.stdout.contains("\"/app/"), "{}", document.stdout);
}
