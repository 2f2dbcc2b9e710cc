//! `snaxum routes`: what is listed, in which order and in which form.

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

/// The paths that are listed with these arguments, as NDJSON has them.
async fn paths(args: &[&str]) -> Vec<String> {
    let finished = shop().snaxum(&[&["routes", "--format", "ndjson"], args].concat()).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let path = |line: &str| {
        let route: Value = serde_json::from_str(line).expect("one object a line");
        route["path"].as_str().expect("a path").to_owned()
    };
    finished.stdout.lines().map(path).collect()
}

#[tokio::test]
async fn filters_combine() {
    assert_eq!(paths(&["--method", "post"]).await, ["/orders"]);
    assert_eq!(paths(&["--path", "/orders/*"]).await, [""; 0]);
    assert_eq!(paths(&["--path", "/orders/**"]).await, ["/orders/export/all"]);
    assert_eq!(paths(&["-g", "^/users/"]).await, ["/users/<int:id>"]);
    assert_eq!(paths(&["--grep", "orders.exp"]).await, ["/orders/export/all"]);
    assert_eq!(paths(&["--module", "shop"]).await, ["/orders", "/orders/export/all"]);
    assert_eq!(
        paths(&["--module", "shop", "--except-path", "/orders"]).await,
        ["/orders/export/all"],
        "`--module` loads nothing else"
    );
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
async fn implied_methods_are_listed_when_they_are_asked_for() {
    let listed = shop().snaxum(&["routes", "--all-methods", "--method", "head"]).await.stdout;
    assert!(listed.contains("DELETE,GET,HEAD,OPTIONS  /users/<int:id>"), "{listed}");
    assert!(!listed.contains("create"), "{listed}");
}

#[tokio::test]
async fn as_csv_a_cell_with_a_comma_is_one_cell() {
    let listed = shop().snaxum(&["routes", "--format", "csv", "-g", "<int:id>"]).await.stdout;
    assert_eq!(
        listed,
        "METHOD,PATH,HANDLER,MODE,SOURCE\r\n\
         \"DELETE,GET\",/users/<int:id>,users.one,in-thread,python/users.py:3\r\n"
    );
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
async fn a_list_that_differs_from_the_saved_one_is_told_how_and_ends_with_1() {
    let project = shop();
    let saved = project.path().join("routes.json").display().to_string();
    let list = project.snaxum(&["routes", "--format", "json"]).await.stdout;
    std::fs::write(&saved, list).expect("it is ours");
    let same = project.snaxum(&["routes", "--check", &saved]).await;
    assert_eq!((same.code, &*same.stdout, &*same.stderr), (Some(0), "", ""));

    let moved = format!("\n\n{}", USERS.replace("methods=['GET', 'DELETE']", "methods=['GET']"));
    let project =
        project.file("users.py", &moved.replace("def users", "async def everybody")).file(
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
            "~ GET /users  users.users (in-thread) is now users.everybody (async)",
        ]
    );

    let told = project.snaxum(&["routes", "--diff", &saved]).await;
    assert_eq!((told.code, told.stdout, &*told.stderr), (Some(0), other.stderr, ""));
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
async fn a_request_is_told_its_route_and_those_that_nearly_have_it() {
    let project = shop();
    let asked = async |request: &str, format: &str| {
        project.snaxum(&["routes", "--match", request, "--format", format]).await
    };

    let found = asked("delete /users/07?x=1", "table").await;
    assert_eq!((found.code, &*found.stderr), (Some(0), ""));
    assert_eq!(
        found.stdout,
        "DELETE /users/07\n  DELETE,GET /users/<int:id>  users.one (in-thread)\n    id = 7  (int)\n\
         \nnear it\n  GET /users  users.users: is too short: ends before `/07`, and answers only GET\n"
    );

    let refused = asked("/users/%61da", "json").await;
    assert_eq!((refused.code, &*refused.stderr), (Some(1), ""));
    let told: Value = serde_json::from_str(&refused.stdout).expect("JSON alone");
    assert_eq!((&told["status"], &told["answer"]), (&404.into(), &Value::Null));
    assert_eq!(told["misses"][0]["path"], "/users/<int:id>");
    assert_eq!(told["misses"][0]["why"], "takes no `ada` where it has `<int>`");

    let other_method = asked("GET /orders", "table").await;
    assert_eq!(other_method.code, Some(1));
    assert!(other_method.stdout.contains("405: the path answers OPTIONS, POST"));
    assert!(other_method.stdout.contains("POST /orders  shop.orders.create: answers only POST"));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_bad_usage() {
    let usage = [
        &["--match", "orders"][..],
        &["--match", "GET orders"],
        &["--match", "/", "--sort", "path"],
        &["--match", "/", "--format", "csv"],
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
