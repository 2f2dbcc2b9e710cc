//! Code that loads or not: a reload reports each problem, and once.

use super::super::scenarios::world::{World, index};
use super::super::support::Project;

#[tokio::test]
async fn a_module_that_does_not_load_is_one_problem_whatever_imports_it() {
    let project = ["a", "b", "c", "d", "e"].iter().fold(Project::new(), |project, name| {
        project.file(&format!("{name}.py"), &index("import pricing", "1"))
    });
    let project = project.file("pricing.py", "rates = {}\nrate = rates['eu']\n");

    let check = project.snaxum(&["check"]).await;

    assert_eq!(check.code, Some(1));
    assert!(check.stdout.contains(", 1 problem\n"), "{}", check.stdout);
    let text = check.stderr;
    assert_eq!(text.matches("KeyError").count(), 1, "{text}");
    for part in [
        "module `pricing` does not load",
        "pricing.py:2",
        "5 modules that import it cannot load: a, b, c, d, e",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let server = project.dev().await;
    let banner = server.out.wait_for("5 modules that import it cannot load").await;
    assert!(banner.contains("a, b, c, d, e"));
    let status = server.api("status").await;
    assert_eq!(status["last_reload"]["others"], serde_json::json!([]), "{status:#}");
    assert_eq!(server.out.text().matches("KeyError").count(), 1, "{}", server.out.text());
    assert_eq!(server.get("/").await.status, 500, "each path has the error");
}

#[tokio::test]
async fn the_module_of_an_error_is_named_though_it_is_not_an_entry_module() {
    let project = Project::new()
        .file("shop/__init__.py", "")
        .file("shop/_rates.py", "1 / 0\n")
        .file("a.py", "from shop import _rates\n")
        .file("b.py", "import shop._rates\n")
        // These fail in one line, and each by itself.
        .file("_settings.py", "def need(name):\n    raise LookupError(name)\n")
        .file("c.py", "import _settings\n_settings.need('x')\n")
        .file("d.py", "import _settings\n_settings.need('x')\n");

    let check = project.snaxum(&["check"]).await;

    let text = check.stderr;
    assert!(check.stdout.contains("3 problems"), "{} {text}", check.stdout);
    assert!(text.contains("module `shop._rates` does not load"), "{text}");
    assert!(text.contains("2 modules that import it cannot load: a, b"), "{text}");
}

#[tokio::test]
async fn a_removed_function_that_other_code_uses_by_attribute_is_a_warning() {
    let pricing = "def net(x):\n    return x\n\ndef with_tax(x):\n    return x * 2\n\nRATE = 2\n";
    let orders = "import pricing\nimport pricing as p\nfrom snaxum import route\n\n@route('/')\ndef index(request):\n    return str(pricing.with_tax(2))\n\ndef late():\n    from pricing import with_tax\n    return p.RATE\n\ndef other(pricing):\n    return pricing.with_tax\n";
    let mut world = World::new(&[("pricing.py", pricing), ("orders.py", orders)]).await;
    assert_eq!(world.text("/").await, "4");

    let reload = world.save("pricing.py", "def net(x):\n    return x\n").await;

    assert_eq!(reload.ran(), ["pricing", "orders"]);
    let warnings: Vec<&str> = reload.warnings();
    assert_eq!(
        warnings,
        [
            "`pricing.with_tax` was removed, but is still used: python/orders.py:7 in `index`, \
             python/orders.py:10 in `late`; change that code, or put the name back",
            "`pricing.RATE` was removed, but is still used: python/orders.py:11 in `late`; change \
             that code, or put the name back",
        ]
    );
    world.server.out.wait_for("`pricing.with_tax` was removed").await;
    let reload = world.save("pricing.py", pricing).await;
    assert_eq!(reload.warnings(), [""; 0]);
}

#[tokio::test]
async fn a_kept_value_that_was_changed_in_place_is_not_reported_as_reset() {
    let app = |n: u32| {
        index(
            &format!(
                "import _store, snaxum\nfrom _store import SHARED\nK = snaxum.keep('k', dict)\nOWN = []\nN = {n}"
            ),
            "K.setdefault(N, N) and SHARED.append(1) or OWN.append(1) or len(K)",
        )
    };
    let mut world = World::new(&[("_store.py", "SHARED = []\n"), ("app.py", &app(1))]).await;
    assert_eq!(world.text("/").await, "1");

    let reload = world.save("app.py", &app(2)).await;

    assert_eq!(reload.ran(), ["app"]);
    assert_eq!(reload.0["state_reset"], serde_json::json!(["app.OWN"]));
    assert_eq!(world.text("/").await, "2", "the kept value lives");
}
