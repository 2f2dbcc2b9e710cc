//! The pages that are rendered here: templates from the binary, escaped throughout.
//!
//! Owns the template engine; knows nothing of requests.

use std::sync::OnceLock;

use minijinja::{Environment, context};
use rust_embed::Embed;

use crate::message::Traceback;

#[derive(Embed)]
#[folder = "templates"]
#[include = "*.html"]
struct Templates;

/// Renders the error page; a traceback is shown if it is passed.
pub(crate) fn error(
    status: u16,
    title: &str,
    detail: &str,
    traceback: Option<&Traceback>,
) -> String {
    render(
        "error.html",
        context! { status, title, detail, traceback => minijinja::value::Serde(traceback) },
    )
}

/// Renders a template of `templates/`.
pub(crate) fn render(name: &str, context: minijinja::Value) -> String {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        for name in Templates::iter() {
            let file = Templates::get(&name).expect("the name came from the same list");
            let text = String::from_utf8_lossy(&file.data).into_owned();
            environment
                .add_template_owned(name.into_owned(), text)
                .expect("the templates are tested");
        }
        environment
    });
    environment
        .get_template(name)
        .and_then(|template| template.render(context))
        .expect("the templates are tested")
}
