//! A project under `snaxum dev` and a console on it: save, and see what the reload did.

use reqwest::Method;
use serde_json::Value;

use super::super::support::{Console, Project, Reply, Server, in_time};

/// A running project whose reloads are waited for.
pub(crate) struct World {
    pub(crate) server: Server,
    console: Console,
}

/// The result of a reload, as the console gets it.
pub(crate) struct Reload(pub(crate) Value);

impl World {
    /// Starts `snaxum dev` on these files below `python/`.
    pub(crate) async fn new(files: &[(&str, &str)]) -> Self {
        let project = files.iter().fold(Project::new(), |p, (name, text)| p.file(name, text));
        Self::of(project).await
    }

    pub(crate) async fn of(project: Project) -> Self {
        let server = project.dev().await;
        let console = server.console().await;
        Self { server, console }
    }

    /// Saves a file below `python/`, and gives the reload that follows.
    pub(crate) async fn save(&mut self, name: &str, text: &str) -> Reload {
        self.server.edit(name, text);
        self.reload().await
    }

    /// The next reload, whatever brought it about.
    pub(crate) async fn reload(&mut self) -> Reload {
        loop {
            let mut message = self.console.next().await;
            if matches!(message["type"].as_str(), Some("reload.ok" | "reload.fail")) {
                return Reload(message["reload"].take());
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.server.get(path).await
    }

    /// The text at `path`.
    pub(crate) async fn text(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.text().to_owned()
    }

    /// Repeats a request until the response is `right`, from either process. A connection that the old process
    /// has taken may end with it before its request was read.
    pub(crate) async fn until(&self, path: &str, right: impl Fn(&str) -> bool) {
        in_time(path, async {
            loop {
                let request =
                    self.server.request(Method::GET, path).bearer_auth(&self.server.token);
                if let Ok(response) = request.send().await
                    && right(&response.text().await.unwrap_or_default())
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub(crate) async fn status(&self) -> Value {
        self.server.api("status").await
    }
}

impl Reload {
    /// It took effect; gives the modules that ran, in order.
    #[track_caller]
    pub(crate) fn ran(&self) -> Vec<&str> {
        assert_eq!(self.0["outcome"], "ok", "{:#}", self.0);
        names(&self.0["modules"], "name")
    }

    /// Nothing ran.
    #[track_caller]
    pub(crate) fn ran_nothing(&self) {
        assert_eq!(self.0["outcome"], "noop", "{:#}", self.0);
        assert!(names(&self.0["modules"], "name").is_empty());
    }

    /// It was rejected; gives the text of the first failure.
    #[track_caller]
    pub(crate) fn failure(&self) -> &str {
        assert_eq!(self.0["outcome"], "failed", "{:#}", self.0);
        self.0["traceback"]["text"].as_str().expect("a traceback")
    }

    /// The warnings about the new code.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        let list = self.0["warnings"].as_array().expect("a list");
        list.iter().map(|text| text.as_str().expect("a text")).collect()
    }

    /// Paths in one part of the route diff.
    pub(crate) fn diff(&self, part: &str) -> Vec<&str> {
        names(&self.0["diff"][part], "path")
    }
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let list = list.as_array().expect("a list");
    list.iter().map(|item| item[key].as_str().expect("a text")).collect()
}

/// A module that returns an expression at `/`.
pub(crate) fn index(before: &str, expression: &str) -> String {
    format!(
        "from snaxum import route\n{before}\n\n@route('/')\ndef index(request):\n    return str({expression})\n"
    )
}
