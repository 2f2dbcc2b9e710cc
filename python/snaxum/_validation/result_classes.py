"""Results of the declared classes: whether a value has exactly the classes of a return type.

Owns the quick check that lets such a result pass as it is: it has no fields but the declared ones.
Never converts, and never reads a field that has no model in its type.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from . import models
from .faults import Unsupported
from .hints import NONE, is_alias, key_of, members, unwrap, with_arguments

Check = Callable[[Any], bool]
_ANY: Check = lambda value: True  # noqa: E731
_SINGLE = (str, bytes, int, float, bool, NONE)


class ClassChecks:
    """Builds the checks of one type; a model that contains itself is built once."""

    def __init__(self) -> None:
        self._models: dict[Any, list[Check]] = {}

    def of(self, annotation: Any) -> Check:
        """Return the check of a type: False means that the result has to be converted."""
        return self._part(annotation) or _ANY

    def _part(self, annotation: Any) -> Check | None:
        """Return the check; None if no part of the type is a model."""
        annotation = unwrap(annotation)[0]
        choices = [unwrap(each)[0] for each in members(annotation)]
        if len(choices) > 1:
            return self._union(choices)
        (kind,) = choices
        if models.is_model(kind):
            return self._model(kind)
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if is_alias(kind):
            return _refuse
        parts = [self._part(each) for each in args if not isinstance(each, list)]
        if all(each is None for each in parts):
            return None
        if origin is list and parts[0] is not None:
            return _list(parts[0])
        return _dict(parts[1]) if origin is dict and parts[1] is not None else _refuse

    def _union(self, choices: list[Any]) -> Check | None:
        parts = [(each, self._part(each)) for each in choices]
        checks = [check for _, check in parts if check is not None]
        if not checks:
            return None
        # Other members than models and single values may be an object of any class.
        is_simple = all(check or kind in _SINGLE for kind, check in parts)
        if not is_simple:
            return _refuse
        return lambda value: type(value) in _SINGLE or any(check(value) for check in checks)

    def _model(self, kind: Any) -> Check:
        base = typing.get_origin(kind) or kind
        if models.is_typed_dict(base):
            return _refuse  # a dict may have more keys
        if models.is_pydantic(base):
            # pydantic sends the declared fields of each inner model, whatever its class is.
            return lambda value: type(value) is base
        key = key_of(kind)
        known = self._models.get(key)
        if known is not None:
            inner = known
            return known[0] if known else lambda value: inner[0](value)
        known = self._models[key] = []
        arguments = dict(zip(getattr(base, "__parameters__", ()), typing.get_args(kind)))
        fields = [*models.read(base).fields, *models.made_fields(base)]
        named = [
            (each.name, self._part(with_arguments(each.annotation, arguments))) for each in fields
        ]
        parts = [(name, check) for name, check in named if check is not None]

        def check(value: Any) -> bool:
            return type(value) is base and all(of(getattr(value, name)) for name, of in parts)

        known.append(check if parts else lambda value: type(value) is base)
        return known[0]


def check_of(annotation: Any) -> Check:
    """Return the check of a return type; it refuses all results if a part is not known."""
    try:
        return ClassChecks().of(annotation)
    except (Unsupported, RecursionError):
        return _refuse


def _refuse(value: Any) -> bool:
    return False


def _list(item: Check) -> Check:
    return lambda value: type(value) is list and all(map(item, value))


def _dict(item: Check) -> Check:
    return lambda value: type(value) is dict and all(map(item, value.values()))
