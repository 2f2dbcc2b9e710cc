//! Templates over HTTP. The interpreter of the tests may lack jinja2, so these bring none of their own;
//! `tests/python/test_templates.py` has the rest.

use reqwest::Method;

use crate::support::{Project, send};

const APP: &str = r#"
from snaxum import render, route

@route("/")
def home(request):
    return render("page.html", name="<Ada>")
"#;

/// Hides an installed jinja2.
const HIDDEN: &str = "import sys\nsys.modules['jinja2'] = None\n";

#[tokio::test]
async fn without_jinja2_the_error_names_the_package() {
    let project = Project::new()
        .file("a_hide.py", HIDDEN)
        .file("app.py", APP)
        .top_file("templates/page.html", "<p>{{ name }}</p>");
    let server = project.dev().await;
    let reply = send(server.request(Method::GET, "/").header("accept", "application/json")).await;
    assert_eq!(reply.status, 500);
    let problem = reply.json();
    let message = problem["traceback"]["message"].as_str().expect("a message");
    assert!(message.contains("`uv add jinja2`"), "{message}");
}

#[tokio::test]
async fn a_missing_directory_of_templates_is_an_error_at_the_start() {
    let project = Project::new().file("app.py", APP);
    let refused = project.snaxum(&["serve", "--port", "0", "--templates-dir", "pages"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("`templates-dir` is"), "{}", refused.stderr);
}
