"""Return types: the annotation of a result, and the model in it that removes other fields.

Owns what an annotation promises. Never converts a result, and never describes one.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._validation.faults import Unresolved, Unsupported
from .._validation.hints import NONE, is_class, members, resolve, unwrap
from ..markers import MISSING
from . import parameters
from .handlers import innermost


def read(handler: Any) -> Any:
    """Return the annotation of a function's result; MISSING if it is not known."""
    try:
        return _resolved(handler)
    except Unsupported:
        return MISSING  # imported for type checkers only


def converter_of(handler: Any, *, is_last: bool) -> Callable[[Any], Any] | None:
    """Return the function that removes what the declared model of a result does not have.

    None without one: no type is a model, or a result may be a value of another type, as in
    `Item | dict`. A result that does not fit raises ResultError. Raises Unresolved for a type that
    is not defined yet, unless `is_last`.
    """
    try:
        kind = _model_in(_resolved(handler))
        return None if kind is MISSING else _converter(kind)
    except Unresolved:
        if not is_last:
            raise
    except Unsupported:
        pass
    return None


def _converter(kind: Any) -> Callable[[Any], Any]:
    from .._validation.result_classes import check_of
    from .._validation.results import converter

    convert, has_its_classes = converter(kind), check_of(kind)

    def convert_result(result: Any) -> Any:
        if result is None or isinstance(result, str | bytes):
            return result  # it has no fields
        try:
            is_declared = has_its_classes(result)
        except RecursionError:  # an object within itself
            is_declared = False
        return result if is_declared else convert(result)

    return convert_result


def _model_in(annotation: Any) -> Any:
    """Return the part that is a model, or a list of them, or None; MISSING without one."""
    if annotation is MISSING:
        return MISSING
    found = [each for member in members(unwrap(annotation)[0]) for each in _bodies(member)]
    if not all(_is_single(each) or _has_model(each) for each in found):
        return MISSING
    return typing.Union[tuple(found)] if any(map(_has_model, found)) else MISSING  # noqa: UP007


def _is_single(kind: Any) -> bool:
    """Report whether values of a type have no fields that could be removed."""
    return any(kind is each for each in (None, NONE, str, bytes, int, float, bool))


def _resolved(handler: Any) -> Any:
    function = innermost(handler)
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    annotation = getattr(function, "__annotations__", {}).get("return", MISSING)
    if annotation is MISSING:
        return MISSING
    kind = resolve(annotation, *parameters.scope_of(function))
    is_stream = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if is_stream and (typing.get_origin(kind) or kind) is Iterable:  # no list, as elsewhere
        stream: Any = Iterator
        return stream[typing.get_args(kind)] if typing.get_args(kind) else stream
    return kind


def _bodies(kind: Any) -> list[Any]:
    """Return the types of the body: none of a `Response`, the first of `(body, status)`."""
    kind = unwrap(kind)[0]
    if is_class(kind) and any(each.__module__ == "snaxum.response" for each in kind.__mro__):
        return []
    args = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and 2 <= len(args) <= 3 and args[-1] is not Ellipsis:
        return [each for member in members(unwrap(args[0])[0]) for each in _bodies(member)]
    return [kind]


def _has_model(kind: Any) -> bool:
    from .._validation import models

    kind = unwrap(kind)[0]
    if models.is_model(kind):
        return True
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is list and args:
        return all(map(_has_model, members(unwrap(args[0])[0])))
    return origin is dict and bool(args) and all(map(_has_model, members(unwrap(args[1])[0])))
