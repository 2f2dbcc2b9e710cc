//! Compares the fields of two versions of an object, and whether something is required or deprecated.

use std::collections::BTreeSet;

use serde_json::Value;

use super::change::{ChangeKind, Effect};
use super::document::Document;
use super::limits::Shift;
use super::place::Place;
use super::schema::{Alternative, annotation};
use super::schema_diff::{Direction, SchemaDiff};

impl<'a> SchemaDiff<'a> {
    pub(super) fn compare_fields(
        &mut self,
        before: &Alternative<'a>,
        now: &Alternative<'a>,
        place: &Place,
    ) {
        let names: BTreeSet<&str> =
            before.properties.keys().chain(now.properties.keys()).copied().collect();
        for name in names {
            let was = self.field(self.before, before, name);
            let is = self.field(self.now, now, name);
            let place = place.field(name);
            match (was, is) {
                (None, None) => {}
                (Some(_), None) => {
                    let effect = match self.direction {
                        Direction::Input if !now.forbids_other_fields() => Effect::Warning,
                        _ => Effect::Breaking,
                    };
                    self.changes.add(ChangeKind::FieldRemoved, effect, &place, "was removed");
                }
                (None, Some(_)) => {
                    let is_required = now.required.contains(name);
                    let (effect, words) = match self.direction {
                        Direction::Input if is_required => {
                            (Effect::Breaking, "is new and required")
                        }
                        _ => (Effect::Compatible, "is new"),
                    };
                    self.changes.add(ChangeKind::FieldAdded, effect, &place, words);
                }
                (Some(was), Some(is)) => {
                    let required = (before.required.contains(name), now.required.contains(name));
                    self.compare_required(required, &place);
                    let deprecated = (is_deprecated(self.before, was), is_deprecated(self.now, is));
                    self.compare_deprecated(deprecated, &place);
                    self.compare(Some(was), Some(is), &place);
                }
            }
        }
        match (before.forbids_other_fields(), now.forbids_other_fields()) {
            (true, true) => {}
            (true, false) => {
                let (kind, words) =
                    (ChangeKind::OtherFieldsAllowed, "may have fields of other names now");
                self.changes.add(kind, Effect::Compatible, place, words);
            }
            (false, true) => {
                let effect = self.direction.effect(Shift::Narrower);
                let words = "may not have fields of other names now";
                self.changes.add(ChangeKind::OtherFieldsForbidden, effect, place, words);
            }
            (false, false) => {
                self.compare(before.other_fields(), now.other_fields(), &place.other_fields());
            }
        }
    }

    /// A property that is sent in this direction.
    fn field(
        &self,
        document: &Document,
        object: &Alternative<'a>,
        name: &str,
    ) -> Option<&'a Value> {
        let hidden = match self.direction {
            Direction::Input => "readOnly",
            Direction::Output => "writeOnly",
        };
        let schema = *object.properties.get(name)?;
        let is_hidden = annotation(document, schema, hidden) == Some(&Value::Bool(true));
        (!is_hidden).then_some(schema)
    }

    /// Reports that something must exist now, or may be missing.
    pub(super) fn compare_required(&mut self, (was, is): (bool, bool), place: &Place) {
        let (kind, shift, words) = match (was, is) {
            (false, true) => (ChangeKind::BecameRequired, Shift::Narrower, "is required now"),
            (true, false) => (ChangeKind::BecameOptional, Shift::Wider, "is optional now"),
            _ => return,
        };
        let words = match self.direction {
            Direction::Input => words,
            Direction::Output if is => "is always there now",
            Direction::Output => "may be missing now",
        };
        self.changes.add(kind, self.direction.effect(shift), place, words);
    }

    /// Reports that something is deprecated now, or no longer.
    pub(super) fn compare_deprecated(&mut self, (was, is): (bool, bool), place: &Place) {
        let (kind, words) = match (was, is) {
            (false, true) => (ChangeKind::Deprecated, "is deprecated now"),
            (true, false) => (ChangeKind::Undeprecated, "is no longer deprecated"),
            _ => return,
        };
        self.changes.add(kind, Effect::Compatible, place, words);
    }
}

fn is_deprecated(document: &Document, schema: &Value) -> bool {
    annotation(document, schema, "deprecated") == Some(&Value::Bool(true))
}
