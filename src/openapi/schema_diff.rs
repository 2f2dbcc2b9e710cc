//! Compares two schemas at one place, and everything below it.
//!
//! The direction decides: a client that sends may send less than before, and one that receives may
//! receive more. Two versions of a model are compared once at a place: at the nearest use of it.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use super::alternative_diff::{self, Detail, is_equal};
use super::breadth_first::{Pair, Search, Task};
use super::change::{ChangeKind, Changes, Effect};
use super::direction::Direction;
use super::document::Document;
use super::field_diff;
use super::inclusion::{counterpart, differences};
use super::limits::Shift;
use super::operation_place::Place;
use super::schema::{Alternative, Identity, JsonType, alternatives, annotation};

/// A schema that is not there accepts everything.
static ANYTHING: Value = Value::Bool(true);

/// How two versions of an alternative are recognized, the best way first.
#[derive(Clone, Copy)]
enum Criterion {
    SameModel,
    SameTag,
    NoDifference,
}

/// Compares the schemas of two documents.
pub(super) struct SchemaDiff<'a> {
    before: &'a Document,
    now: &'a Document,
    pub(super) changes: Changes,
    pub(super) direction: Direction,
    /// Whether values are sent as text: parameters, forms, headers.
    pub(super) is_text: bool,
    search: Search<'a>,
    /// The pairs without a difference.
    same: HashSet<Pair>,
    /// The alternatives at this place without a difference, or that are being compared, in order.
    alike: Vec<Pair>,
}

impl<'a> SchemaDiff<'a> {
    pub(super) fn new(before: &'a Document, now: &'a Document) -> Self {
        Self {
            before,
            now,
            changes: Changes::default(),
            direction: Direction::Input,
            is_text: false,
            search: Search::default(),
            same: HashSet::new(),
            alike: Vec::new(),
        }
    }

    /// Compares two schemas; a missing one accepts every value.
    pub(super) fn compare(
        &mut self,
        before: Option<&'a Value>,
        now: Option<&'a Value>,
        place: &Place,
    ) {
        self.meet(before, now, place.clone());
        while self.compare_next() {}
        self.alike.clear();
        self.same.extend(std::mem::take(&mut self.search).finish());
    }

    /// Has two schemas compared next.
    fn meet(&mut self, before: Option<&'a Value>, now: Option<&'a Value>, place: Place) {
        let (before, now) = (before.unwrap_or(&ANYTHING), now.unwrap_or(&ANYTHING));
        let (was, is) = (self.before.address(before), self.now.address(now));
        self.add_task((vec![was], vec![is]), Task::Schemas(before, now), place);
    }

    fn add_task(&mut self, (was, is): (Identity, Identity), task: Task<'a>, place: Place) {
        let pair = (was, is, self.direction, self.is_text);
        if !self.same.contains(&pair) {
            self.search.meet(pair, task, place);
        }
    }

    /// Does one comparison; returns false if there is none.
    fn compare_next(&mut self) -> bool {
        let Some((task, place)) = self.search.next() else { return false };
        let found = self.changes.found;
        match task {
            Task::Schemas(before, now) => {
                self.compare_default(before, now, &place);
                self.compare_alternatives(before, now, &place);
            }
            Task::Fields(objects) => {
                let (before, now) = &*objects;
                let (direction, changes) = (self.direction, &mut self.changes);
                for (was, is, place) in field_diff::compare(before, now, direction, &place, changes)
                {
                    self.meet(was, is, place);
                }
            }
        }
        if self.changes.found > found {
            self.search.differ();
        }
        true
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
                let (mut is_gone, mut is_new) = (false, false);
                let (paired_before, paired_now): (HashSet<_>, HashSet<_>) =
                    pairs.iter().copied().unzip();
                for (_, gone) in was.iter().enumerate().filter(|it| !paired_before.contains(&it.0))
                {
                    match counterpart(&is, gone, self.is_text) {
                        Some(wide) if wide.has_all => {}
                        Some(wide) => self.report_part(gone, wide.alternative, place),
                        None => is_gone = true,
                    }
                }
                for (_, new) in is.iter().enumerate().filter(|it| !paired_now.contains(&it.0)) {
                    match counterpart(&was, new, self.is_text) {
                        Some(wide) if wide.has_all => {}
                        Some(wide) => self.report_part(wide.alternative, new, place),
                        None => is_new = true,
                    }
                }
                match (is_gone, is_new) {
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

    /// Reports the values that only one of two alternatives has, of which one includes the other's type.
    fn report_part(&mut self, before: &Alternative<'a>, now: &Alternative<'a>, place: &Place) {
        self.report(differences(before, now, self.is_text), place);
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
            for criterion in [Criterion::SameModel, Criterion::SameTag, Criterion::NoDifference] {
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

    fn is_version(
        &mut self,
        criterion: Criterion,
        before: &Alternative<'a>,
        now: &Alternative<'a>,
    ) -> bool {
        match criterion {
            Criterion::SameModel => before.model.is_some() && before.model == now.model,
            Criterion::SameTag => before.tag().is_some_and(|tag| now.tag() == Some(tag)),
            Criterion::NoDifference => self.has_no_difference(before, now),
        }
    }

    /// Compares two alternatives without a report.
    fn has_no_difference(&mut self, before: &Alternative<'a>, now: &Alternative<'a>) -> bool {
        let pair = (before.identity(), now.identity(), self.direction, self.is_text);
        if self.alike.contains(&pair) {
            return true;
        }
        let assumed = self.alike.len();
        self.alike.push(pair);
        let changes = std::mem::take(&mut self.changes);
        let search = std::mem::take(&mut self.search);
        self.compare_pair(before, now, &Place::operation());
        while self.changes.found == 0 && self.compare_next() {}
        self.search = search;
        let is_same = std::mem::replace(&mut self.changes, changes).found == 0;
        if !is_same {
            self.alike.truncate(assumed); // with the pairs that were found under this assumption
        }
        is_same
    }

    /// Compares two alternatives of one type.
    fn compare_pair(&mut self, before: &Alternative<'a>, now: &Alternative<'a>, place: &Place) {
        self.report(alternative_diff::compare(before, now, self.is_text), place);
        self.compare_formats(before, now, place);
        match before.kind {
            JsonType::Array => self.compare_items(before, now, place),
            JsonType::Object => {
                let identity = (before.identity_of_fields(), now.identity_of_fields());
                let objects = Box::new((before.clone(), now.clone()));
                self.add_task(identity, Task::Fields(objects), place.clone());
            }
            _ => {}
        }
    }

    fn report(&mut self, details: Vec<Detail>, place: &Place) {
        for Detail { kind, shift, words } in details {
            self.changes.add(kind, self.direction.effect_of_detail(shift), place, &words);
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
            self.meet(Some(before), Some(now), place.item(index));
        }
        if was.len() == is.len() {
            self.meet(before.items(), now.items(), place.items());
        } else if before.items() != Some(&Value::Bool(false)) || now.items() != before.items() {
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
