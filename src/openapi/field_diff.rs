//! Compares the fields of two versions of an object, and whether something is required or deprecated.

use std::collections::BTreeSet;

use serde_json::Value;

use super::change::{ChangeKind, Changes, Effect};
use super::direction::Direction;
use super::document::Document;
use super::limits::Shift;
use super::operation_place::Place;
use super::schema::{Alternative, annotation};

/// Two schemas to compare, and their place.
pub(super) type Inner<'a> = (Option<&'a Value>, Option<&'a Value>, Place);

/// Compares the fields; returns their schemas, to be compared next.
pub(super) fn compare<'a>(
    before: &Alternative<'a>,
    now: &Alternative<'a>,
    direction: Direction,
    place: &Place,
    changes: &mut Changes,
) -> Vec<Inner<'a>> {
    let mut inner = Vec::new();
    let names: BTreeSet<&str> =
        before.properties.keys().chain(now.properties.keys()).copied().collect();
    for name in names {
        let (was, is) = (field(before, name, direction), field(now, name, direction));
        let place = place.field(name);
        match (was, is) {
            (None, None) => {}
            (Some(_), None) => {
                let effect = match direction {
                    Direction::Input if !now.forbids_other_fields() => Effect::Warning,
                    _ => Effect::Breaking,
                };
                changes.add(ChangeKind::FieldRemoved, effect, &place, "was removed");
            }
            (None, Some(_)) => {
                let is_required = now.required.contains(name);
                let (effect, words) = match direction {
                    Direction::Input if is_required => (Effect::Breaking, "is new and required"),
                    _ => (Effect::Compatible, "is new"),
                };
                changes.add(ChangeKind::FieldAdded, effect, &place, words);
            }
            (Some(was), Some(is)) => {
                let required = (before.required.contains(name), now.required.contains(name));
                compare_required(required, direction, &place, changes);
                let deprecated =
                    (is_deprecated(before.document, was), is_deprecated(now.document, is));
                compare_deprecated(deprecated, &place, changes);
                inner.push((Some(was), Some(is), place));
            }
        }
    }
    match (before.forbids_other_fields(), now.forbids_other_fields()) {
        (true, true) => {}
        (true, false) => {
            let (kind, words) =
                (ChangeKind::OtherFieldsAllowed, "may have fields of other names now");
            changes.add(kind, Effect::Compatible, place, words);
        }
        (false, true) => {
            let effect = direction.effect(Shift::Narrower);
            let words = "may not have fields of other names now";
            changes.add(ChangeKind::OtherFieldsForbidden, effect, place, words);
        }
        (false, false) => {
            inner.push((before.other_fields(), now.other_fields(), place.other_fields()));
        }
    }
    inner
}

/// A property that is sent in this direction.
fn field<'a>(object: &Alternative<'a>, name: &str, direction: Direction) -> Option<&'a Value> {
    let hidden = match direction {
        Direction::Input => "readOnly",
        Direction::Output => "writeOnly",
    };
    let schema = *object.properties.get(name)?;
    let is_hidden = annotation(object.document, schema, hidden) == Some(&Value::Bool(true));
    (!is_hidden).then_some(schema)
}

/// Reports that something must exist now, or may be missing.
pub(super) fn compare_required(
    (was, is): (bool, bool),
    direction: Direction,
    place: &Place,
    changes: &mut Changes,
) {
    let (kind, shift, words) = match (was, is) {
        (false, true) => (ChangeKind::BecameRequired, Shift::Narrower, "is required now"),
        (true, false) => (ChangeKind::BecameOptional, Shift::Wider, "is optional now"),
        _ => return,
    };
    let words = match direction {
        Direction::Input => words,
        Direction::Output if is => "is always there now",
        Direction::Output => "may be missing now",
    };
    changes.add(kind, direction.effect(shift), place, words);
}

/// Reports that something is deprecated now, or no longer.
pub(super) fn compare_deprecated((was, is): (bool, bool), place: &Place, changes: &mut Changes) {
    let (kind, words) = match (was, is) {
        (false, true) => (ChangeKind::Deprecated, "is deprecated now"),
        (true, false) => (ChangeKind::Undeprecated, "is no longer deprecated"),
        _ => return,
    };
    changes.add(kind, Effect::Compatible, place, words);
}

fn is_deprecated(document: &Document, schema: &Value) -> bool {
    annotation(document, schema, "deprecated") == Some(&Value::Bool(true))
}
