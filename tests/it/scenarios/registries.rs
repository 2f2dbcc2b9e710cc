//! Registrations with other modules, and patches of them.

use super::super::support::Project;
use super::world::{World, index};

/// A project beside a library with a generic function, an ABC and something to replace.
fn project() -> Project {
    let project = Project::new();
    let path = project.path().join("libraries").to_str().expect("UTF-8").to_owned();
    project
        .top_file(
            "libraries/shop.py",
            "import abc, functools\n\n@functools.singledispatch\ndef show(x):\n    return 'plain'\n\n@show.register(str)\ndef _text(x):\n    return 'library'\n\nclass Shape(abc.ABC):\n    pass\n\nclass Client:\n    def get(self):\n        return 'got'\n\ndef price(x):\n    return x\n",
        )
        .env("PYTHONPATH", &path)
}

const SHOWN: &str = "[show(1), show('t'), show(Mine()), len(show.registry)]";

/// A module that registers with the library's generic function in each way there is.
fn showing(n: u32, more: &str) -> String {
    index(
        &format!(
            "from shop import show\n\nclass Mine: pass\n\n@show.register\ndef _int(x: int):\n    return 'int {n}'\n\n@show.register(str)\ndef _str(x):\n    return 'str {n}'\n\nshow.register(Mine, lambda x: 'mine {n}')\n{more}"
        ),
        SHOWN,
    )
}

// The newest registration with a generic function or an ABC wins, and the old one is dropped.
#[tokio::test]
async fn the_newest_registration_with_a_generic_function_wins_and_old_classes_leave_it() {
    let mut world = World::of(project().file("app.py", &showing(1, ""))).await;
    for n in 2..=4 {
        world.save("app.py", &showing(n, "")).await.ran();
        let newest = format!("['int {n}', 'str {n}', 'mine {n}', ");
        assert!(world.text("/").await.starts_with(&newest), "{newest}");
    }
    // `object`, `int`, `str` and the one class, once no request is on the old ones.
    world.until("/", |text| text == "['int 4', 'str 4', 'mine 4', 4]").await;
}

#[tokio::test]
async fn a_registration_that_is_not_repeated_is_replaced_by_the_earlier_one() {
    let mut world = World::of(project().file("app.py", &showing(1, ""))).await;
    let without = index("from shop import show\n\nclass Mine: pass\n", SHOWN);
    world.save("app.py", &without).await.ran();
    assert!(world.text("/").await.starts_with("['plain', 'library', 'plain', "));
    world.until("/", |text| text.ends_with(", 2]")).await;

    // A module that nothing imports any more has registered nothing either.
    world.save("_more.py", "import shop\nshop.show.register(str, lambda x: 'more')\n").await;
    world.save("app.py", &without.replace("import show", "import show\nimport _more")).await.ran();
    assert_eq!(world.text("/").await, "['plain', 'more', 'plain', 2]");
    world.save("app.py", &without).await.ran();
    assert_eq!(world.text("/").await, "['plain', 'library', 'plain', 2]");
}

#[tokio::test]
async fn the_registrations_of_rejected_code_are_undone() {
    let mut world = World::of(project().file("app.py", &showing(1, ""))).await;
    world.save("app.py", &showing(2, "1 / 0\n")).await.failure();
    assert_eq!(world.text("/").await, "['int 1', 'str 1', 'mine 1', 4]");
}

#[tokio::test]
async fn a_request_on_old_code_finds_its_class_registered_to_its_end() {
    let app = |n: u32| {
        format!(
            "import _gate\nfrom shop import show\nfrom snaxum import route\n\nclass Mine: pass\n\n@show.register\ndef _mine(x: Mine):\n    return 'mine {n}'\n\n@route('/')\ndef index(request):\n    _gate.wait('handler')\n    return show(Mine())\n\n@route('/count')\ndef count(request):\n    return str(len(show.registry))\n"
        )
    };
    let mut world = World::of(project().gate().file("app.py", &app(1))).await;
    let old = world.server.begin("/");
    let held = world.server.arrival().await;
    world.save("app.py", &app(2)).await.ran();
    assert_eq!(world.text("/count").await, "4");
    held.open().await;
    assert_eq!(old.await.expect("a response").text(), "mine 1");
    world.until("/count", |count| count == "3").await;
}

