//! Compares two schemas at one place, and everything below it.
//!
//! The direction decides: a client that sends may send less than before, and one that receives may
//! receive more. Recursive models end where a pair of schemas is being compared already.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::change::{ChangeKind, Changes, Effect};
use super::document::Document;
use super::limits::{self, Shift};
use super::place::Place;
use super::schema::{Alternative, JsonType, alternatives, annotation};

/// The most values of a list that a sentence names.
const MAX_NAMED: usize = 5;

/// A schema that is not there accepts everything.
static ANYTHING: Value = Value::Bool(true);

/// The direction of the values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    /// The server reads them.
    Input,
    /// The client reads them.
    Output,
}

impl Direction {
    /// The effect of another set of possible values.
    pub(super) fn effect(self, shift: Shift) -> Effect {
        match (self, shift) {
            (Self::Input, Shift::Wider) | (Self::Output, Shift::Narrower) => Effect::Compatible,
            _ => Effect::Breaking,
        }
    }

    /// The effect of more or fewer values of one type, which few clients check.
    fn effect_of_detail(self, shift: Shift) -> Effect {
        match (self, self.effect(shift)) {
            (Self::Output, Effect::Breaking) => Effect::Warning,
            (_, effect) => effect,
        }
    }
}

/// Two addresses, the direction, and whether the values are text.
type Pair = (usize, usize, Direction, bool);

/// Compares the schemas of two documents.
pub(super) struct SchemaDiff<'a> {
    pub(super) before: &'a Document,
    pub(super) now: &'a Document,
    pub(super) changes: Changes,
    pub(super) direction: Direction,
    /// Whether values are sent as text: parameters, forms, headers.
    pub(super) is_text: bool,
    /// The pairs that are being compared.
    open: HashSet<Pair>,
    /// The pairs without a difference.
    same: HashSet<Pair>,
}

impl<'a> SchemaDiff<'a> {
    pub(super) fn new(before: &'a Document, now: &'a Document) -> Self {
        Self {
            before,
            now,
            changes: Changes::default(),
            direction: Direction::Input,
            is_text: false,
            open: HashSet::new(),
            same: HashSet::new(),
        }
    }

    /// Compares two schemas; a missing one accepts every value.
    pub(super) fn compare(
        &mut self,
        before: Option<&'a Value>,
        now: Option<&'a Value>,
        place: &Place,
    ) {
        let (before, now) = (before.unwrap_or(&ANYTHING), now.unwrap_or(&ANYTHING));
        let pair = (self.before.address(before), self.now.address(now));
        let pair = (pair.0, pair.1, self.direction, self.is_text);
        if self.changes.is_full() || self.same.contains(&pair) || !self.open.insert(pair) {
            return;
        }
        let found = self.changes.found;
        self.compare_default(before, now, place);
        self.compare_alternatives(before, now, place);
        self.open.remove(&pair);
        if self.changes.found == found {
            self.same.insert(pair);
        }
    }

    fn compare_default(&mut self, before: &'a Value, now: &'a Value, place: &Place) {
        let was = annotation(self.before, before, "default");
        let is = annotation(self.now, now, "default");
        if let (Direction::Input, Some(was), Some(is)) = (self.direction, was, is)
            && !is_equal(was, is)
        {
            let words = format!("has the default `{is}` now; it was `{was}`");
            self.changes.add(ChangeKind::DefaultChanged, Effect::Compatible, place, &words);
        }
    }

