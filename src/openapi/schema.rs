//! A schema in one form, whatever way it was written: a union of alternatives of one type each.
//!
//! Follows references, merges `allOf`, and distributes `anyOf` and `oneOf`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::document::{Document, reference};
use super::limits::Keywords;

/// The deepest nesting of unions and references in one schema.
const MAX_DEPTH: usize = 32;
/// The most alternatives of one schema.
const MAX_ALTERNATIVES: usize = 256;

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum JsonType {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

impl JsonType {
    const ALL: [(Self, &str); 7] = [
        (Self::Null, "null"),
        (Self::Boolean, "boolean"),
        (Self::Integer, "integer"),
        (Self::Number, "number"),
        (Self::String, "string"),
        (Self::Array, "array"),
        (Self::Object, "object"),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    fn includes(self, value: &Value) -> bool {
        let of = Self::of(value);
        of == self || (self, of) == (Self::Number, Self::Integer)
    }
}

/// The keywords that all parts of a schema have together.
#[derive(Clone, Default)]
struct Merged<'a> {
    /// The name of the first reference.
    model: Option<&'a str>,
    keywords: Keywords<'a>,
    properties: BTreeMap<&'a str, &'a Value>,
    required: BTreeSet<&'a str>,
}

/// An alternative of a schema.
#[derive(Clone)]
pub(super) struct Alternative<'a> {
    /// The document that it is of, for its references.
    pub(super) document: &'a Document,
    pub(super) kind: JsonType,
    /// The name of the model that it refers to.
    pub(super) model: Option<&'a str>,
    /// The only possible values, if there is a list.
    pub(super) values: Option<Vec<&'a Value>>,
    pub(super) keywords: Keywords<'a>,
    pub(super) properties: BTreeMap<&'a str, &'a Value>,
    pub(super) required: BTreeSet<&'a str>,
}

/// Places in memory: two parts of a document with the same ones are the same part.
pub(super) type Identity = Vec<usize>;

/// The alternatives of a schema; `None` accepts every value.
pub(super) type Alternatives<'a> = Option<Vec<Alternative<'a>>>;

/// Returns the alternatives of a schema.
pub(super) fn alternatives<'a>(document: &'a Document, schema: &'a Value) -> Alternatives<'a> {
    let mut found = Some(Vec::new());
    expand(document, schema, Merged::default(), 0, &mut found);
    found
}

/// Returns a keyword of a schema, or of the schema that it refers to.
pub(super) fn annotation<'a>(
    document: &'a Document,
    schema: &'a Value,
    name: &str,
) -> Option<&'a Value> {
    schema.get(name).or_else(|| document.target(schema).get(name))
}

/// Adds the alternatives of `schema`, each with the keywords in `merged`.
fn expand<'a>(
    document: &'a Document,
    schema: &'a Value,
    mut merged: Merged<'a>,
    depth: usize,
    found: &mut Alternatives<'a>,
) {
    let mut unions = Vec::new();
    if !gather(document, schema, depth, &mut merged, &mut unions) {
        return; // `false` accepts nothing
    }
    distribute(document, &unions, merged, depth, found);
}

/// Adds one alternative for each combination of the unions' members.
fn distribute<'a>(
    document: &'a Document,
    unions: &[&'a Vec<Value>],
    merged: Merged<'a>,
    depth: usize,
    found: &mut Alternatives<'a>,
) {
    let Some((first, rest)) = unions.split_first() else {
        match (merged.into_alternatives(document), &mut *found) {
            (Some(more), Some(all)) => all.extend(more),
            (Some(_), None) => {}
            (None, _) => *found = None,
        }
        return;
    };
    if depth == MAX_DEPTH {
        return;
    }
    for member in *first {
        if found.as_ref().is_none_or(|all| all.len() >= MAX_ALTERNATIVES) {
            return;
        }
        let mut part = Merged { model: None, ..merged.clone() };
        let mut unions = rest.to_vec();
        if gather(document, member, depth + 1, &mut part, &mut unions) {
            distribute(document, &unions, part, depth + 1, found);
        }
    }
}

/// Merges a schema, what it refers to and all of its `allOf` into `merged`. Returns false if no value
/// is possible.
fn gather<'a>(
    document: &'a Document,
    schema: &'a Value,
    depth: usize,
    merged: &mut Merged<'a>,
    unions: &mut Vec<&'a Vec<Value>>,
) -> bool {
    let map = match schema {
        Value::Bool(is_possible) => return *is_possible,
        Value::Object(map) => map,
        _ => return true,
    };
    if depth == MAX_DEPTH {
        return true;
    }
    merged.add(map);
    let union = |name| map.get(name).and_then(Value::as_array);
    unions.extend([union("anyOf"), union("oneOf")].into_iter().flatten());
    let mut is_possible = true;
    if let Some(target) = document.referenced(schema) {
        let model = reference(schema).and_then(|text| text.rsplit('/').next());
        merged.model = merged.model.or(model);
        is_possible &= gather(document, target, depth + 1, merged, unions);
    }
    for member in union("allOf").into_iter().flatten() {
        is_possible &= gather(document, member, depth + 1, merged, unions);
    }
    is_possible
}