#[tokio::test]
async fn a_generic_function_of_a_module_that_is_not_loaded_again_is_treated_alike() {
    let generic =
        "import functools\n\n@functools.singledispatch\ndef show(x):\n    return 'plain'\n";
    let app = |n: u32, body: &str| {
        index(
            &format!(
                "from _show import show\nclass Mine: pass\nshow.register(Mine, lambda x: 'mine {n}')\n{body}"
            ),
            "[show(Mine()), show(1), len(show.registry)]",
        )
    };
    let integer = "show.register(int, lambda x: 'int')\n";
    let project = Project::new().file("_show.py", generic).file("app.py", &app(1, integer));
    let mut world = World::of(project).await;
    assert_eq!(world.text("/").await, "['mine 1', 'int', 3]");
    assert_eq!(world.save("app.py", &app(2, "")).await.ran(), ["app"]);
    world.until("/", |text| text == "['mine 2', 'plain', 2]").await;
}

#[tokio::test]
async fn a_class_of_a_library_is_registered_with_an_abc_while_the_code_registers_it() {
    let app = |n: u32, more: &str| {
        index(
            &format!(
                "from shop import Shape\nimport collections\nN = {n}\nclass Mine: pass\nShape.register(Mine)\n{more}"
            ),
            "[isinstance(x, Shape) for x in (Mine(), 1, collections.OrderedDict())]",
        )
    };
    let both = "Shape.register(int)\nShape.register(collections.OrderedDict)\n";
    let one = "@Shape.register\nclass Other: pass\nShape.register(int)\n";
    let mut world = World::of(project().file("app.py", &app(1, both))).await;
    assert_eq!(world.text("/").await, "[True, True, True]");
    world.save("app.py", &app(2, one)).await.ran();
    assert_eq!(world.text("/").await, "[True, True, False]");
    world.save("app.py", &app(3, &format!("{both}1 / 0\n"))).await.failure();
    assert_eq!(world.text("/").await, "[True, True, False]");
    world.save("app.py", &app(4, one)).await.ran();
    world.save("app.py", &app(5, "")).await.ran();
    assert_eq!(world.text("/").await, "[True, False, False]");
}

#[tokio::test]
async fn effects_of_the_first_import_of_a_library_belong_to_the_library() {
    let library = "import atexit, os, shop\nshop.Shape.register(dict)\nshop.show.register(dict, lambda x: 'library')\nos.environ['LIBRARY'] = 'is here'\natexit.register(print, 'library ends')\n";
    let app = |n: u32| {
        index(
            &format!("import os, shop\nimport registers\nN = {n}"),
            "[isinstance({}, shop.Shape), shop.show({}), os.environ.get('LIBRARY')]",
        )
    };
    let project = project().top_file("libraries/registers.py", library).file("app.py", &app(1));
    let mut world = World::of(project).await;
    world.save("app.py", &app(2)).await.ran();
    assert_eq!(world.text("/").await, "[True, 'library', 'is here']");
    world.server.stop().await;
    assert!(world.server.out.whole().await.contains("library ends"));
}

/// A module that replaces a library's function by one that calls it.
fn patching(n: u32, more: &str) -> String {
    index(
        &format!(
            "import shop\nfrom shop import Client\nrest = shop.price\nshop.price = lambda x: (rest(x), {n})\nsetattr(Client, 'get', lambda self: 'mine {n}')\n{more}"
        ),
        PRICE,
    )
}

const PRICE: &str = "[shop.price(0), Client().get()]";

