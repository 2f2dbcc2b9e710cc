//! `snaxum routes`: the list, its order and its formats.

use serde_json::Value;

use super::support::Project;

const USERS: &str = "\
from snaxum import route

@route('/users/<int:id>', methods=['GET', 'DELETE'])
def one(request): return ''

@route('/users')
def users(request): return ''
";
const ORDERS: &str = "\
from snaxum import route

@route('/orders', methods=['POST'])
def create(request): return ''

@route('/orders/export/all')
def export(request): return ''
";

fn shop() -> Project {
    Project::new()
        .file("shop/__init__.py", "from . import orders\n")
        .file("shop/orders.py", ORDERS)
        .file(
            "shopping.py",
            "from snaxum import route\n\n@route('/')\ndef index(request): return ''\n",
        )
        .file("users.py", USERS)
}

/// Lists the paths with these arguments.
async fn paths(args: &[&str]) -> Vec<String> {
    let finished = shop().snaxum(&[&["routes", "--format", "json"], args].concat()).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    parse(&finished.stdout).iter().map(|route| path_of(route).to_owned()).collect()
}

fn parse(list: &str) -> Vec<Value> {
    serde_json::from_str(list).expect("one JSON list")
}

fn path_of(route: &Value) -> &str {
    route["path"].as_str().expect("a path")
}

#[tokio::test]
async fn filters_combine() {
    assert_eq!(paths(&["--method", "post"]).await, ["/orders"]);
    assert_eq!(paths(&["--path", "/orders/*"]).await, [""; 0]);
    assert_eq!(paths(&["--path", "/orders/**"]).await, ["/orders/export/all"]);
    assert_eq!(paths(&["-g", "^/users/"]).await, ["/users/<int:id>"]);
    assert_eq!(paths(&["--grep", "orders.exp"]).await, ["/orders/export/all"]);
    assert_eq!(paths(&["--module", "shop"]).await, ["/orders", "/orders/export/all"]);
    assert_eq!(paths(&["--method", "GET", "-g", "users", "--path", "/users"]).await, ["/users"]);
}

#[tokio::test]
async fn the_order_is_what_is_asked_for() {
    assert_eq!(
        paths(&["--sort", "path"]).await,
        ["/", "/orders", "/orders/export/all", "/users", "/users/<int:id>"]
    );
    assert_eq!(paths(&["--sort", "source", "-g", "users"]).await, ["/users/<int:id>", "/users"]);
    assert_eq!(paths(&["--sort", "method"]).await[0], "/users/<int:id>");
}

#[tokio::test]
async fn the_order_of_matching_is_the_real_one() {
    let routes =
        ["/<path:rest>", "/<x>", "/u/<x>", "/u/<int:x>", "/u/<uuid:x>", "/u/a-<x>", "/u/me", "/u"];
    let app: String = std::iter::once("from snaxum import route\n".to_owned())
        .chain(routes.iter().enumerate().map(|(number, path)| {
            format!("\n@route('{path}')\ndef h{number}(request): return '{path}'\n")
        }))
        .collect();
    let project = Project::new().file("app.py", &app);
    let listed = project.snaxum(&["routes", "--sort", "match", "--format", "json"]).await;
    let order = parse(&listed.stdout);
    let order: Vec<&str> = order.iter().map(path_of).collect();
    assert_eq!(
        order,
        ["/u", "/u/me", "/u/a-<x>", "/u/<int:x>", "/u/<uuid:x>", "/u/<x>", "/<x>", "/<path:rest>"]
    );

    // The first route wins over the others that match too.
    let server = project.dev().await;
    for (path, route) in [
        ("/u", "/u"),
        ("/u/me", "/u/me"),
        ("/u/a-1", "/u/a-<x>"),
        ("/u/1", "/u/<int:x>"),
        ("/u/other", "/u/<x>"),
        ("/o", "/<x>"),
        ("/o/1", "/<path:rest>"),
    ] {
        assert_eq!(server.get(path).await.text(), route, "{path}");
    }
    let live = ["routes", "--live", "--sort", "match", "--format", "json"];
    let live = server.project.snaxum(&live).await;
    assert_eq!(parse(&live.stdout).iter().map(path_of).collect::<Vec<_>>(), order);
}

