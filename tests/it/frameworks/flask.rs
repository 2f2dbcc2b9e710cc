//! Flask's tutorial application, flaskr, as its source distribution has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Method;
use serde_json::json;

use super::{change, edit, project, python, request_of, route};
use crate::scenarios::world::World;
use crate::support::{Reply, send};

const FLASK: &str = "flask==3.1.3";

/// The directory of the tutorial; downloads the source distribution once.
fn tutorial() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(FLASK.replace("==", "-"));
    let found = directory.join("examples/tutorial/flaskr");
    let lock = fs::File::create(directory.with_extension("lock")).expect("it is ours");
    lock.lock().expect("the file system has locks");
    if !found.exists() {
        let python = crate::venv::environment("frameworks", "tests/it/frameworks/requirements.txt");
        let parent = directory.parent().expect("it has one");
        let arguments = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d"];
        crate::venv::run(Command::new(python).args(arguments).arg(parent).arg(FLASK));
        let archive = directory.with_extension("3.tar.gz");
        crate::venv::run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(parent));
    }
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is ours");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}

async fn form(world: &World, path: &str, body: &'static str, cookie: &str) -> Reply {
    let request = world.server.request(Method::POST, path).body(body).header("cookie", cookie);
    send(request.header("content-type", "application/x-www-form-urlencoded")).await
}

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn the_tutorial_of_flask_with_its_database_blueprints_and_templates() {
    let project = project(&[]).args(&["flaskr:create_app", "--factory"]);
    copy(&tutorial(), &project.path().join("flaskr"));
    python(&project, &["-m", "flask", "--app", "flaskr", "init-db"]).await;
    let mut world = World::of(project).await;

    let account = "username=ann&password=secret";
    let registered = form(&world, "/auth/register", account, "").await;
    assert_eq!((registered.status, registered.header("location")), (302, "/auth/login"));
    let logged_in = form(&world, "/auth/login", account, "").await;
    assert_eq!(logged_in.status, 302, "{}", logged_in.text());
    let cookie = logged_in.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let posted = form(&world, "/create", "title=First&body=Some+text", &cookie).await;
    assert_eq!((posted.status, posted.header("location")), (302, "/"));
    let index = world.text("/").await;
    assert!(index.contains("First") && index.contains("by ann on"), "{index}");
    let row = route(&world, "/<int:id>/update").await;
    assert_eq!(
        (&row["file"], &row["handler"]),
        (&json!("flaskr/blog.py"), &json!("flaskr.blog.update"))
    );
    assert_eq!(request_of(&world, "/create").await["route"], "/create");

    // A template of its own directory.
    let generation = world.status().await["generation"].clone();
    change(&world, "flaskr/templates/blog/index.html", "by {{", "from {{");
    assert!(world.text("/").await.contains("from ann on"));
    assert_eq!(world.status().await["generation"], generation);
    // A blueprint; the session of the client stays valid.
    let refused = "Title is required.";
    edit(&mut world, "flaskr/blog.py", refused, "A title, please.").await.ran();
    let reply = form(&world, "/create", "title=&body=", &cookie).await;
    assert!(reply.text().contains("A title, please."), "{}", reply.text());
    // An exception that Flask handles.
    let broken = "    db = get_db()\n    posts = ";
    edit(
        &mut world,
        "flaskr/blog.py",
        broken,
        &format!("    number = 41\n    [][number]\n{broken}"),
    )
    .await
    .ran();
    super::raises(&world, "/", "IndexError", "flaskr/blog.py").await;
    edit(&mut world, "flaskr/blog.py", "    [][number]\n", "").await.ran();
    assert!(world.text("/").await.contains("First"), "the rows are in its database");
    let failure = edit(&mut world, "flaskr/__init__.py", "app = Flask(", "app = Flas(").await;
    assert!(failure.failure().contains("NameError"), "{}", failure.failure());
    assert!(world.text("/").await.contains("First"));
}