    fn compare_alternatives(&mut self, before: &'a Value, now: &'a Value, place: &Place) {
        let was = alternatives(self.before, before);
        let is = alternatives(self.now, now);
        let names = (names(was.as_deref()), names(is.as_deref()));
        let (kind, shift) = match (was, is) {
            (None, None) => return,
            (None, Some(_)) => (ChangeKind::TypeNarrowed, Shift::Narrower),
            (Some(_), None) => (ChangeKind::TypeWidened, Shift::Wider),
            (Some(was), Some(is)) => {
                let pairs = self.pair_up(&was, &is);
                for &(before, now) in &pairs {
                    self.compare_pair(&was[before], &is[now], place);
                }
                let gone = was.iter().enumerate().any(|(index, gone)| {
                    pairs.iter().all(|(before, _)| *before != index)
                        && !is.iter().any(|wide| self.includes(self.now, wide, gone))
                });
                let new = is.iter().enumerate().any(|(index, new)| {
                    pairs.iter().all(|(_, now)| *now != index)
                        && !was.iter().any(|wide| self.includes(self.before, wide, new))
                });
                match (gone, new) {
                    (false, false) => return,
                    (true, false) => (ChangeKind::TypeNarrowed, Shift::Narrower),
                    (false, true) => (ChangeKind::TypeWidened, Shift::Wider),
                    (true, true) => (ChangeKind::TypeChanged, Shift::Other),
                }
            }
        };
        let words = format!("is `{}` now; it was `{}`", names.1, names.0);
        self.changes.add(kind, self.direction.effect(shift), place, &words);
    }

