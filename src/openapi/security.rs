//! Compares the credentials that two operations need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::change::{ChangeKind, Changes, Effect};
use super::operation_place::Place;

/// Schemes that are needed together, each with its scopes.
type Needed<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Compares the lists of alternatives.
pub(super) fn compare(before: Option<&Value>, now: Option<&Value>, changes: &mut Changes) {
    let (before, now) = (alternatives(before), alternatives(now));
    let is_refused = |had: &Needed<'_>| !now.iter().any(|needed| is_met(needed, had));
    let is_new = |had: &Needed<'_>| !before.iter().any(|needed| is_met(needed, had));
    let (kind, effect, verb) = match (before.iter().any(is_refused), now.iter().any(is_new)) {
        (false, false) => return,
        (true, false) => (ChangeKind::SecurityTightened, Effect::Breaking, "needs"),
        (true, true) => (ChangeKind::SecurityChanged, Effect::Breaking, "needs"),
        (false, true) => (ChangeKind::SecurityLoosened, Effect::Compatible, "accepts"),
    };
    let words = format!("{verb} {} now; it needed {}", names(&now), names(&before));
    changes.add(kind, effect, &Place::operation(), &words);
}

/// The alternatives, of which a client chooses one; without any, a client needs nothing.
fn alternatives(security: Option<&Value>) -> Vec<Needed<'_>> {
    let listed = security.and_then(Value::as_array).into_iter().flatten();
    let listed: Vec<Needed<'_>> = listed
        .filter_map(Value::as_object)
        .map(|schemes| schemes.iter().map(|(name, scopes)| (&**name, texts(scopes))).collect())
        .collect();
    if listed.is_empty() { vec![Needed::new()] } else { listed }
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether credentials that fulfil `had` fulfil `needed`.
fn is_met(needed: &Needed<'_>, had: &Needed<'_>) -> bool {
    needed.iter().all(|(scheme, scopes)| had.get(scheme).is_some_and(|it| scopes.is_subset(it)))
}

fn names(alternatives: &[Needed<'_>]) -> String {
    let name = |needed: &Needed<'_>| {
        let schemes: Vec<String> = needed
            .iter()
            .map(|(scheme, scopes)| match scopes.is_empty() {
                true => format!("`{scheme}`"),
                false => {
                    let scopes: Vec<&str> = scopes.iter().copied().collect();
                    format!("`{scheme}` ({})", scopes.join(", "))
                }
            })
            .collect();
        if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(" with ") }
    };
    alternatives.iter().map(name).collect::<Vec<_>>().join(" or ")
}
