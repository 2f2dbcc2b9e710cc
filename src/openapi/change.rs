//! One difference between two documents, and its effect on clients.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::place::Place;

/// The most changes of one comparison.
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

/// Collects the changes of one operation after the other.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) operation: String,
    all: Vec<Change>,
    known: HashSet<Change>,
    /// The number of changes that were added, repeated ones included.
    pub(super) found: usize,
}

impl Changes {
    /// Adds a change; `words` follow the name of the place in its sentence.
    pub(super) fn add(&mut self, kind: ChangeKind, effect: Effect, place: &Place, words: &str) {
        self.found += 1;
        if self.is_full() {
            return;
        }
        let text = format!("{} {words}", place.subject()).trim().to_owned();
        let operation = self.operation.clone();
        let change = Change { kind, effect, operation, place: place.name(), text };
        // Two content types of one body usually have the same schema.
        if self.known.insert(change.clone()) {
            self.all.push(change);
        }
    }

    /// Whether no more changes are stored.
    pub(super) fn is_full(&self) -> bool {
        self.all.len() == MAX_CHANGES
    }

    pub(super) fn into_list(self) -> Vec<Change> {
        self.all
    }
}
