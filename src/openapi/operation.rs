//! Compares operations: their parameters, bodies, responses and credentials.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::change::{ChangeKind, Comparison, Effect};
use super::direction::Direction;
use super::document::{Document, Operation, WEBSOCKET, path_parameters, shape_of_path};
use super::field_diff::{compare_deprecated, compare_required};
use super::operation_place::Place;
use super::schema_diff::SchemaDiff;
use super::security;

/// Headers that OpenAPI describes elsewhere; a parameter with such a name has no meaning.
const OTHER_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// Lists the changes of each effect in the order of the paths.
pub(super) fn compare(before: &Document, now: &Document) -> Comparison {
    let (was, is) = (before.operations(), now.operations());
    let pairs = pair_up(&was, &is);
    let mut diff = OperationDiff { before, now, schemas: SchemaDiff::new(before, now) };
    let paired: BTreeSet<usize> = pairs.values().copied().collect();
    for (index, operation) in was.iter().enumerate() {
        diff.name(operation);
        match pairs.get(&index) {
            Some(&other) => {
                diff.name(&is[other]);
                diff.compare(operation, &is[other]);
            }
            None => {
                let words = match has_path(&is, operation.path) {
                    true => format!("the path no longer allows {}", shown(&operation.method)),
                    false => "the path no longer exists".to_owned(),
                };
                diff.add(ChangeKind::OperationRemoved, Effect::Breaking, &words);
            }
        }
    }
    for (index, operation) in is.iter().enumerate() {
        if !paired.contains(&index) {
            let words = match has_path(&was, operation.path) {
                true => format!("the path also allows {} now", shown(&operation.method)),
                false => "the path is new".to_owned(),
            };
            diff.name(operation);
            diff.add(ChangeKind::OperationAdded, Effect::Compatible, &words);
        }
    }
    diff.schemas.changes.finish()
}

fn shown(method: &str) -> &str {
    if method == WEBSOCKET { "WebSockets" } else { method }
}

