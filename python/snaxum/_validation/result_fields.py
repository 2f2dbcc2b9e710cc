"""Fields that a result shares with a model: one without any belongs to another type.

Owns the check of a result that is not from the function which declares the model: a decorator may
put it into an object of its own. Never converts, and never runs a property.
"""

from __future__ import annotations

import inspect
import typing
from typing import Any

from . import models
from . import result_values as values
from .hints import members, unwrap
from .result_classes import Check
from .standard import DICTS, LISTS, SETS

_ANY: Check = lambda value: True  # noqa: E731
_MISSING = object()


def shares_a_field(annotation: Any) -> Check:
    """Return the function that reports whether each object of a result has a field of its model.

    An object without fields has nothing to lose. Raises Unresolved or Unsupported.
    """
    kind = unwrap(annotation)[0]
    if len(members(kind)) > 1:
        checks = [shares_a_field(each) for each in members(kind)]
        return lambda value: any(check(value) for check in checks)
    base, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if models.is_model(base):
        return _model(base)
    if base in (*LISTS, *SETS, frozenset) and args:
        item = shares_a_field(args[0])
        return lambda value: all(map(item, values.list_of(value) or ()))
    if base in DICTS and args:
        of_value = shares_a_field(args[1])
        return lambda value: all(map(of_value, (values.mapping_of(value) or {}).values()))
    # A value without fields, or a type that contains itself.
    return lambda value: not values.is_mapping(value)


def _model(kind: Any) -> Check:
    names = _names(kind)
    if not names:
        return _ANY

    def check(value: Any) -> bool:
        found = values.with_fields(value)
        if found is None or hasattr(type(found), "__getattr__"):
            return True  # not an object, or one of any fields
        if values.is_mapping(found):
            return not found or any(name in found for name in names)
        return any(inspect.getattr_static(found, name, _MISSING) is not _MISSING for name in names)

    return check


def _names(kind: Any) -> set[str]:
    """Return the names of the fields, in Python and in JSON; none if they are not all known."""
    if hasattr(kind, "model_fields"):
        infos = kind.model_fields.values()
        is_known = all(isinstance(e.validation_alias, str | None) for e in infos)
        if not is_known or models.extra_of_pydantic(kind) == "allow":
            return set()
        return {name for each in models.read_pydantic(kind) for name in (each.name, each.key)}
    model = models.read(kind)
    if model.is_array:
        return set()
    fields = [*model.fields, *models.made_fields(kind)]
    tag = {model.tag[0]} if model.tag else set()
    return tag | {name for each in fields for name in (each.name, each.key)}
