//! Finds the route of a usual request without Python: the path is all text, or ends with its one
//! parameter, or the project has nothing but mounted applications.
//!
//! Python hands the routes over when a generation serves; no route is known before. `snaxum.routing` finds
//! all routes, and each of these in the same way: `None` leaves a request to it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::message::{Head, HeadKind};

/// More digits may not fit into an `i64`.
const MAX_DIGITS: usize = 18;

/// The index of the serving generation, if it has one.
pub(super) type ServingIndex = Arc<ArcSwapOption<PathIndex>>;
/// By method, the names of the parameters, the id, and the object that Python calls the route by.
type RowRoutes = Vec<(String, Vec<Py<PyString>>, String, Py<PyAny>)>;
/// A path that is all text.
pub(super) type TextRow = (String, RowRoutes);
/// The converter of the last segment, and the routes behind it.
type RowBranch = (String, RowRoutes);
/// The text before the last slash, the texts after it that are other routes', and the branches in order.
pub(super) type EndRow = (String, HashSet<String>, Vec<RowBranch>);

/// The prefix of an application, whether it is one of ASGI, the id of its route, and the object that Python
/// calls it by.
pub(super) type ApplicationRow = (String, bool, String, Py<PyAny>);

/// The routes that are found here.
pub(super) struct PathIndex {
    /// Makes the request of the handler.
    request: Py<PyAny>,
    /// The applications of a project that has no other routes, longest prefix first.
    applications: Vec<IndexedApplication>,
    texts: HashMap<String, Vec<IndexedRoute>>,
    ends: HashMap<String, LastSegment>,
}

/// An application of an index.
#[derive(Clone, Copy)]
pub(super) struct ApplicationPlace {
    number: usize,
    /// Whether it runs on the loop.
    pub(super) is_asgi: bool,
}

struct IndexedApplication {
    prefix: String,
    is_asgi: bool,
    id: Arc<str>,
    target: Py<PyAny>,
}

/// A route that is found here.
pub(super) struct IndexedRoute {
    method: String,
    /// The name of its parameter.
    name: Option<Py<PyString>>,
    pub(super) id: Arc<str>,
    /// The object that Python calls it by.
    pub(super) target: Py<PyAny>,
}

struct LastSegment {
    /// Texts are tried first, by Python.
    texts: HashSet<String>,
    branches: Vec<(Converter, Vec<IndexedRoute>)>,
}

/// The value of the parameter of a path.
enum EndValue<'p> {
    Number(i64),
    Text(&'p str),
}

#[derive(Clone, Copy)]
enum Converter {
    Int,
    String,
    /// Only Python knows what it matches.
    Other,
}

impl PathIndex {
    pub(super) fn new(
        request: Py<PyAny>,
        texts: Vec<TextRow>,
        ends: Vec<EndRow>,
        applications: Vec<ApplicationRow>,
    ) -> Self {
        let texts = texts.into_iter().map(|(path, routes)| (path, indexed(routes))).collect();
        let ends = ends.into_iter().map(|(start, texts, branches)| {
            let branches = branches.into_iter().map(|(converter, routes)| {
                let converter = match &*converter {
                    "int" => Converter::Int,
                    "string" => Converter::String,
                    _ => Converter::Other,
                };
                (converter, indexed(routes))
            });
            (start, LastSegment { texts, branches: branches.collect() })
        });
        let applications = applications.into_iter().map(|(prefix, is_asgi, id, target)| {
            IndexedApplication { prefix, is_asgi, id: id.into(), target }
        });
        Self { request, applications: applications.collect(), texts, ends: ends.collect() }
    }

    /// Returns the values of the parameters, and the route.
    pub(super) fn find<'py>(
        &self,
        py: Python<'py>,
        head: &Head,
    ) -> PyResult<Option<(Bound<'py, PyDict>, &IndexedRoute)>> {
        let path = head.path();
        let Some((value, route)) = self.locate(head.method(), &path) else { return Ok(None) };
        let params = PyDict::new(py);
        match (&route.name, value) {
            (Some(name), Some(EndValue::Number(number))) => params.set_item(name, number)?,
            (Some(name), Some(EndValue::Text(text))) => params.set_item(name, text)?,
            _ => {}
        }
        Ok(Some((params, route)))
    }

    fn locate<'p>(
        &self,
        method: &str,
        path: &'p str,
    ) -> Option<(Option<EndValue<'p>>, &IndexedRoute)> {
        let of_method =
            |routes: &'_ [IndexedRoute]| routes.iter().position(|route| route.method == method);
        if let Some(routes) = self.texts.get(path) {
            return Some((None, &routes[of_method(routes)?]));
        }
        let (start, last) = path.rsplit_once('/')?;
        let LastSegment { texts, branches } = self.ends.get(start)?;
        if texts.contains(last) {
            return None;
        }
        for (converter, routes) in branches {
            let value = match converter {
                Converter::Int if last.bytes().all(|byte| byte.is_ascii_digit()) => {
                    let number = last.parse().ok().filter(|_| last.len() <= MAX_DIGITS);
                    EndValue::Number(number?)
                }
                // Digits of other scripts are digits, too.
                Converter::Int if last.is_ascii() => continue,
                Converter::String if !last.is_empty() => EndValue::Text(last),
                Converter::String => continue,
                Converter::Int | Converter::Other => return None,
            };
            return Some((Some(value), &routes[of_method(routes)?]));
        }
        None
    }

    /// Returns the id of the route of a request, if it is found here.
    pub(super) fn route_id(&self, head: &Head) -> Option<Arc<str>> {
        if let Some(place) = self.application(head) {
            return Some(Arc::clone(&self.applications[place.number].id));
        }
        if head.kind() != HeadKind::Http {
            return None;
        }
        self.locate(head.method(), &head.path()).map(|(_, route)| Arc::clone(&route.id))
    }

    /// Returns the application of a request, unless another route may have its path.
    pub(super) fn application(&self, head: &Head) -> Option<ApplicationPlace> {
        if self.applications.is_empty() || head.kind() != HeadKind::Http {
            return None;
        }
        let path = head.raw_path();
        let is_below = |prefix: &str| {
            let rest = path.strip_prefix(prefix).filter(|_| !path.starts_with("//"));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // The prefix is compared with the decoded path.
        let is_plain = !path.contains('%');
        let number = self.applications.iter().position(|found| match found.prefix.is_empty() {
            true => path.starts_with('/'),
            false => is_plain && is_below(&found.prefix),
        })?;
        // A path that is not plain may be below a longer prefix.
        let is_certain = self.applications.len() == 1 || is_plain && !path.starts_with("//");
        let is_asgi = self.applications[number].is_asgi;
        is_certain.then_some(ApplicationPlace { number, is_asgi })
    }

    /// The object of an application.
    pub(super) fn target<'py>(
        &self,
        py: Python<'py>,
        place: ApplicationPlace,
    ) -> Bound<'py, PyAny> {
        self.applications[place.number].target.bind(py).clone()
    }

    /// The class of requests, which takes an exchange and the values of the parameters.
    pub(super) fn request<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.request.bind(py)
    }
}

fn indexed(routes: RowRoutes) -> Vec<IndexedRoute> {
    let route = |(method, names, id, target): (_, Vec<_>, String, _)| IndexedRoute {
        method,
        name: names.into_iter().next(),
        id: id.into(),
        target,
    };
    routes.into_iter().map(route).collect()
}