impl<'a> Merged<'a> {
    /// Adds keywords; known ones win, for they are nearer to the use of the schema.
    fn add(&mut self, map: &'a Map<String, Value>) {
        for (name, value) in map {
            match (&**name, value) {
                ("properties", Value::Object(properties)) => {
                    for (name, schema) in properties {
                        self.properties.entry(name).or_insert(schema);
                    }
                }
                ("required", Value::Array(names)) => {
                    self.required.extend(names.iter().filter_map(Value::as_str));
                }
                ("$ref" | "anyOf" | "oneOf" | "allOf", _) => {}
                _ => {
                    self.keywords.entry(name).or_insert(value);
                }
            }
        }
    }

    /// Returns one alternative for each type; `None` if every value is possible.
    fn into_alternatives(self, document: &'a Document) -> Alternatives<'a> {
        let values: Option<Vec<&Value>> = match self.keywords.get("const") {
            Some(&value) => Some(vec![value]),
            None => self.keywords.get("enum").and_then(|it| it.as_array()).map(|it| {
                let mut values: Vec<&Value> = Vec::new();
                it.iter().for_each(|value| {
                    if !values.contains(&value) {
                        values.push(value);
                    }
                });
                values
            }),
        };
        let kinds = self.kinds(values.as_deref())?;
        let alternative = |kind: JsonType| {
            let values = values.as_ref().map(|all| {
                all.iter().copied().filter(|value| kind.includes(value)).collect::<Vec<_>>()
            });
            if values.as_ref().is_some_and(Vec::is_empty) {
                return None;
            }
            let Self { model, keywords, properties, required } = self.clone();
            Some(Alternative { document, kind, model, values, keywords, properties, required })
        };
        Some(kinds.into_iter().filter_map(alternative).collect())
    }

    /// The possible types; `None` for all.
    fn kinds(&self, values: Option<&[&Value]>) -> Option<BTreeSet<JsonType>> {
        let mut kinds: BTreeSet<JsonType> = match (self.keywords.get("type"), values) {
            (Some(Value::String(name)), _) => JsonType::named(name).into_iter().collect(),
            (Some(Value::Array(names)), _) => {
                names.iter().filter_map(|name| JsonType::named(name.as_str()?)).collect()
            }
            (_, Some(values)) => values.iter().map(|value| JsonType::of(value)).collect(),
            _ if !self.properties.is_empty() => BTreeSet::from([JsonType::Object]),
            _ if self.has_any(&["additionalProperties"]) => BTreeSet::from([JsonType::Object]),
            _ if self.has_any(&["items", "prefixItems"]) => BTreeSet::from([JsonType::Array]),
            _ => return None,
        };
        if self.keywords.get("nullable") == Some(&&Value::Bool(true)) {
            kinds.insert(JsonType::Null);
        }
        Some(kinds)
    }

    fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.keywords.contains_key(name))
    }
}

impl<'a> Alternative<'a> {
    pub(super) fn format(&self) -> Option<&'a str> {
        self.keywords.get("format").and_then(|format| format.as_str())
    }

    /// The schema of the fields without a name.
    pub(super) fn other_fields(&self) -> Option<&'a Value> {
        self.keywords.get("additionalProperties").copied()
    }

    pub(super) fn forbids_other_fields(&self) -> bool {
        self.other_fields() == Some(&Value::Bool(false))
    }

    /// The schema of the items; in a tuple, of those after the first.
    pub(super) fn items(&self) -> Option<&'a Value> {
        self.keywords.get("items").copied()
    }

    /// The schemas of the first items of a tuple.
    pub(super) fn first_items(&self) -> &'a [Value] {
        self.keywords.get("prefixItems").and_then(|it| it.as_array()).map_or(&[], |it| it)
    }

    /// A property that has one possible value, which distinguishes this model from others of its union.
    pub(super) fn tag(&self) -> Option<(&'a str, &'a Value)> {
        self.properties.iter().find_map(|(&name, &schema)| {
            let schema = self.document.target(schema);
            let listed = schema.get("enum").and_then(Value::as_array);
            let only = schema.get("const").or_else(|| match listed.map(Vec::as_slice) {
                Some([only]) => Some(only),
                _ => None,
            });
            only.map(|value| (name, value))
        })
    }

    /// Identifies its fields by their places in memory.
    pub(super) fn identity_of_fields(&self) -> Identity {
        let fields = self.properties.values().copied().map(address);
        let required = self.required.iter().map(|name| name.as_ptr().addr());
        fields
            .chain([0])
            .chain(required)
            .chain([0])
            .chain(self.other_fields().map(address))
            .collect()
    }

    /// Identifies all of it by places in memory.
    pub(super) fn identity(&self) -> Identity {
        let mut identity = self.identity_of_fields();
        identity.extend([0, self.kind as usize]);
        identity.extend(self.keywords.values().copied().map(address));
        identity
    }

    /// Its name for people: a model, or a type with its format.
    pub(super) fn name(&self) -> String {
        match (self.model, self.format()) {
            (Some(model), _) if self.kind == JsonType::Object => model.to_owned(),
            (_, Some(format)) => format!("{} ({format})", self.kind.name()),
            _ => self.kind.name().to_owned(),
        }
    }
}

fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema).addr()
}
