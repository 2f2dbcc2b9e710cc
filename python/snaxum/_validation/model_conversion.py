"""Models from JSON: an object by the names of its fields, or a list by their positions.

Owns the checks of a model as a whole: missing and unknown fields, tags, and what its class refuses.
The fields have converters already.
"""

from __future__ import annotations

from typing import Any

from .faults import INVALID, Convert, Fault, Faults, Loc
from .models import Model, ModelField

FieldConverters = list[tuple[ModelField, Convert]]


def build(model: Model, fields: FieldConverters) -> Convert:
    """Return the function that converts to a model."""
    return _array(model, fields) if model.is_array else _object(model, fields)


def _object(model: Model, fields: FieldConverters) -> Convert:
    names = {each.key for each, _ in fields}

    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        if not isinstance(value, dict):
            faults.append(Fault(loc, "must be an object", "model_type"))
            return INVALID
        if model.tag is not None and value.get(model.tag[0], model.tag[1]) != model.tag[1]:
            msg = f"must be `{model.tag[1]}`"
            faults.append(Fault((*loc, model.tag[0]), msg, "union_tag_invalid"))
            return INVALID
        before, made = len(faults), {}
        for each, of_field in fields:
            if each.key in value:
                made[each.name] = of_field(value[each.key], (*loc, each.key), faults)
            elif each.is_required:
                faults.append(Fault((*loc, each.key), "is missing", "missing"))
        if model.is_closed:
            allowed = names | {model.tag[0]} if model.tag else names
            for key in value:
                if key not in allowed:
                    faults.append(Fault((*loc, key), "is not a field", "extra_forbidden"))
        return INVALID if len(faults) > before else make_value(model, made, loc, faults)

    return convert


def _array(model: Model, fields: FieldConverters) -> Convert:
    required = sum(each.is_required for each, _ in fields)

    def convert(value: Any, loc: Loc, faults: Faults) -> Any:
        if not isinstance(value, list):
            faults.append(Fault(loc, "must be a list", "list_type"))
            return INVALID
        if not required <= len(value) or (len(value) > len(fields) and model.tag is None):
            kind = "too_short" if len(value) < required else "too_long"
            faults.append(Fault(loc, f"must have {len(fields)} items", kind))
            return INVALID
        start = 1 if model.tag else 0
        before = len(faults)
        made = {
            each.name: of_field(item, (*loc, at), faults)
            for at, ((each, of_field), item) in enumerate(zip(fields, value[start:]), start)
        }
        return INVALID if len(faults) > before else make_value(model, made, loc, faults)

    return convert


def make_value(model: Model, values: dict[str, Any], loc: Loc, faults: Faults) -> Any:
    """Make a model from its converted fields; its class may refuse them."""
    try:
        return model.make(values)
    except (ValueError, TypeError) as error:  # a `__post_init__` may raise it
        faults.append(Fault(loc, str(error) or type(error).__name__, "value_error"))
        return INVALID
