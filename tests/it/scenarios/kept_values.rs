//! Values that outlive the code of their class.

use serde_json::json;

use super::super::support::Project;
use super::world::{Reload, World, index};

fn user(n: u32, more: &str) -> String {
    format!("class User:\n    {more}\n    def version(self):\n        return {n}\n")
}

fn color(n: u32) -> String {
    format!(
        "import enum\n\nclass Color(enum.Enum):\n    RED = 1\n    N{n} = 2\n\nclass Level(enum.IntEnum):\n    LOW = 1\n"
    )
}

/// An app that stores an expression with `keep`.
fn keeping(factory: &str, more: &str, expression: &str) -> String {
    index(
        &format!("import models, snaxum\n\nV = snaxum.keep('v', lambda: {factory}{more})\n"),
        expression,
    )
}

fn warnings(reload: &Reload) -> String {
    reload.ran();
    reload.0["warnings"].to_string()
}

// An instance of an old class in `keep` is reported, and migrates on request.
#[tokio::test]
async fn an_old_instance_in_keep_is_reported_once() {
    let app = keeping("[models.User(), models.User()]", "", "isinstance(V[0], models.User)");
    let mut world = World::new(&[("models.py", &user(1, "")), ("app.py", &app)]).await;
    assert_eq!(world.text("/").await, "True");

    let warning = warnings(&world.save("models.py", &user(2, "")).await);
    for part in
        ["`keep('v')`", "2 instances", "`models.User` of version 1", "version", "migrate=True"]
    {
        assert!(warning.contains(part), "{warning}");
    }
    world.server.out.wait_for("2 instances of `models.User` of version 1").await;
    assert_eq!(world.text("/").await, "False");

    let again = world.save("models.py", &user(3, "")).await;
    assert_eq!(again.0["warnings"], json!([]));
    world
        .server
        .err
        .wait_for("`models` in version 1 is still referenced by the kept value 'v'")
        .await;
}

#[tokio::test]
async fn a_kept_instance_that_may_migrate_gets_the_new_class() {
    let app = keeping(
        "{'a': models.User()}",
        ", migrate=True",
        "[isinstance(V['a'], models.User), V['a'].version()]",
    );
    let mut world = World::new(&[("models.py", &user(1, "")), ("app.py", &app)]).await;
    let reload = world.save("models.py", &user(2, "")).await;
    assert_eq!(warnings(&reload), "[]");
    assert_eq!(world.text("/").await, "[True, 2]");
    world.save("models.py", &format!("{}1 / 0\n", user(3, ""))).await.failure();
    assert_eq!(world.text("/").await, "[True, 2]", "a rejected class is gone");
}

#[tokio::test]
async fn an_instance_that_cannot_migrate_stays_what_it_is_with_a_warning() {
    let app = keeping("models.User()", ", migrate=True", "V.version()");
    let mut world = World::new(&[("models.py", &user(1, "")), ("app.py", &app)]).await;
    let warning = warnings(&world.save("models.py", &user(2, "__slots__ = ('a', 'b')")).await);
    assert!(
        warning.contains("layout") && warning.contains("`models.User` of version 1"),
        "{warning}"
    );
    assert_eq!(world.text("/").await, "1");
    let warning = warnings(&world.save("models.py", "class Other: pass\n").await);
    assert!(warning.contains("which the new code does not have"), "{warning}");
}

#[tokio::test]
async fn values_in_keep_without_user_classes_are_not_reported() {
    let app = keeping("[1, 'a', {'b': 2}, object()]", "", "len(V)");
    let mut world = World::new(&[("models.py", &user(1, "")), ("app.py", &app)]).await;
    assert_eq!(warnings(&world.save("models.py", &user(2, "")).await), "[]");
}

// An enum member in `keep` compares with members of its own generation only, which is reported.
#[tokio::test]
async fn an_old_enum_member_in_keep_is_reported() {
    let app = keeping("models.Color.RED", "", "V is models.Color.RED");
    let mut world = World::new(&[("models.py", &color(1)), ("app.py", &app)]).await;
    let warning = warnings(&world.save("models.py", &color(2)).await);
    for part in ["1 member of", "`models.Color` of version 1", "`is` and `==`", "migrate=True"] {
        assert!(warning.contains(part), "{warning}");
    }
    assert_eq!(world.text("/").await, "False");
}

#[tokio::test]
async fn an_enum_member_in_keep_that_may_migrate_becomes_the_new_member_of_its_name() {
    let red = "models.Color.RED";
    for (factory, expression) in [
        (red.to_owned(), format!("V is {red}")),
        (format!("({red}, 1)"), format!("V[0] is {red}")),
        (format!("[0, {red}]"), format!("V[1] is {red}")),
        (format!("{{{red}: {red}}}"), format!("V[{red}] is {red}")),
        (format!("{{{red}}}"), format!("{red} in V")),
        // Equal to the new one, though it is another.
        ("{models.Level.LOW: 1}".to_owned(), "[*V][0] is models.Level.LOW".to_owned()),
        ("{models.Level.LOW}".to_owned(), "[*V][0] is models.Level.LOW".to_owned()),
    ] {
        let app = keeping(&factory, ", migrate=True", &expression);
        let mut world = World::new(&[("models.py", &color(1)), ("app.py", &app)]).await;
        assert_eq!(warnings(&world.save("models.py", &color(2)).await), "[]", "{factory}");
        assert_eq!(world.text("/").await, "True", "{factory}");
    }
}

#[tokio::test]
async fn an_enum_member_in_keep_whose_name_is_gone_stays_with_a_warning() {
    let app = keeping("models.Color.N1", ", migrate=True", "V.name");
    let mut world = World::new(&[("models.py", &color(1)), ("app.py", &app)]).await;
    let warning = warnings(&world.save("models.py", &color(2)).await);
    assert!(warning.contains("no member `N1`"), "{warning}");
    assert_eq!(world.text("/").await, "N1");
}

// The instance is in a module that no change reaches.
#[tokio::test]
async fn an_instance_of_an_old_class_in_a_module_that_stays_is_named() {
    let app = |n: u32, fill: &str| {
        index(
            &format!(
                "import _store\n\nclass User:\n    def n(self):\n        return {n}\n\n{fill}"
            ),
            &n.to_string(),
        )
    };
    let project = Project::new()
        .file("_store.py", "CACHE = {}\n")
        .file("app.py", &app(1, "_store.CACHE['a'] = User()\n"));
    let mut world = World::of(project).await;
    world.save("app.py", &app(2, "")).await.ran();
    let line = world.server.err.wait_for("is still referenced by").await;
    for part in
        ["module `app` in version 1", "`_store.CACHE`", "an instance of `app.User`", "isinstance"]
    {
        assert!(line.contains(part), "{line}");
    }
}