fn has_path(operations: &[Operation<'_>], path: &str) -> bool {
    operations.iter().any(|other| shape_of_path(other.path) == shape_of_path(path))
}

/// Finds each operation in the other document: by its path, or by its path with other names of
/// parameters, if that is unique in both.
fn pair_up(before: &[Operation<'_>], now: &[Operation<'_>]) -> HashMap<usize, usize> {
    let mut pairs = HashMap::new();
    let mut free: BTreeSet<usize> = (0..now.len()).collect();
    let exact: HashMap<_, _> =
        now.iter().enumerate().map(|(index, it)| ((&*it.method, it.path), index)).collect();
    for (index, operation) in before.iter().enumerate() {
        if let Some(&other) = exact.get(&(&*operation.method, operation.path)) {
            pairs.insert(index, other);
            free.remove(&other);
        }
    }
    let unpaired = (0..before.len()).filter(|index| !pairs.contains_key(index)).collect();
    let (left, right) = (by_shape(before, unpaired), by_shape(now, free));
    for (shape, indexes) in left {
        if let (&[one], Some(&[other])) = (&*indexes, right.get(&shape).map(Vec::as_slice)) {
            pairs.insert(one, other);
        }
    }
    pairs
}

/// Groups some of the operations by method and path, without the names of parameters.
fn by_shape(
    operations: &[Operation<'_>],
    indexes: BTreeSet<usize>,
) -> BTreeMap<(String, String), Vec<usize>> {
    let mut groups = BTreeMap::<_, Vec<usize>>::new();
    for index in indexes {
        let operation = &operations[index];
        let shape = (operation.method.clone(), shape_of_path(operation.path));
        groups.entry(shape).or_default().push(index);
    }
    groups
}

struct OperationDiff<'a> {
    before: &'a Document,
    now: &'a Document,
    schemas: SchemaDiff<'a>,
}

/// `query`, `path`, `header` or `cookie`, and the name; a parameter of the path has its position.
type ParameterKey = (String, String);

impl<'a> OperationDiff<'a> {
    fn name(&mut self, operation: &Operation<'_>) {
        self.schemas.changes.begin(format!("{} {}", operation.method, operation.path));
    }

    /// Adds a change of the operation itself.
    fn add(&mut self, kind: ChangeKind, effect: Effect, words: &str) {
        self.schemas.changes.add(kind, effect, &Place::operation(), words);
    }

    fn compare(&mut self, before: &Operation<'a>, now: &Operation<'a>) {
        let deprecated = (is_true(before.value, "deprecated"), is_true(now.value, "deprecated"));
        compare_deprecated(deprecated, &Place::operation(), &mut self.schemas.changes);
        let security = (
            before.value.get("security").or(self.before.security()),
            now.value.get("security").or(self.now.security()),
        );
        security::compare(security.0, security.1, &mut self.schemas.changes);
        self.schemas.direction = Direction::Input;
        self.compare_parameters(before, now);
        self.compare_bodies(before.value.get("requestBody"), now.value.get("requestBody"));
        self.compare_subprotocols(before.value, now.value);
        self.schemas.direction = Direction::Output;
        self.compare_responses(before.value, now.value);
    }

    fn compare_parameters(&mut self, before: &Operation<'a>, now: &Operation<'a>) {
        let (was, is) = (parameters(self.before, before), parameters(self.now, now));
        let keys: BTreeSet<&ParameterKey> = was.keys().chain(is.keys()).collect();
        for key in keys {
            let (was, is) = (was.get(key).copied(), is.get(key).copied());
            let Some(shown) = is.or(was) else { continue };
            let name = shown.get("name").and_then(Value::as_str).unwrap_or_default();
            let place = Place::parameter(&key.0, name);
            match (was, is) {
                (Some(was), Some(is)) => self.compare_parameter(was, is, &place),
                (_, Some(is)) => {
                    let (effect, words) = match is_true(is, "required") {
                        true => (Effect::Breaking, "is new and required"),
                        false => (Effect::Compatible, "is new"),
                    };
                    self.schemas.changes.add(ChangeKind::ParameterAdded, effect, &place, words);
                }
                _ => {
                    // Requests that still have it succeed, without the effect that it had.
                    let (kind, words) = (ChangeKind::ParameterRemoved, "is no longer read");
                    self.schemas.changes.add(kind, Effect::Warning, &place, words);
                }
            }
        }
    }

    fn compare_parameter(&mut self, before: &'a Value, now: &'a Value, place: &Place) {
        let both = |name| (is_true(before, name), is_true(now, name));
        compare_required(both("required"), Direction::Input, place, &mut self.schemas.changes);
        compare_deprecated(both("deprecated"), place, &mut self.schemas.changes);
        let content = |parameter: &'a Value| {
            parameter.get("content").and_then(Value::as_object)?.iter().next()
        };
        let schema = |parameter: &'a Value| match content(parameter) {
            Some((_, media)) => media.get("schema"),
            None => parameter.get("schema"),
        };
        self.schemas.is_text = content(before).is_none();
        self.schemas.compare(schema(before), schema(now), place);
        self.schemas.is_text = false;
    }

    fn compare_bodies(&mut self, before: Option<&'a Value>, now: Option<&'a Value>) {
        let place = Place::body();
        let was = before.map(|body| self.before.target(body));
        let is = now.map(|body| self.now.target(body));
        match (was, is) {
            (None, None) => {}
            (None, Some(is)) => {
                let (effect, words) = match is_true(is, "required") {
                    true => (Effect::Breaking, "is new and required"),
                    false => (Effect::Compatible, "is new"),
                };
                self.schemas.changes.add(ChangeKind::BodyAdded, effect, &place, words);
            }
            (Some(_), None) => {
                let (kind, words) = (ChangeKind::BodyRemoved, "is no longer read");
                self.schemas.changes.add(kind, Effect::Breaking, &place, words);
            }
            (Some(was), Some(is)) => {
                let required = (is_true(was, "required"), is_true(is, "required"));
                let changes = &mut self.schemas.changes;
                compare_required(required, Direction::Input, &place, changes);
                self.compare_content(was, is, &place);
            }
        }
    }

    fn compare_responses(&mut self, before: &'a Value, now: &'a Value) {
        let (was, is) = (map(before, "responses"), map(now, "responses"));
        for status in keys(was, is) {
            let place = Place::response(status);
            let is_success = status.starts_with(['2', '3']); // `default` describes failures
            match (get(was, status), get(is, status)) {
                (Some(was), Some(is)) => {
                    let (was, is) = (self.before.target(was), self.now.target(is));
                    // Clients rely on the status of a failure more than on its content.
                    self.schemas.changes.is_lenient = !is_success;
                    self.compare_headers(was, is, status);
                    self.compare_content(was, is, &place);
                    self.schemas.changes.is_lenient = false;
                }
                (Some(_), _) => {
                    let effect = if is_success { Effect::Breaking } else { Effect::Compatible };
                    let words = "no longer exists";
                    self.schemas.changes.add(ChangeKind::StatusRemoved, effect, &place, words);
                }
                _ => {
                    let effect = if is_success { Effect::Warning } else { Effect::Compatible };
                    self.schemas.changes.add(ChangeKind::StatusAdded, effect, &place, "is new");
                }
            }
        }
    }

    fn compare_headers(&mut self, before: &'a Value, now: &'a Value, status: &str) {
        let (was, is) = (map(before, "headers"), map(now, "headers"));
        for name in keys(was, is) {
            let place = Place::header(status, name);
            match (get(was, name), get(is, name)) {
                (Some(was), Some(is)) => {
                    let (was, is) = (self.before.target(was), self.now.target(is));
                    let required = (is_true(was, "required"), is_true(is, "required"));
                    let changes = &mut self.schemas.changes;
                    compare_required(required, Direction::Output, &place, changes);
                    self.schemas.is_text = true;
                    self.schemas.compare(was.get("schema"), is.get("schema"), &place);
                    self.schemas.is_text = false;
                }
                (Some(_), _) => {
                    let (kind, words) = (ChangeKind::HeaderRemoved, "no longer exists");
                    self.schemas.changes.add(kind, Effect::Breaking, &place, words);
                }
                _ => {
                    let (kind, effect) = (ChangeKind::HeaderAdded, Effect::Compatible);
                    self.schemas.changes.add(kind, effect, &place, "is new");
                }
            }
        }
    }

    /// Compares the content types of a body or response, and their schemas.
    fn compare_content(&mut self, before: &'a Value, now: &'a Value, place: &Place) {
        let (was, is) = (map(before, "content"), map(now, "content"));
        let is_described = was.is_some_and(|content| !content.is_empty());
        for media_type in keys(was, is) {
            match (get(was, media_type), get(is, media_type)) {
                (Some(was), Some(is)) => {
                    self.schemas.is_text = media_type == "application/x-www-form-urlencoded"
                        || media_type == "multipart/form-data";
                    self.schemas.compare(was.get("schema"), is.get("schema"), place);
                    self.schemas.is_text = false;
                    self.schemas.compare(item_schema(was), item_schema(is), &place.items());
                }
                (Some(_), _) => {
                    let words = format!("can no longer be `{media_type}`");
                    let (kind, effect) = (ChangeKind::MediaTypeRemoved, Effect::Breaking);
                    self.schemas.changes.add(kind, effect, place, &words);
                }
                _ => {
                    // A client that knows the others receives a form that it cannot read.
                    let effect = match self.schemas.direction {
                        Direction::Output if is_described => Effect::Warning,
                        _ => Effect::Compatible,
                    };
                    let words = format!("can also be `{media_type}` now");
                    self.schemas.changes.add(ChangeKind::MediaTypeAdded, effect, place, &words);
                }
            }
        }
    }

    /// Compares the subprotocols of a WebSocket, of which a client offers some.
    fn compare_subprotocols(&mut self, before: &Value, now: &Value) {
        let names = |socket: &Value| -> BTreeSet<String> {
            let listed = socket.get("subprotocols").and_then(Value::as_array);
            listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (was, is) = (names(before), names(now));
        for name in was.difference(&is) {
            let words = format!("no longer has the subprotocol `{name}`");
            self.add(ChangeKind::SubprotocolRemoved, Effect::Breaking, &words);
        }
        for name in is.difference(&was) {
            let words = format!("also has the subprotocol `{name}` now");
            self.add(ChangeKind::SubprotocolAdded, Effect::Compatible, &words);
        }
    }
}

