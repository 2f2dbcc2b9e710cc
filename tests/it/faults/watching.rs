//! Files that are watched, or not loaded: the server reports the same that it does.

use std::fs;

use super::super::scenarios::world::{World, index};
use super::super::support::Project;

#[tokio::test]
async fn loaded_modules_are_watched_whatever_git_ignores() {
    // A repository above the project that ignores everything, and one directory of the project.
    let home = Project::new().top_file(".gitignore", "*\n");
    fs::create_dir(home.path().join(".git")).expect("a directory");
    let project = home
        .top_file("python/.gitignore", "built/\n")
        .file("shop/__init__.py", "X = 1\n")
        .file("built/deep/gen.py", "Y = 1\n")
        .file("built/deep/broken.py", "1 / 0\n")
        .file("app.py", &index("import shop\nfrom built.deep import gen", "(shop.X, gen.Y)"))
        .file("other.py", "import built.deep.broken\n");
    let mut world = World::of(project).await;
    assert_eq!(world.text("/").await, "(1, 1)");

    assert_eq!(world.save("shop/__init__.py", "X = 2\n").await.ran()[..2], ["shop", "app"]);
    let reload = world.save("built/deep/gen.py", "Y = 2\n").await;
    assert_eq!(reload.ran()[..2], ["built.deep.gen", "app"]);
    assert_eq!(world.text("/").await, "(2, 2)");

    let reload = world.save("built/deep/broken.py", "Z = 1\n").await;
    assert!(reload.ran().contains(&"other"), "{:#}", reload.0);

    // Another directory of the same name is watched too.
    fs::remove_dir_all(world.server.python("built")).expect("removed");
    world.server.edit("built/deep/gen.py", "Y = 3\n");
    world.server.edit("built/deep/broken.py", "Z = 1\n");
    world.until("/", |text| text == "(2, 3)").await;
    world.server.edit("built/deep/gen.py", "Y = 4\n");
    assert_eq!(world.text("/").await, "(2, 4)");
}

#[tokio::test]
async fn routes_in_files_that_were_not_loaded_are_named() {
    let project = Project::new()
        .file("app.py", &index("import shop", "1"))
        .file("shop/__init__.py", "")
        .file(
            "shop/admin.py",
            "from snaxum import route\n\n@route('/admin/<int:n>')\ndef admin(request):\n    return ''\n",
        )
        .file("test_app.py", &index("", "1"));
    let hint = "python/shop/admin.py:3 has the route `/admin/<int:n>`, but no loaded module imports \
                that file; add `import shop.admin` to a module that loads";

    let check = project.snaxum(&["check"]).await;

    assert_eq!(check.code, Some(0), "{}", check.stderr);
    assert_eq!(check.stderr.matches("has the route").count(), 1, "{}", check.stderr);
    assert!(check.stderr.contains(hint), "{}", check.stderr);

    let mut world = World::of(project).await;
    let reply = world.get("/admin/5").await;
    assert!(reply.status == 404 && reply.text().contains(hint), "{}", reply.text());
    let reply = world.get("/elsewhere").await;
    assert!(!reply.text().contains("has the route"), "{}", reply.text());

    world.save("shop/__init__.py", "from . import admin\n").await.ran();
    assert_eq!(world.get("/admin/5").await.status, 200);
}

#[tokio::test]
async fn a_start_without_a_save_reports_no_reload() {
    let projects = [
        Project::new().file("app.py", &index("", "1")),
        Project::new().top_file(".env", "A=1\n").file("app.py", &index("", "1")),
        Project::new().top_file(".env", "A=1\n").file("app.py", "open('.env').read()\n"),
        Project::new().file("app.py", "1 / 0\n").file("good.py", &index("", "1")),
    ];
    for project in projects {
        let server = project.dev().await;
        let reloads = server.api("reloads").await;
        let text = server.out.text();
        assert_eq!(reloads.as_array().expect("a list").len(), 1, "{reloads:#}");
        assert!(!text.contains("no-op") && !text.contains("↻"), "{text}");
    }
}

#[tokio::test]
async fn a_save_during_the_start_is_reported_below_the_banner() {
    let project = Project::new()
        .file("broken.py", "1 / 0\n")
        .file("b.py", &index("", "1"))
        .file("z.py", "import _gate\n_gate.wait('starting')\n")
        .gate();
    let server = project.spawn("dev");
    let held = server.arrival().await;
    server.edit("b.py", &index("", "2")); // it has run already
    held.open().await;
    let server = server.ready().await;
    assert_eq!(server.get("/").await.text(), "2");
    let text = server.out.text();
    let banner = text.find("watching").expect("the banner");
    assert!(text.find("↻").is_none_or(|line| banner < line), "{text}");
    assert!(text.contains(" 3 modules ·"), "{text}");
    assert!(text.contains("✖ broken"), "{text}");
}
