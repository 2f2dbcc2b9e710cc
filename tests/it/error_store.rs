//! The errors that dev mode stores: none is lost under traffic, and each has its state.

use serde_json::{Value, json};

use super::support::{Project, Server, in_time};

const APP: &str = r#"from snaxum import Request, route

@route("/ok")
def ok(request: Request) -> dict:
    return {"ok": True}

@route("/divide")
def divide(request: Request) -> dict:
    return {"share": 12 / 0}

@route("/find/<name>")
def find(request: Request) -> dict:
    return {"tea": 1}[request.path_params["name"]]
"#;
/// More than the list of requests stores.
const TRAFFIC: usize = 520;

async fn errors(server: &Server) -> Vec<Value> {
    server.api("errors").await.as_array().expect("a list").clone()
}

async fn saved(server: &Server, file: &str, text: &str) {
    server.edit(file, text);
    server.api("wait").await;
}

#[tokio::test]
async fn good_requests_do_not_push_out_errors() {
    let server = Project::new().file("app.py", APP).dev().await;
    for path in ["/divide", "/find/milk?size=2", "/find/salt"] {
        assert_eq!(server.get(path).await.status, 500, "{path}");
    }
    for _ in 0..TRAFFIC {
        server.get("/ok").await;
    }
    let requests = server.api("requests").await;
    let is_good = |request: &Value| request["status"] == 200;
    assert!(requests.as_array().expect("a list").iter().all(is_good), "{requests}");

    let errors = errors(&server).await;
    let of = |error: &Value| (error["error"]["type"].clone(), error["count"].clone());
    assert_eq!(
        errors.iter().map(of).collect::<Vec<_>>(),
        [(json!("KeyError"), json!(2)), (json!("ZeroDivisionError"), json!(1))]
    );
    let newest = &errors[0];
    assert_eq!((&newest["request"], &newest["path"]), (&json!("3"), &json!("/find/salt")));
    assert_eq!((&newest["state"], &newest["route"]), (&json!("open"), &json!("/find/<name>")));
    let detail = server.api(&format!("errors/{}", newest["id"])).await;
    assert_eq!(detail["traceback"]["frames"][0]["function"], "find");
    let request = server.api("requests/3").await;
    assert_eq!((&request["path"], &request["status"]), (&json!("/find/salt"), &json!(500)));
    // Only the newest request of an error is stored.
    let path = "/__snaxum/api/requests/2";
    let request = server.request(reqwest::Method::GET, path).bearer_auth(&server.token);
    assert_eq!(super::support::send(request).await.status, 404);
}

#[tokio::test]
async fn an_error_is_mended_by_the_save_after_which_it_passes_and_may_come_back() {
    let server = Project::new().file("app.py", APP).file("other.py", "X = 1\n").dev().await;
    let bearer = format!("Bearer {}", server.token);
    let path = "/__snaxum/ws?types=error.*";
    let connected = server.connect_to(path, &[("authorization", &bearer)]).await;
    let mut console = connected.expect("it is let in");
    console.next_of_type("snapshot").await;
    server.get("/divide").await;
    assert_eq!(errors(&server).await[0]["state"], "open");

    saved(&server, "other.py", "X = 2\n").await;
    server.get("/ok").await;
    assert_eq!(errors(&server).await[0]["changed_by"], Value::Null, "not its code");

    saved(&server, "app.py", &APP.replace("12 / 0", "12 / 4")).await;
    let changed = errors(&server).await[0].clone();
    assert_eq!((&changed["state"], &changed["changed_by"]), (&json!("open"), &json!(3)));
    server.get("/ok").await;
    assert_eq!(errors(&server).await[0]["state"], "open", "another route shows nothing");
    server.get("/divide").await;
    let mended = errors(&server).await[0].clone();
    assert_eq!((&mended["state"], &mended["mended_by"]), (&json!("mended"), &json!(3)));

    saved(&server, "app.py", APP).await;
    server.get("/divide").await;
    let back = errors(&server).await[0].clone();
    assert_eq!(
        (&back["state"], &back["returns"], &back["count"]),
        (&json!("open"), &json!(1), &json!(2))
    );
    assert_eq!((&back["first_generation"], &back["last_generation"]), (&json!(1), &json!(4)));

    let mut states = Vec::new();
    while states.len() < 4 {
        let error = console.next_of_type("error.state").await["error"].clone();
        states.push((error["state"].clone(), error["changed_by"].clone()));
    }
    let open = json!("open");
    let expected = [
        (open.clone(), Value::Null),
        (open.clone(), json!(3)),
        (json!("mended"), Value::Null),
        (open, Value::Null),
    ];
    assert_eq!(states, expected);
}

#[tokio::test]
async fn a_module_whose_file_has_the_same_name_mends_no_error() {
    let prices = "def price(count):\n    return 12 / count\n";
    let server = Project::new()
        .file("prices.py", "X = 1\n")
        .file("shop/__init__.py", "")
        .file("shop/prices.py", prices)
        .file(
            "app.py",
            &APP.replace("12 / 0", "price(0)")
                .replace("from", "from shop.prices import price\nfrom"),
        )
        .dev()
        .await;
    assert_eq!(server.get("/divide").await.status, 500);
    saved(&server, "prices.py", "X = 2\n").await;
    let error = errors(&server).await[0].clone();
    assert_eq!((&error["state"], &error["changed_by"]), (&json!("open"), &Value::Null), "{error}");
    saved(&server, "shop/prices.py", &prices.replace("count\n", "(count or 1)\n")).await;
    assert_eq!(errors(&server).await[0]["changed_by"], 3);
}

#[tokio::test]
async fn a_save_that_does_not_load_is_open_until_one_loads() {
    let server = Project::new().file("app.py", APP).dev().await;
    saved(&server, "app.py", &format!("{APP}def oops(:\n")).await;
    saved(&server, "app.py", &format!("{APP}def oops(:\n    pass\n")).await;
    let broken = errors(&server).await;
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!((&broken[0]["reload"], &broken[0]["count"]), (&json!(3), &json!(2)));
    assert_eq!((&broken[0]["state"], &broken[0]["modules"]), (&json!("open"), &json!(["app"])));

    saved(&server, "app.py", APP).await;
    let mended = errors(&server).await[0].clone();
    assert_eq!((&mended["state"], &mended["mended_by"]), (&json!("mended"), &json!(4)));
}

#[tokio::test]
async fn a_missing_package_is_one_error_with_the_modules_that_need_it() {
    let server = Project::new()
        .file("app.py", APP)
        .file("charts.py", "import no_such_package\n")
        .file("tables.py", "\nfrom no_such_package import frame\n")
        .file("pages.py", "import tables\n")
        .dev()
        .await;
    let missing = errors(&server).await;
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0]["error"]["type"], "ModuleNotFoundError");
    let mut modules: Vec<&str> = missing[0]["modules"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    modules.sort_unstable();
    assert_eq!(modules, ["charts", "pages", "tables"]);
}

#[tokio::test]
async fn a_console_that_connects_later_gets_the_errors() {
    let server = Project::new().file("app.py", APP).dev().await;
    server.get("/divide").await;
    in_time("the error", async { while errors(&server).await.is_empty() {} }).await;
    let bearer = format!("Bearer {}", server.token);
    let mut console = server.connect(&[("authorization", &bearer)]).await.expect("it is let in");
    let snapshot = console.next_of_type("snapshot").await;
    assert_eq!(snapshot["errors"], server.api("errors").await);
    assert_eq!(snapshot["errors"][0]["error"]["type"], "ZeroDivisionError");
}
