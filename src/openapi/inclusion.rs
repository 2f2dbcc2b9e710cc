//! Finds the type that includes another one: a number an integer, a text a date.

use super::alternative_diff::{self, Detail};
use super::limits::Shift;
use super::schema::{Alternative, JsonType, alternatives};

/// An alternative whose type includes that of another one.
pub(super) struct Counterpart<'a, 'b> {
    pub(super) alternative: &'b Alternative<'a>,
    /// Whether it has all values of the other one: no limit excludes any.
    pub(super) has_all: bool,
}

/// Finds an alternative that includes `narrow`, if possible with all of its values.
pub(super) fn counterpart<'a, 'b>(
    all: &'b [Alternative<'a>],
    narrow: &Alternative<'a>,
    is_text: bool,
) -> Option<Counterpart<'a, 'b>> {
    let includes = |wide: &&Alternative<'a>| includes_type(wide, narrow, is_text);
    let has_all = |wide: &&Alternative<'a>| {
        differences(narrow, wide, is_text).iter().all(|detail| detail.shift == Shift::Wider)
    };
    if let Some(alternative) = all.iter().filter(includes).find(has_all) {
        return Some(Counterpart { alternative, has_all: true });
    }
    // Lists of texts and of numbers rarely have a value in common.
    let alternative =
        all.iter().filter(includes).find(|it| it.values.is_none() || it.kind == narrow.kind)?;
    Some(Counterpart { alternative, has_all: false })
}

/// Lists the differences of two alternatives, of which one includes the type of the other.
pub(super) fn differences<'a>(
    before: &Alternative<'a>,
    now: &Alternative<'a>,
    is_text: bool,
) -> Vec<Detail> {
    let mut found = alternative_diff::compare(before, now, is_text);
    match (before.kind == JsonType::Array, now.kind == JsonType::Array) {
        (false, true) => with_item(now, before, is_text, |item| {
            found.extend(differences(before, item, is_text));
        }),
        (true, false) => with_item(before, now, is_text, |item| {
            found.extend(differences(item, now, is_text));
        }),
        _ => {}
    }
    found
}

/// Calls `use_item` with the alternative of the list's items that includes `one`.
fn with_item<'a>(
    list: &Alternative<'a>,
    one: &Alternative<'a>,
    is_text: bool,
    use_item: impl FnOnce(&Alternative<'a>),
) {
    let items = flat_items(list).unwrap_or_default();
    if let Some(found) = counterpart(&items, one, is_text) {
        use_item(found.alternative);
    }
}

/// Whether a type includes another one, apart from lists of values and limits.
fn includes_type<'a>(wide: &Alternative<'a>, narrow: &Alternative<'a>, is_text: bool) -> bool {
    use JsonType::{Array, Boolean, Integer, Null, Number, Object, String};
    match (wide.kind, narrow.kind) {
        (Object, Object) => false,
        (Array, Array) => includes_items(wide, narrow, is_text),
        (one, other) if one == other => {
            matches!(
                (wide.format(), narrow.format()),
                (None, _) | (Some("int64"), Some("int32")) | (Some("double"), Some("float"))
            ) || wide.format() == narrow.format()
        }
        (Number, Integer) => true,
        (String, Boolean | Integer | Number) => is_text && wide.format().is_none(),
        // One value is a list of one: parameters are repeated.
        (Array, Boolean | Integer | Number | String) if is_text && !is_tuple(wide) => {
            flat_items(wide).is_none_or(|items| counterpart(&items, narrow, is_text).is_some())
        }
        (Array | Object | Null | Boolean | Integer | Number | String, _) => false,
    }
}

/// Whether each item of a list may be one of another list.
fn includes_items<'a>(wide: &Alternative<'a>, narrow: &Alternative<'a>, is_text: bool) -> bool {
    if is_tuple(wide) || is_tuple(narrow) {
        return false;
    }
    let has_all = |items: &[Alternative<'a>], item: &Alternative<'a>| {
        item.kind != JsonType::Array
            && counterpart(items, item, is_text).is_some_and(|found| found.has_all)
    };
    match (flat_items(wide), items(narrow)) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|item| has_all(&wide, item)),
    }
}

fn is_tuple(list: &Alternative<'_>) -> bool {
    !list.first_items().is_empty()
}

/// The alternatives of the items of a list; `None` for any value.
fn items<'a>(list: &Alternative<'a>) -> Option<Vec<Alternative<'a>>> {
    alternatives(list.document, list.items()?)
}

/// The same without lists: a list that contains itself has no end.
fn flat_items<'a>(list: &Alternative<'a>) -> Option<Vec<Alternative<'a>>> {
    let mut items = items(list)?;
    items.retain(|item| item.kind != JsonType::Array);
    Some(items)
}