/// The schema of each item of a stream: `itemSchema` since OpenAPI 3.2.
fn item_schema(media: &Value) -> Option<&Value> {
    media.get("itemSchema").or_else(|| media.get("x-item-schema"))
}

/// The parameters of an operation; its own replace the path's, which apply to all methods.
fn parameters<'a>(
    document: &'a Document,
    operation: &Operation<'a>,
) -> BTreeMap<ParameterKey, &'a Value> {
    let positions = path_parameters(operation.path);
    let lists = [operation.item.get("parameters"), operation.value.get("parameters")];
    let all = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
    let keyed = all.filter_map(|parameter| {
        let parameter = document.target(parameter);
        let text = |name| parameter.get(name).and_then(Value::as_str);
        let (location, name) = (text("in")?, text("name")?);
        let key = match location {
            "path" => positions.get(name).map_or(name.to_owned(), usize::to_string),
            "header" => name.to_lowercase(),
            _ => name.to_owned(),
        };
        let is_other = location == "header" && OTHER_HEADERS.contains(&&*key);
        (!is_other).then(|| ((location.to_owned(), key), parameter))
    });
    keyed.collect()
}

fn is_true(value: &Value, name: &str) -> bool {
    value.get(name) == Some(&Value::Bool(true))
}

fn map<'a>(value: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    value.get(name).and_then(Value::as_object)
}

fn get<'a>(map: Option<&'a Map<String, Value>>, name: &str) -> Option<&'a Value> {
    map.and_then(|map| map.get(name))
}

/// The names of both, sorted.
fn keys<'a>(
    one: Option<&'a Map<String, Value>>,
    other: Option<&'a Map<String, Value>>,
) -> BTreeSet<&'a str> {
    one.into_iter().chain(other).flat_map(Map::keys).map(String::as_str).collect()
}
