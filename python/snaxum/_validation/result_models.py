"""Models of results: an object of a handler as the fields of its model at one place.

Owns the way from a mapping, or from an object by its attributes, to a dict by the names in JSON, or
to a list by position. Never calls a constructor. The fields have converters already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import libraries
from . import result_values as values
from .faults import INVALID, Convert, Fault, Faults, Loc
from .models import Model, ModelField

_MISSING = object()
# Returns a mapping, or an object with attributes; None for a value that is neither.
FieldReader = Callable[[Any, Loc, Faults], Any]


@dataclass(slots=True)
class ResultField:
    """A field, the classes whose values are sent as they are, and the converter of all others."""

    field: ModelField
    exact: frozenset[type]
    convert: Convert


def build(kind: type, model: Model, fields: list[ResultField]) -> Convert:
    """Return the function that converts to a model; `kind` is its class, `dict` for a TypedDict."""
    keys = [each.field.key for each in fields]
    # A mapping may have the name in Python too, unless that is another field's name in JSON.
    others = [None if each.field.name in keys else each.field.name for each in fields]
    start = 1 if model.is_array and model.tag else 0
    rows = [
        (each.field.name, key, other, at if model.is_array else key, each.exact, each)
        for at, (each, key, other) in enumerate(zip(fields, keys, others), start)
    ]
    tag = {} if model.tag is None else {model.tag[0]: model.tag[1]}
    allowed = {*keys, *filter(None, others), *tag}
    is_partial, omits = kind is dict, model.omits_defaults
    unset = object() if model.is_array else libraries.unset()
    find = _by_position(kind, model, fields) if model.is_array else _by_name(kind)

    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        given = find(value, loc, faults)
        if given is None:
            return INVALID
        before, made = len(faults), dict(tag)
        is_mapping = type(given) is dict or values.is_mapping(given)
        if is_mapping:
            _check_names(given, tag, allowed if model.is_closed else None, loc, faults)
        for name, key, other, step, exact, each in rows:
            if is_mapping:
                item = given.get(key, _MISSING)
                if item is _MISSING and other is not None:
                    item = given.get(other, _MISSING)
            else:
                item = getattr(given, name, _MISSING)
            if item is unset:  # a field that is not sent
                continue
            if omits and _is_default(item, each.field):
                continue
            if type(item) in exact:
                made[key] = item
            elif item is not _MISSING:
                made[key] = each.convert(item, (*loc, step), faults)
            elif each.field.is_required or not _has_default(each.field):
                faults.append(Fault((*loc, step), "is missing", "missing"))
            elif not is_partial and each.field.default is not unset:
                made[key] = _default(each, (*loc, step))
        if len(faults) > before:
            return INVALID
        return list(made.values()) if model.is_array else made

    return convert


def guarded(convert: Convert) -> Convert:
    """Refuse an object within itself, for a model that contains itself."""

    def guard(value: Any, loc: Loc, faults: Faults) -> Any:
        if faults.open is None:
            faults.open = set()
        around, key = faults.open, (id(value), id(convert))
        if key in around:
            faults.append(Fault(loc, "is an object that contains itself", "recursion_loop"))
            return INVALID
        around.add(key)
        try:
            return convert(value, loc, faults)
        finally:
            around.discard(key)

    return guard


def _by_name(kind: type) -> FieldReader:
    def find(value: Any, loc: Loc, faults: Faults) -> Any:
        if type(value) is dict or isinstance(value, kind) or values.is_mapping(value):
            return value
        found = values.with_fields(value)
        if found is None:
            faults.append(Fault(loc, "must be an object", "model_type"))
        return found

    return find


def _by_position(kind: type, model: Model, fields: list[ResultField]) -> FieldReader:
    required = sum(each.field.is_required for each in fields)

    def find(value: Any, loc: Loc, faults: Faults) -> Any:
        if isinstance(value, kind) or values.is_mapping(value):
            return value
        found = values.with_fields(value)
        if found is not None:
            return found
        items = values.list_of(value)
        if items is None:
            faults.append(Fault(loc, "must be a list", "list_type"))
            return None
        if model.tag is not None and items[:1] == [model.tag[1]]:
            items = items[1:]
        if not required <= len(items) <= len(fields):
            fault = "too_short" if len(items) < required else "too_long"
            faults.append(Fault(loc, f"must have {len(fields)} items", fault))
            return None
        return {each.field.key: item for each, item in zip(fields, items)}

    return find


def _check_names(
    given: Any, tag: dict[str, Any], allowed: set[str] | None, loc: Loc, faults: Faults
) -> None:
    for name, value in tag.items():
        if given.get(name, value) != value:
            faults.append(Fault((*loc, name), f"must be `{value}`", "union_tag_invalid"))
    if allowed is not None:
        for name in given:
            if name not in allowed:
                faults.append(Fault((*loc, name), "is not a field", "extra_forbidden"))


def _has_default(field: ModelField) -> bool:
    return field.factory is not None or field.default is not ...


def _default(each: ResultField, loc: Loc) -> Any:
    """Return a default as it is sent; no class checks that of a field."""
    field, faults = each.field, Faults()
    value = field.default if field.factory is None else field.factory()
    made = each.convert(value, loc, faults)
    return value if faults else made


def _is_default(item: Any, field: ModelField) -> bool:
    """Report whether msgspec leaves out a field, in a Struct with `omit_defaults`."""
    if item is _MISSING or field.is_required:
        return not field.is_required
    if field.factory is not None:
        return field.factory is type(item) and not item
    return item is field.default or (type(item) is type(field.default) and item == field.default)