    /// Finds the alternatives that are versions of each other.
    fn pair_up(
        &mut self,
        before: &[Alternative<'a>],
        now: &[Alternative<'a>],
    ) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for kind in before.iter().map(|each| each.kind).collect::<BTreeSet<_>>() {
            let of_kind = |all: &[Alternative<'a>]| -> Vec<usize> {
                (0..all.len()).filter(|&index| all[index].kind == kind).collect()
            };
            let (mut left, mut right) = (of_kind(before), of_kind(now));
            for criterion in 0..3 {
                if left.len() == 1 && right.len() == 1 {
                    break;
                }
                left.retain(|&one| {
                    let found = right
                        .iter()
                        .position(|&other| self.is_version(criterion, &before[one], &now[other]));
                    let Some(found) = found else { return true };
                    pairs.push((one, right.remove(found)));
                    false
                });
            }
            if let (&[one], &[other]) = (&*left, &*right) {
                pairs.push((one, other));
            }
        }
        pairs
    }

    /// Whether two alternatives have the same model, the same tag, or the same values.
    fn is_version(
        &mut self,
        criterion: usize,
        before: &Alternative<'a>,
        now: &Alternative<'a>,
    ) -> bool {
        match criterion {
            0 => before.model.is_some() && before.model == now.model,
            1 => {
                let tag = before.tag(self.before);
                tag.is_some() && tag == now.tag(self.now)
            }
            _ => {
                let changes = std::mem::take(&mut self.changes);
                self.compare_pair(before, now, &Place::operation());
                std::mem::replace(&mut self.changes, changes).found == 0
            }
        }
    }

    /// Whether every value of `narrow` is also one of `wide`, which is of another type.
    fn includes(
        &self,
        document: &'a Document,
        wide: &Alternative<'a>,
        narrow: &Alternative<'a>,
    ) -> bool {
        use JsonType::{Array, Boolean, Integer, Null, Number, Object, String};
        let is_scalar = !matches!(narrow.kind, Array | Object | Null);
        match (wide.kind, narrow.kind) {
            _ if wide.values.is_some() => false,
            (Number, Integer) => true,
            (String, Boolean | Integer | Number) => self.is_text && wide.format().is_none(),
            // One value is a list of one: parameters are repeated.
            (Array, _) if self.is_text && is_scalar => {
                let items = wide.keywords.get("items").and_then(|it| alternatives(document, it));
                items.is_none_or(|items| {
                    items.iter().any(|item| {
                        item.kind == narrow.kind && item.format() == narrow.format()
                            || self.includes(document, item, narrow)
                    })
                })
            }
            _ => false,
        }
    }

    /// Compares two alternatives of one type.
    fn compare_pair(&mut self, before: &Alternative<'a>, now: &Alternative<'a>, place: &Place) {
        self.compare_values(before, now, place);
        self.compare_formats(before, now, place);
        let is_integer = before.kind == JsonType::Integer;
        for (shift, words) in limits::compare(&before.keywords, &now.keywords, is_integer) {
            let kind = match shift {
                Shift::Narrower => ChangeKind::LimitTightened,
                Shift::Wider => ChangeKind::LimitLoosened,
                Shift::Other => ChangeKind::LimitChanged,
            };
            self.changes.add(kind, self.direction.effect_of_detail(shift), place, &words);
        }
        match before.kind {
            JsonType::Array => self.compare_items(before, now, place),
            JsonType::Object => self.compare_fields(before, now, place),
            _ => {}
        }
    }

    fn compare_values(&mut self, before: &Alternative<'a>, now: &Alternative<'a>, place: &Place) {
        let direction = self.direction;
        let (gone, new) = match (&before.values, &now.values) {
            (None, None) => return,
            (None, Some(values)) => {
                let words = format!("can only be {} now", listed(values));
                let effect = direction.effect_of_detail(Shift::Narrower);
                return self.changes.add(ChangeKind::ValuesRemoved, effect, place, &words);
            }
            (Some(values), None) => {
                let words = format!("can be any {} now, not only {}", now.name(), listed(values));
                let effect = direction.effect_of_detail(Shift::Wider);
                return self.changes.add(ChangeKind::ValuesAdded, effect, place, &words);
            }
            (Some(was), Some(is)) => (without(was, is), without(is, was)),
        };
        if !gone.is_empty() {
            let words = format!("can no longer be {}", listed(&gone));
            let effect = direction.effect_of_detail(Shift::Narrower);
            self.changes.add(ChangeKind::ValuesRemoved, effect, place, &words);
        }
        if !new.is_empty() {
            let words = format!("can also be {} now", listed(&new));
            let effect = direction.effect_of_detail(Shift::Wider);
            self.changes.add(ChangeKind::ValuesAdded, effect, place, &words);
        }
    }

    fn compare_formats(&mut self, before: &Alternative<'a>, now: &Alternative<'a>, place: &Place) {
        let (kind, shift) = match (before.format(), now.format()) {
            (was, is) if was == is => return,
            (None, _) | (Some("int64"), Some("int32")) | (Some("double"), Some("float")) => {
                (ChangeKind::TypeNarrowed, Shift::Narrower)
            }
            (_, None) | (Some("int32"), Some("int64")) | (Some("float"), Some("double")) => {
                (ChangeKind::TypeWidened, Shift::Wider)
            }
            _ => (ChangeKind::TypeChanged, Shift::Other),
        };
        let words = format!("is `{}` now; it was `{}`", now.name(), before.name());
        self.changes.add(kind, self.direction.effect(shift), place, &words);
    }

    fn compare_items(&mut self, before: &Alternative<'a>, now: &Alternative<'a>, place: &Place) {
        let (was, is) = (before.first_items(), now.first_items());
        for (index, (before, now)) in was.iter().zip(is).enumerate() {
            self.compare(Some(before), Some(now), &place.item(index));
        }
        let items = |each: &Alternative<'a>| each.keywords.get("items").copied();
        if was.len() == is.len() {
            self.compare(items(before), items(now), &place.items());
        } else if items(before) != Some(&Value::Bool(false)) || items(now) != items(before) {
            // The number of items of closed tuples is a limit of its own.
            let words = format!("has {} items of their own now; it had {}", is.len(), was.len());
            let effect = self.direction.effect(Shift::Other);
            self.changes.add(ChangeKind::TypeChanged, effect, place, &words);
        }
    }
}

/// The types of a schema: `integer | null`.
fn names(alternatives: Option<&[Alternative<'_>]>) -> String {
    let Some(all) = alternatives else { return "any value".to_owned() };
    let mut names: Vec<String> = Vec::new();
    for name in all.iter().map(Alternative::name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { "nothing".to_owned() } else { names.join(" | ") }
}

/// The values that are not in `others`.
fn without<'a>(values: &[&'a Value], others: &[&Value]) -> Vec<&'a Value> {
    let is_gone = |value: &&&'a Value| !others.iter().any(|other| is_equal(value, other));
    values.iter().filter(is_gone).copied().collect()
}

/// Whether two JSON values are the same; `1` and `1.0` are.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}

fn listed(values: &[&Value]) -> String {
    let named = values.iter().take(MAX_NAMED).map(|value| format!("`{value}`"));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if values.len() > MAX_NAMED {
        text += &format!(" and {} more", values.len() - MAX_NAMED);
    }
    text
}
