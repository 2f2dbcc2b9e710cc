//! Names a place in an operation: a parameter, or a path in the body or in a response.

/// A place in an operation.
#[derive(Clone)]
pub(super) struct Place {
    root: Root,
    /// Such as `.items[].price`.
    path: String,
}

#[derive(Clone)]
enum Root {
    Operation,
    /// `query`, `path`, `header` or `cookie`, and the name.
    Parameter(String, String),
    Body,
    /// The status.
    Response(String),
    /// The status, and the name.
    Header(String, String),
}

impl Place {
    pub(super) fn operation() -> Self {
        Self::root(Root::Operation)
    }

    pub(super) fn parameter(location: &str, name: &str) -> Self {
        Self::root(Root::Parameter(location.to_owned(), name.to_owned()))
    }

    pub(super) fn body() -> Self {
        Self::root(Root::Body)
    }

    pub(super) fn response(status: &str) -> Self {
        Self::root(Root::Response(status.to_owned()))
    }

    pub(super) fn header(status: &str, name: &str) -> Self {
        Self::root(Root::Header(status.to_owned(), name.to_owned()))
    }

    fn root(root: Root) -> Self {
        Self { root, path: String::new() }
    }

    /// A field of the object here.
    pub(super) fn field(&self, name: &str) -> Self {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '@');
        if !name.is_empty() && name.chars().all(is_plain) {
            self.with(&format!(".{name}"))
        } else {
            self.with(&format!("[{name:?}]"))
        }
    }

    /// Each field of the object here that has no name of its own.
    pub(super) fn other_fields(&self) -> Self {
        self.with(".*")
    }

    /// Each item of the list here.
    pub(super) fn items(&self) -> Self {
        self.with("[]")
    }

    /// One item of the tuple here.
    pub(super) fn item(&self, index: usize) -> Self {
        self.with(&format!("[{index}]"))
    }

    fn with(&self, step: &str) -> Self {
        Self { root: self.root.clone(), path: format!("{}{step}", self.path) }
    }

    /// For programs: `query.limit`, `body.items[].price`.
    pub(super) fn name(&self) -> String {
        let root = match &self.root {
            Root::Operation => String::new(),
            Root::Parameter(location, name) => format!("{location}.{name}"),
            Root::Body => "body".to_owned(),
            Root::Response(status) => format!("response.{status}"),
            Root::Header(status, name) => format!("response.{status}.header.{name}"),
        };
        root + &self.path
    }

    /// For people, as the subject of a sentence.
    pub(super) fn subject(&self) -> String {
        let root = match &self.root {
            Root::Operation => String::new(),
            Root::Parameter(location, name) => format!("{location} parameter `{name}`"),
            Root::Body => "the body".to_owned(),
            Root::Response(status) => format!("response {status}"),
            Root::Header(status, name) => format!("header `{name}` of response {status}"),
        };
        match self.path.strip_prefix('.') {
            _ if self.path.is_empty() => root,
            Some(field) => format!("field `{field}` of {root}"),
            None => format!("item `{}` of {root}", self.path),
        }
    }
}
