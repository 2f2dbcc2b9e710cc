"""Results of Structs: the short way, where msgspec alone checks and writes a whole result.

Owns the choice of the types and values for which it gives the same as `result_builder`: each object
has exactly the class of its model, so msgspec sends no other field. Other results go the long way.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable
from typing import Any, Literal

from . import constraints, libraries, models
from .faults import INVALID
from .hints import NONE, is_class, key_of, members, unwrap, with_arguments
from .result_values import PLAIN, SCALARS

ResultCheck = Callable[[Any], bool]


class _Unfit(Exception):
    """A type that msgspec would send in another form, or read with other limits."""


def short_way(annotation: Any) -> Callable[[Any], Any] | None:
    """Return the function that converts a result, or returns INVALID; None for other types."""
    msgspec = libraries.msgspec()
    if msgspec is None:
        return None
    try:
        check = _Checks().of(annotation)
        decoder = msgspec.json.Decoder(annotation)
    except Exception:  # msgspec does not have the type
        return None
    if check is None:
        return None
    to_builtins, convert = msgspec.to_builtins, msgspec.convert

    def attempt(result: Any) -> Any:
        try:
            if not check(result):
                return INVALID
            made = to_builtins(result)
            convert(made, decoder.type)
        except Exception:  # the long way finds each fault
            return INVALID
        return made

    return attempt


class _Checks:
    """Builds the functions that report whether each object has the class of its model."""

    def __init__(self) -> None:
        self._is_in_struct = False
        self._models: dict[Any, list[ResultCheck]] = {}
        self._open: set[Any] = set()

    def of(self, annotation: Any) -> ResultCheck | None:
        """Return the function for a type; None if it has no model. Raises _Unfit."""
        annotation, metadata = unwrap(annotation)
        if constraints.needs_pydantic(metadata) or not constraints.is_of_msgspec(metadata):
            raise _Unfit
        choices = [each for each in members(annotation) if each not in (None, NONE)]
        if len(choices) != len(members(annotation)) or len(choices) > 1:
            return self._union(choices)
        base, args = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
        if base in PLAIN or base is Literal or (is_class(base) and issubclass(base, enum.Enum)):
            return None
        if base in SCALARS and self._is_in_struct:
            return None
        if base is list and args:
            return self._list(args[0])
        if base is dict and args and unwrap(args[0])[0] is str:
            return self._dict(args[1])
        if is_class(base) and (models.is_struct(base) or dataclasses.is_dataclass(base)):
            return self._model(annotation, base)
        raise _Unfit

    def _union(self, choices: list[Any]) -> ResultCheck | None:
        if len(choices) != 1:
            if all(each in PLAIN for each in choices):
                return None
            raise _Unfit
        check = self.of(choices[0])
        return None if check is None else lambda value: value is None or check(value)

    def _list(self, item: Any) -> ResultCheck | None:
        check = self.of(item)
        return (
            None if check is None else lambda value: type(value) is list and all(map(check, value))
        )

    def _dict(self, item: Any) -> ResultCheck | None:
        check = self.of(item)
        if check is None:
            return None
        return lambda value: type(value) is dict and all(map(check, value.values()))

    def _model(self, annotation: Any, base: type) -> ResultCheck:
        is_in_struct = self._is_in_struct or models.is_struct(base)
        key = key_of(annotation), is_in_struct
        known = self._models.setdefault(key, [])
        if known:
            return known[0]
        if key in self._open:  # inside its own fields
            return lambda value: known[0](value)
        self._open.add(key)
        model = models.read(base)
        has_own_start = hasattr(base, "__post_init__") or bool(models.made_fields(base))
        if has_own_start or model.is_closed or models.is_pydantic(base):
            raise _Unfit
        outer, self._is_in_struct = self._is_in_struct, is_in_struct
        arguments = dict(zip(getattr(base, "__parameters__", ()), typing.get_args(annotation)))
        checks = [(f.name, self.of(with_arguments(f.annotation, arguments))) for f in model.fields]
        self._is_in_struct = outer
        parts = [(name, check) for name, check in checks if check is not None]

        def check(value: Any) -> bool:
            return type(value) is base and all(of(getattr(value, name)) for name, of in parts)

        known.append(check if parts else lambda value: type(value) is base)
        return known[0]
