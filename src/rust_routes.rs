//! A router of axum that records its routes, so that the route table has the handlers in Rust, too.
//!
//! Records method, path, handler and place when the router is made. A request passes through axum's own
//! router and nothing else.

mod definition;
mod lookup;

use std::panic::Location;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

use crate::message::{ANY_METHOD, Param, RUST, RouteInfo};
use crate::python_runtime::PythonRuntime;

use definition::Definition;

pub(crate) use definition::source;
pub(crate) use lookup::{explain, is_catch_all};

/// Routes whose handlers are in Rust, for one router.
///
/// ```no_run
/// use axum::{routing::any, Router};
/// use snaxum::prelude::*;
/// use std::sync::Arc;
///
/// async fn hello() -> &'static str {
///     "hello from Rust"
/// }
///
/// fn app(runtime: Arc<PythonRuntime>) -> Router {
///     Router::new()
///         .merge(RustRoutes::new().get("/rust/hello", hello).router(&runtime))
///         .route("/python/{*path}", any(handle_python_request))
///         .with_state(runtime)
/// }
/// ```
#[derive(Debug)]
#[must_use = "call `router` to serve them"]
pub struct RustRoutes<S = ()> {
    router: Router<S>,
    routes: Vec<RustRoute>,
}

/// A route, as it was registered.
#[derive(Clone, Debug)]
struct RustRoute {
    method: &'static str,
    path: String,
    /// The full name of the type of the handler.
    handler: &'static str,
    place: &'static Location<'static>,
}

impl<S: Clone + Send + Sync + 'static> Default for RustRoutes<S> {
    fn default() -> Self {
        Self { router: Router::new(), routes: Vec::new() }
    }
}

macro_rules! methods {
    ($($name:ident $method:literal)*) => {
        $(
            #[doc = concat!("Adds a route for ", $method, ".")]
            ///
            /// # Panics
            ///
            /// As `Router::route`: the path is not valid, or has the method already.
            #[track_caller]
            pub fn $name<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> Self {
                self.add($method, path, Location::caller(), std::any::type_name::<H>(), routing::$name(handler))
            }
        )*
    };
}

impl<S: Clone + Send + Sync + 'static> RustRoutes<S> {
    /// Has no routes.
    pub fn new() -> Self {
        Self::default()
    }

    methods! {
        get "GET" post "POST" put "PUT" patch "PATCH" delete "DELETE" options "OPTIONS" head "HEAD"
        trace "TRACE" connect "CONNECT"
    }

    /// Adds a route for all methods.
    ///
    /// # Panics
    ///
    /// As `Router::route`: the path is not valid, or has a route already.
    #[track_caller]
    pub fn any<H: Handler<T, S>, T: 'static>(self, path: &str, handler: H) -> Self {
        let name = std::any::type_name::<H>();
        self.add(ANY_METHOD, path, Location::caller(), name, routing::any(handler))
    }

    /// Adds the routes of another table.
    pub fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.routes.extend(other.routes);
        self
    }

    /// Adds the routes of another table below `prefix`, as `Router::nest` does.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.router = self.router.nest(prefix, other.router);
        let prefix = prefix.trim_end_matches('/');
        self.routes.extend(other.routes.into_iter().map(|route| {
            let rest = if route.path == "/" { "" } else { &route.path };
            RustRoute { path: format!("{prefix}{rest}"), ..route }
        }));
        self
    }

    /// Changes the router with the routes so far, for example by a layer.
    pub fn map(mut self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = change(self.router);
        self
    }

    /// Returns the router, after the routes were added to the route table of `runtime`.
    pub fn router(self, runtime: &PythonRuntime) -> Router<S> {
        runtime.add_rust_routes(&self.describe(runtime));
        self.router
    }

    fn add(
        mut self,
        method: &'static str,
        path: &str,
        place: &'static Location<'static>,
        handler: &'static str,
        serving: MethodRouter<S>,
    ) -> Self {
        self.router = self.router.route(path, serving);
        self.routes.push(RustRoute { method, path: path.to_owned(), handler, place });
        self
    }

    fn describe(&self, runtime: &PythonRuntime) -> Vec<RouteInfo> {
        let config = runtime.config();
        let describe = |route: &RustRoute| {
            let RustRoute { method, path, handler, place } = route;
            // A server in production reads no sources.
            let found = config.dev.then(|| Definition::find(handler, place, &config.project_dir));
            let place = Definition {
                file: place.file().to_owned(),
                line: place.line(),
                ..Definition::default()
            };
            let Definition { file, line, end_line, doc } = found.unwrap_or(place);
            RouteInfo {
                v: 1,
                id: format!("rust:{method}:{path}"),
                methods: vec![(*method).to_owned()],
                path: path.clone(),
                pattern: path.clone(),
                params: params(path),
                handler: without_crate(handler).to_owned(),
                module: handler.rsplit_once("::").map_or("", |(module, _)| module).to_owned(),
                file,
                line,
                end_line: end_line.max(line),
                doc,
                pool: false,
                is_async: true,
                mode: RUST.to_owned(),
                language: RUST.to_owned(),
                batch: None,
                workers: None,
                via: Vec::new(),
                no_capture: false,
                warnings: Vec::new(),
                generation: runtime.serving().generation,
            }
        };
        self.routes.iter().map(describe).collect()
    }
}