// A patch of another module is undone with the code that made it, with a warning.
#[tokio::test]
async fn patches_of_a_library_do_not_stack_and_go_with_the_code_that_made_them() {
    let mut world = World::of(project().file("app.py", &patching(1, ""))).await;
    assert_eq!(world.text("/").await, "[(0, 1), 'mine 1']");
    for n in 2..=3 {
        world.save("app.py", &patching(n, "")).await.ran();
    }
    assert_eq!(world.text("/").await, "[(0, 3), 'mine 3']");
    world.save("app.py", &patching(4, "1 / 0\n")).await.failure();
    assert_eq!(world.text("/").await, "[(0, 3), 'mine 3']");
    world.save("app.py", &index("import shop\nfrom shop import Client\n", PRICE)).await.ran();
    assert_eq!(world.text("/").await, "[0, 'got']");
}

#[tokio::test]
async fn patches_by_mock_at_import_are_undone_and_their_old_code_is_released() {
    let app = |n: u32, patch: &str| {
        let app = index(
            &format!("from unittest import mock\nimport gc, json, shop\nN = {n}\n{patch}"),
            "[shop.price(0), json.dumps(0)]",
        );
        format!(
            "{app}\n@route('/patches')\ndef patches(request):\n    gc.collect()\n    return str(len(mock._patch._active_patches))\n"
        )
    };
    let patch = "mock.patch('shop.price', return_value=N).start()\nmock.patch.object(json, 'dumps', lambda x: 'mine').start()\n";
    let mut world = World::of(project().file("app.py", &app(1, patch))).await;
    assert_eq!(world.text("/").await, "[1, 'mine']");
    world.save("app.py", &app(2, patch)).await.ran();
    assert_eq!(world.text("/").await, "[2, 'mine']");
    world.until("/patches", |count| count == "2").await;
    world.save("app.py", &app(3, "")).await.ran();
    assert_eq!(world.text("/").await, "[0, '0']");
    world.until("/patches", |count| count == "0").await;
}

#[tokio::test]
async fn a_patch_of_a_module_that_runs_no_more_than_once_stays_when_its_importer_runs_again() {
    let app = |n: u32| {
        index(
            &format!(
                "import shop\nfrom shop import Client\nimport _patches\nN = {n}\n\ndef never():\n    shop.price = None\n"
            ),
            PRICE,
        )
    };
    let project = project().file("app.py", &app(1)).file("_patches.py", &patching(1, ""));
    let mut world = World::of(project).await;
    assert_eq!(world.save("app.py", &app(2)).await.ran(), ["app"]);
    assert_eq!(world.text("/").await, "[(0, 1), 'mine 1']");
}

#[tokio::test]
async fn a_patch_of_a_library_is_warned_of_once() {
    let plain = index("import shop\nfrom shop import Client\n", PRICE);
    let mut world = World::of(project().file("app.py", &plain)).await;
    let reload = world.save("app.py", &patching(1, "")).await;
    let warnings = reload.0["warnings"].as_array().expect("a list");
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    let first = warnings[0].as_str().expect("a text");
    assert!(first.contains("`app` replaces `shop.price`"), "{first}");
    assert!(first.contains("call a function of your own instead"), "{first}");
    assert!(warnings[1].to_string().contains("`shop.Client.get`"));
    world.server.out.wait_for("`app` replaces `shop.price`").await;

    let reload = world.save("app.py", &patching(2, "")).await;
    assert_eq!(reload.0["warnings"], serde_json::json!([]));
}

#[tokio::test]
async fn a_patch_that_is_there_at_the_start_is_shown_under_the_banner() {
    let app = index("import time\ntime.sleep = lambda s: None\n", "time.sleep(9)");
    let server = Project::new().file("app.py", &app).dev().await;
    server.out.wait_for("`app` replaces `time.sleep`").await;
    let started = server.api("reloads").await[0].take();
    assert!(started["warnings"].to_string().contains("time.sleep"), "{started:#}");
}