#[tokio::test]
async fn a_running_server_lists_hit_and_unused_routes() {
    let server = shop().dev().await;
    for path in ["/users/1", "/users/2", "/", "/nowhere"] {
        server.get(path).await;
    }
    // Not saved as a change that loads: what serves is what is listed.
    server.edit("users.py", "def oops(:");
    assert_eq!(server.project.snaxum(&["wait"]).await.code, Some(1));

    let listed = server.project.snaxum(&["routes", "--live", "-g", "users"]).await;
    assert_eq!(listed.code, Some(1), "the newest save does not load: {}", listed.stderr);
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert!(lines[0].ends_with("HITS") && lines[1].ends_with("  2"), "{}", listed.stdout);
    assert!(lines[2].ends_with("  0"), "{}", listed.stdout);

    let args = ["routes", "--live", "--module", "users", "--format", "md"];
    let listed = server.project.snaxum(&args).await.stdout;
    let lines: Vec<_> = listed.lines().filter(|line| !line.starts_with("|-")).collect();
    let first = "| METHOD | PATH | HANDLER | MODE | SOURCE | HITS |";
    assert_eq!((lines[0], lines.len()), (first, 3), "only one module: {listed}");
    assert!(lines[1].ends_with("`2` |"), "{listed}");
    for option in ["--python-dir=elsewhere", "--no-inject", "--port=0"] {
        let refused = server.project.snaxum(&["routes", "--live", option]).await;
        assert_eq!((refused.code, &*refused.stdout), (Some(2), ""), "{option}");
        assert!(refused.stderr.contains("remove all server options"), "{}", refused.stderr);
    }

    let unused = server.project.snaxum(&["routes", "--unused", "--format", "json"]).await;
    let unused = parse(&unused.stdout);
    let paths: Vec<_> = unused.iter().map(|route| (&route["path"], &route["hits"])).collect();
    let zero = &Value::from(0);
    let expected = ["/orders", "/orders/export/all", "/users"].map(Value::from);
    assert_eq!(paths, expected.iter().map(|path| (path, zero)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_running_server_shows_the_diff_of_two_generations() {
    let server = shop().dev().await;
    for (name, source) in [
        ("users.py", USERS.replace("'/users'", "'/all_users'")),
        ("shopping.py", "def oops(:".to_owned()),
        ("shopping.py", "x = 1\n".to_owned()),
    ] {
        server.edit(name, &source);
        server.project.snaxum(&["wait"]).await;
    }
    let diff = async |text: &str| server.project.snaxum(&["routes", "--diff", text]).await;

    let first = diff("v1..v2").await;
    assert_eq!(
        (first.code, &*first.stdout),
        (Some(0), "+ GET /all_users  users.users\n- GET /users  users.users\n"),
    );
    let all = diff("v1..v3").await;
    assert_eq!(
        all.stdout,
        "- GET /  shopping.index\n+ GET /all_users  users.users\n- GET /users  users.users\n"
    );
    let unknown = diff("v1..v4").await;
    assert_eq!((unknown.code, &*unknown.stdout), (Some(2), ""));
    assert!(unknown.stderr.contains("v1 to v3"), "{}", unknown.stderr);
    assert_eq!(shop().snaxum(&["routes", "--diff", "v1..v2"]).await.code, Some(2), "no server");
}

#[tokio::test]
async fn without_a_server_nothing_is_known_of_hits() {
    for args in
        [&["--unused"][..], &["--live"], &["--offline", "--unused"], &["--live", "--match", "/"]]
    {
        let finished = shop().snaxum(&[&["routes"], args].concat()).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(2), ""), "{args:?}");
        assert!(!finished.stderr.is_empty());
    }
    let unused = shop().snaxum(&["routes", "--unused"]).await;
    assert!(unused.stderr.contains("snaxum dev"), "{}", unused.stderr);
    assert_eq!(shop().snaxum(&["routes", "--offline"]).await.code, Some(0));
}

#[tokio::test]
async fn wide_has_ids_docstrings_and_warnings() {
    let app = "from snaxum import route\n\n@route('/a/{id}')\ndef a(request):\n    \"\"\"Return a.\n\n    \
               More.\n    \"\"\"\n    return ''\n";
    let listed = Project::new().file("app.py", app).snaxum(&["routes", "--format", "wide"]).await;
    let lines: Vec<_> = listed.stdout.lines().collect();
    assert!(lines[0].contains("SOURCE") && lines[0].ends_with("WARNINGS"), "{}", lines[0]);
    assert!(lines[1].contains("  r_") && lines[1].contains("  Return a.  "), "{}", lines[1]);
    assert!(lines[1].contains("is plain text here"), "{}", lines[1]);
}

#[tokio::test]
async fn implied_methods_are_listed_when_they_are_asked_for() {
    let listed = shop().snaxum(&["routes", "--all-methods", "--method", "head"]).await.stdout;
    assert!(listed.contains("DELETE,GET,HEAD,OPTIONS  /users/<int:id>"), "{listed}");
    assert!(!listed.contains("create"), "{listed}");
}

#[tokio::test]
async fn a_filter_that_cannot_be_read_is_bad_usage() {
    for args in [["--grep", "("], ["--path", "[a"]] {
        let finished = shop().snaxum(&[&["routes"], &args[..]].concat()).await;
        assert_eq!(finished.code, Some(2), "{args:?}");
        assert!(finished.stderr.contains(args[1]), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_table_that_differs_from_the_baseline_is_shown_as_a_diff_and_exits_with_1() {
    let project = shop();
    let saved = project.path().join("routes.json").display().to_string();
    let list = project.snaxum(&["routes", "--format", "json"]).await.stdout;
    std::fs::write(&saved, list).expect("it is ours");
    let same = project.snaxum(&["routes", "--check", &saved]).await;
    assert_eq!((same.code, &*same.stdout, &*same.stderr), (Some(0), "", ""));

    let moved = format!("\n\n{}", USERS.replace("methods=['GET', 'DELETE']", "methods=['GET']"));
    let project =
        project.file("users.py", &moved.replace("def users", "async def all_users")).file(
            "carts.py",
            "from snaxum import route\n\n@route('/cart')\ndef cart(request): return ''\n",
        );
    let other = project.snaxum(&["routes", "--check", &saved]).await;
    assert_eq!(other.code, Some(1));
    assert_eq!(
        other.stderr.lines().collect::<Vec<_>>(),
        [
            "- DELETE /users/<int:id>  users.one",
            "+ GET /cart  carts.cart",
            "~ GET /users  users.users (in-thread) is now users.all_users (async)",
        ]
    );

    let finished = project.snaxum(&["routes", "--diff", &saved]).await;
    assert_eq!((finished.code, finished.stdout, &*finished.stderr), (Some(0), other.stderr, ""));
    let both = project.snaxum(&["routes", "--diff", &saved, "--check", &saved]).await;
    assert_eq!(both.code, Some(2), "one or the other");

    std::fs::write(&saved, "[{}]").expect("it is ours");
    let bad = project.snaxum(&["routes", "--check", &saved]).await;
    assert_eq!(bad.code, Some(2));
    assert!(bad.stderr.contains("routes.json") && bad.stderr.contains("--format json"));
}

#[tokio::test]
async fn strict_ends_with_3_where_something_is_odd() {
    let code = async |source: &str, args: &[&str]| {
        let project = Project::new().file("app.py", source);
        project.snaxum(&[&["routes"], args].concat()).await.code
    };
    let odd = "from snaxum import route\n\n@route('/a/{id}')\ndef a(request): return ''\n";
    assert_eq!(code(odd, &[]).await, Some(0));
    assert_eq!(code(odd, &["--strict"]).await, Some(3));
    assert_eq!(code("def oops(:", &[]).await, Some(1));
    assert_eq!(code("def oops(:", &["--strict"]).await, Some(3));
    assert_eq!(code(USERS, &["--strict"]).await, Some(0));
}

#[tokio::test]
async fn a_match_shows_the_route_and_the_near_misses() {
    let project = shop();
    let find = async |request: &str, format: &str| {
        project.snaxum(&["routes", "--match", request, "--format", format]).await
    };

    let found = find("delete /users/07?x=1", "table").await;
    assert_eq!((found.code, &*found.stderr), (Some(0), ""));
    assert_eq!(
        found.stdout,
        "DELETE /users/07\n  DELETE,GET /users/<int:id>  users.one (in-thread)\n    id = 7  (int)\n\
         \nnear misses\n  GET /users  users.users: is too short: ends before `/07`, and accepts only GET\n"
    );

    let refused = find("/users/%61da", "json").await;
    assert_eq!((refused.code, &*refused.stderr), (Some(1), ""));
    let lookup: Value = serde_json::from_str(&refused.stdout).expect("JSON alone");
    assert_eq!((&lookup["status"], &lookup["route"]), (&404.into(), &Value::Null));
    assert_eq!(lookup["near_misses"][0]["path"], "/users/<int:id>");
    assert_eq!(lookup["near_misses"][0]["reason"], "has `<int>` where the path has `ada`");

    let other_method = find("GET /orders", "table").await;
    assert_eq!(other_method.code, Some(1));
    assert!(other_method.stdout.contains("405: the path allows OPTIONS, POST"));
    assert!(other_method.stdout.contains("POST /orders  shop.orders.create: accepts only POST"));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_bad_usage() {
    let usage = [
        &["--match", "orders"][..],
        &["--match", "GET orders"],
        &["--match", "/", "--sort", "path"],
        &["--match", "/", "--format", "md"],
    ];
    for args in usage {
        let finished = shop().snaxum(&[&["routes"], args].concat()).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(2), ""), "{args:?}");
    }
}

#[tokio::test]
async fn a_request_is_matched_with_the_routes_that_did_load() {
    let project = shop().file("oops.py", "def oops(:");
    let finished = project.snaxum(&["routes", "--match", "/users"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("users.users"), "{}", finished.stdout);
    assert!(finished.stderr.contains("oops"), "{}", finished.stderr);
}