/// The name of a handler in a module without the name of its crate.
fn without_crate(handler: &str) -> &str {
    let path = handler.split('<').next().unwrap_or_default();
    match handler.split_once("::") {
        Some((_, rest)) if path.matches("::").count() > 1 => rest,
        _ => handler,
    }
}

/// The parameters of a path in axum's form: `{id}`, `{*rest}`.
fn params(path: &str) -> Vec<Param> {
    let segments = path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        (!name.starts_with('{')).then_some(name)
    });
    let param = |name: &str| match name.strip_prefix('*') {
        Some(rest) => Param { name: rest.to_owned(), kind: "path".to_owned() },
        None => Param { name: name.to_owned(), kind: "string".to_owned() },
    };
    segments.map(param).collect()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn hello() -> &'static str {
        "hello"
    }

    fn rows(routes: &RustRoutes) -> Vec<(&str, &str, &str)> {
        routes.routes.iter().map(|route| (route.method, &*route.path, route.handler)).collect()
    }

    #[tokio::test]
    async fn each_route_is_recorded_with_its_handler_and_served_by_axum() {
        let routes = RustRoutes::new().get("/hello", hello).post("/hello", hello);
        let line = line!() - 1;
        let handler = concat!(module_path!(), "::hello");
        assert_eq!(rows(&routes), [("GET", "/hello", handler), ("POST", "/hello", handler)]);
        assert_eq!((routes.routes[0].place.file(), routes.routes[0].place.line()), (file!(), line));
        for (method, status) in [
            ("GET", StatusCode::OK),
            ("POST", StatusCode::OK),
            ("PUT", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let request = Request::builder().method(method).uri("/hello").body(Body::empty());
            let response = routes.router.clone().oneshot(request.expect("a request")).await;
            assert_eq!(response.expect("never fails").status(), status, "{method}");
        }
    }

    #[tokio::test]
    async fn a_nested_table_has_its_prefix() {
        let inner = RustRoutes::new().get("/", hello).any("/{id}/{*rest}", hello);
        let routes =
            RustRoutes::new().nest("/api", inner).merge(RustRoutes::new().get("/b", hello));
        let paths: Vec<_> =
            rows(&routes).into_iter().map(|(method, path, _)| (method, path)).collect();
        assert_eq!(paths, [("GET", "/api"), ("ANY", "/api/{id}/{*rest}"), ("GET", "/b")]);
        for path in ["/api", "/api/1/2/3", "/b"] {
            let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
            let response = routes.router.clone().oneshot(request).await.expect("never fails");
            assert_eq!(response.status(), StatusCode::OK, "{path}");
        }
    }

    #[test]
    fn the_crate_is_left_out_of_a_name_that_has_a_module() {
        assert_eq!(without_crate("shop::orders::list"), "orders::list");
        assert_eq!(without_crate("shop::orders::list<a::b>"), "orders::list<a::b>");
        assert_eq!(without_crate("shop::hello"), "shop::hello");
        assert_eq!(without_crate("shop::hello<a::b>"), "shop::hello<a::b>");
    }

    #[test]
    fn the_parameters_of_a_path_have_their_kinds() {
        let names = |path: &str| -> Vec<_> {
            params(path).into_iter().map(|param| (param.name, param.kind)).collect()
        };
        let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        assert_eq!(names("/a/{id}/b/{*rest}"), [pair("id", "string"), pair("rest", "path")]);
        assert_eq!(names("/a/{{id}}"), []);
    }
}
