//! One difference between two documents, and its effect on clients.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::operation_place::Place;

/// The most changes of one effect.
const MAX_CHANGES: usize = 1000;

/// The effect of a change on the clients that were written for the old document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Requests that were correct fail, or responses no longer have what was promised.
    Breaking,
    /// It breaks clients that rely on a detail, such as a complete list of values.
    Warning,
    /// Clients need no change.
    Compatible,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// A path or one of its methods is new.
    OperationAdded,
    /// A path or one of its methods no longer exists.
    OperationRemoved,
    /// A parameter of the path, the query, the headers or the cookies is new.
    ParameterAdded,
    /// A parameter is no longer read.
    ParameterRemoved,
    /// The operation reads a body now.
    BodyAdded,
    /// The operation no longer reads a body.
    BodyRemoved,
    /// A content type of a body or response is new.
    MediaTypeAdded,
    /// A content type is no longer supported.
    MediaTypeRemoved,
    /// A status of the response is new.
    StatusAdded,
    /// A status of the response is gone.
    StatusRemoved,
    /// A header of the response is new.
    HeaderAdded,
    /// A header of the response is gone.
    HeaderRemoved,
    /// A field of an object is new.
    FieldAdded,
    /// A field of an object is gone.
    FieldRemoved,
    /// A parameter, a body or a field must exist now.
    BecameRequired,
    /// A parameter, a body or a field may be missing now.
    BecameOptional,
    /// Some of the old values are no longer possible.
    TypeNarrowed,
    /// More values are possible.
    TypeWidened,
    /// Old and new values differ.
    TypeChanged,
    /// More values of a list are possible, or all.
    ValuesAdded,
    /// Fewer values are possible.
    ValuesRemoved,
    /// A limit, such as a maximum, excludes more.
    LimitTightened,
    /// A limit excludes less.
    LimitLoosened,
    /// A limit is another one.
    LimitChanged,
    /// An object may have other fields than the named ones now.
    OtherFieldsAllowed,
    /// An object may have no other fields than the named ones now.
    OtherFieldsForbidden,
    /// The value of a missing parameter or field is another one.
    DefaultChanged,
    /// More credentials are needed.
    SecurityTightened,
    /// Fewer credentials are needed.
    SecurityLoosened,
    /// Other credentials are needed.
    SecurityChanged,
    /// A WebSocket has another subprotocol.
    SubprotocolAdded,
    /// A WebSocket no longer has a subprotocol.
    SubprotocolRemoved,
    /// Clients are asked not to use it.
    Deprecated,
    /// It may be used again.
    Undeprecated,
}

/// One difference between two documents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// The kind of the change.
    pub kind: ChangeKind,
    /// Its effect on clients.
    pub effect: Effect,
    /// Method and path, such as `GET /users/{id}`.
    pub operation: String,
    /// The changed part: `query.limit`, `body.items[].price`, `response.200.name`; empty for the
    /// operation.
    pub place: String,
    /// The change in a sentence.
    pub text: String,
}

/// The differences of two documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Breaking changes first, then warnings; at most 1000 of each effect.
    pub changes: Vec<Change>,
    /// The number of changes beyond that.
    pub left_out: usize,
}

/// Collects the changes of one operation after the other.
#[derive(Default)]
pub(super) struct Changes {
    operation: String,
    /// Whether no change here is worse than a warning.
    pub(super) is_lenient: bool,
    /// By effect.
    lists: BTreeMap<Effect, Vec<Change>>,
    /// The changes of the operation.
    known: HashSet<Change>,
    /// The number of changes that were added, repeated ones included.
    pub(super) found: usize,
    left_out: usize,
}

impl Changes {
    /// Begins the changes of an operation.
    pub(super) fn begin(&mut self, operation: String) {
        self.operation = operation;
        self.known.clear();
    }

    /// Adds a change; `words` follow the name of the place in its sentence.
    pub(super) fn add(&mut self, kind: ChangeKind, effect: Effect, place: &Place, words: &str) {
        self.found += 1;
        let effect = if self.is_lenient { effect.max(Effect::Warning) } else { effect };
        let text = format!("{} {words}", place.subject()).trim().to_owned();
        let operation = self.operation.clone();
        let change = Change { kind, effect, operation, place: place.name(), text };
        // Two content types of one body usually have the same schema.
        if !self.known.insert(change.clone()) {
            return;
        }
        let list = self.lists.entry(effect).or_default();
        if list.len() < MAX_CHANGES {
            list.push(change);
        } else {
            self.left_out += 1;
        }
    }

    /// Lists the changes of each effect in the order in which they were added.
    pub(super) fn finish(self) -> Comparison {
        let changes = self.lists.into_values().flatten().collect();
        Comparison { changes, left_out: self.left_out }
    }
}
