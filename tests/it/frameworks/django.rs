//! A project of Django's `startproject` with its admin and a database of SQLite, as WSGI and as ASGI.

use reqwest::Method;
use serde_json::json;

use super::{change, edit, project, python, raises, route};
use crate::scenarios::world::World;
use crate::support::{Reply, send};

const VIEWS: &str = r#"
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import render

def count(request):
    return HttpResponse(f"users: {User.objects.count()}")

def page(request):
    return render(request, "page.html", {"title": "first"})

def fails(request):
    number = 41
    raise LookupError("it went wrong")
"#;

/// The value of a cookie that a response sets.
fn cookie(reply: &Reply, name: &str) -> String {
    let values = reply.headers.get_all("set-cookie").iter();
    let texts = values.map(|value| value.to_str().expect("ASCII"));
    let mut found = texts.filter_map(|text| text.strip_prefix(&format!("{name}=")));
    found.next().expect("the cookie").split(';').next().expect("a value").to_owned()
}

async fn log_in(world: &World) -> String {
    let page = world.get("/admin/login/").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let token = cookie(&page, "csrftoken");
    let body = format!("csrfmiddlewaretoken={token}&username=ann&password=secret&next=/admin/");
    let request = world.server.request(Method::POST, "/admin/login/").body(body);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let reply = send(request.header("cookie", format!("csrftoken={token}"))).await;
    assert_eq!((reply.status, reply.header("location")), (302, "/admin/"), "{}", reply.text());
    format!("sessionid={}", cookie(&reply, "sessionid"))
}

async fn admin(world: &World, path: &str, session: &str) -> String {
    let reply = send(world.server.request(Method::GET, path).header("cookie", session)).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.text().to_owned()
}

async fn run(target: &str) {
    let project = project(&[("site_views.py", VIEWS)])
        .args(&[target])
        .env("DJANGO_SUPERUSER_PASSWORD", "secret");
    python(&project, &["-m", "django", "startproject", "mysite", "."]).await;
    let user = ["createsuperuser", "--noinput", "--username", "ann", "--email", "a@example.org"];
    python(&project, &["manage.py", "migrate", "-v", "0"]).await;
    python(&project, &[&["manage.py"], &user[..]].concat()).await;
    let urls = project.path().join("mysite/urls.py");
    let text = std::fs::read_to_string(&urls).expect("startproject has made it");
    let text = text.replace("urlpatterns = [", "import site_views\n\nurlpatterns = [\n    path('count/', site_views.count),\n    path('page/', site_views.page),\n    path('raises/', site_views.fails),");
    std::fs::write(&urls, text).expect("it is ours");
    let settings = project.path().join("mysite/settings.py");
    let text = std::fs::read_to_string(&settings).expect("startproject has made it");
    let text = text.replace("'DIRS': []", "'DIRS': [BASE_DIR / 'templates']");
    std::fs::write(&settings, text).expect("it is ours");
    let project = project.top_file("templates/page.html", "<h1>{{ title }}</h1>");
    let mut world = World::of(project).await;

    // Before a request: Django itself loads its URLs with the first one.
    let row = route(&world, "/count/").await;
    assert_eq!((&row["file"], &row["line"]), (&json!("site_views.py"), &json!(6)), "{row}");
    assert_eq!(world.text("/count/").await, "users: 1");
    let session = log_in(&world).await;
    assert!(admin(&world, "/admin/", &session).await.contains("Site administration"));
    assert!(admin(&world, "/admin/auth/user/", &session).await.contains("1 user"));
    raises(&world, "/raises/", "LookupError", "site_views.py").await;

    // A view runs in the same process; the registries of Django stay.
    let pid = world.status().await["pid"].clone();
    edit(&mut world, "site_views.py", "users: ", "accounts: ").await.ran();
    assert_eq!(world.text("/count/").await, "accounts: 1");
    let row = route(&world, "/count/").await;
    assert_eq!((&row["file"], &row["line"]), (&json!("site_views.py"), &json!(6)), "{row}");
    let failure = edit(&mut world, "site_views.py", "def count", "def 1count").await;
    assert!(failure.failure().contains("SyntaxError"), "{}", failure.failure());
    assert_eq!(world.text("/count/").await, "accounts: 1");
    edit(&mut world, "site_views.py", "def 1count", "def count").await;
    let failure =
        edit(&mut world, "site_views.py", "def fails", "number = absent\n\ndef fails").await;
    assert!(failure.failure().contains("NameError"), "{}", failure.failure());
    assert_eq!(world.text("/count/").await, "accounts: 1");
    edit(&mut world, "site_views.py", "number = absent\n\n", "").await;
    edit(&mut world, "mysite/urls.py", "'page/'", "'one-page/'").await.ran();
    route(&world, "/one-page/").await;
    edit(&mut world, "mysite/urls.py", "'one-page/'", "'page/'").await.ran();
    assert!(admin(&world, "/admin/", &session).await.contains("Site administration"));
    assert_eq!(world.status().await["pid"], pid);

    // A template runs nothing, and is not that of Django's cache.
    assert!(world.text("/page/").await.contains("<h1>first</h1>"));
    change(&world, "templates/page.html", "<h1>", "<h1 class=x>");
    assert!(world.text("/page/").await.contains("<h1 class=x>first</h1>"));

    // Settings are a new process; the session is in the database.
    change(&world, "mysite/settings.py", "DEBUG = True", "DEBUG = True\nAPPEND_SLASH = False");
    world.until("/count/", |text| text == "accounts: 1").await;
    assert!(admin(&world, "/admin/", &session).await.contains("Site administration"));
}

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn a_project_of_django_with_its_admin_as_wsgi() {
    run("mysite.wsgi:application").await;
}

#[tokio::test]
#[ignore = "installs frameworks: `just test-frameworks` runs it"]
async fn a_project_of_django_with_its_admin_as_asgi() {
    run("mysite.asgi:application").await;
}
