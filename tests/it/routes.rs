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
