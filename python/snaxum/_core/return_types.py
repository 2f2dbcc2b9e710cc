"""Return types: the annotation of a result, and the model in it that removes other fields.

Owns what an annotation promises. Never converts a result, and never describes one.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .._validation.faults import Unresolved, Unsupported
from .._validation.hints import (
    NONE,
    is_alias,
    is_class,
    is_of_builtins,
    members,
    name_of,
    parts,
    resolve,
    union,
    unwrap,
    value_of,
)
from ..markers import MISSING
from . import parameters
from .handlers import is_generator, layers
from .records import record

_SINGLE = (None, NONE, str, bytes, int, float, bool)
_WAY_OUT = "add `response_model=Any` to the route to send all fields of the result"


def read(handler: Any) -> Any:
    """Return the annotation of a function's result; MISSING if it is not known."""
    try:
        kind = _resolved(handler, None)
        for _ in parts(kind):
            pass  # each alias has a value
    except Unsupported:
        return MISSING  # imported for type checkers only
    return kind


def converter_of(
    handler: Any, namespaces: parameters.Namespaces, *, is_last: bool
) -> Callable[[Any], Any] | None:
    """Return the function that removes what the declared model of a result does not have.

    None without one: no type is a model, a result may be a value of another type, as in
    `Item | dict`, or the annotation is for type checkers only. A result that does not fit raises
    ResultError. Raises Unresolved for a type that is not defined yet, unless `is_last`, and
    Unsupported for a model that cannot be read.
    """
    try:
        kind = _model_in(_resolved(handler, namespaces))
    except Unresolved:
        if not is_last:
            raise
        return None
    except Unsupported:
        return None
    if kind is MISSING:
        return None
    shown = name_of(kind)
    try:
        return _converter(kind, is_decorated=_declared(handler).is_inside)
    except Unresolved as error:
        raise Unresolved(
            f"the return type `{shown}` cannot be sent: {error}; define it, import it outside of "
            f"`if TYPE_CHECKING`, or {_WAY_OUT}"
        ) from None
    except Unsupported as error:
        reason = f"the return type `{shown}` cannot be sent: {error}"
        raise Unsupported(f"{reason}; {_WAY_OUT}") from None


def _converter(kind: Any, *, is_decorated: bool) -> Callable[[Any], Any]:
    from .._validation.result_classes import check_of
    from .._validation.results import converter

    convert, has_its_classes = converter(kind), check_of(kind)
    check = _related(kind) if is_decorated else None
    has_streams = any(typing.get_origin(each) is Iterable for each in members(kind))

    def convert_result(result: Any) -> Any:
        if result is None or isinstance(result, str | bytes):
            return result  # it has no fields
        if has_streams and isinstance(result, Iterator):
            return result
        try:
            is_declared = has_its_classes(result)
        except RecursionError:  # an object within itself
            is_declared = False
        if is_declared:
            return result
        if check is not None:
            check(result)
        return convert(result)

    return convert_result


def _related(kind: Any) -> Callable[[Any], None]:
    """Return the function that refuses a result of a decorator which has no field of the model."""
    from .._validation.result_fields import shares_a_field
    from .._validation.results import ResultError

    shares, shown = shares_a_field(kind), name_of(kind)

    def check(result: Any) -> None:
        if not shares(result):
            raise ResultError(
                f"the result does not fit `{shown}`, the return type of the function inside the "
                f"decorator: it has none of its fields; {_WAY_OUT}"
            )

    return check


def _model_in(annotation: Any) -> Any:
    """Return the part that is a model, or a list of them, or None; MISSING without one.

    Raises Unresolved or Unsupported for an alias.
    """
    if annotation is MISSING or is_of_builtins(annotation):
        return MISSING
    found = _bodies(annotation)
    # Only a body with its status is a tuple that is sent.
    if any(typing.get_origin(each) is tuple or not _is_known(each) for each in found):
        return MISSING
    if not any(map(_has_model, found)):
        return MISSING
    return union(found)


def _bodies(kind: Any, around: tuple[Any, ...] = ()) -> list[Any]:
    """Return the types of the body: none of a `Response`, the first of `(body, status)`."""
    kind = unwrap(kind)[0]
    if is_alias(kind):
        is_inside = any(each is kind for each in around)
        return [] if is_inside else _bodies(value_of(kind), (*around, kind))
    if len(members(kind)) > 1:
        return [body for each in members(kind) for body in _bodies(each, around)]
    if is_class(kind) and any(each.__module__ == "snaxum.response" for each in kind.__mro__):
        return []
    args = typing.get_args(kind)
    if typing.get_origin(kind) is tuple and 2 <= len(args) <= 3 and args[-1] is not Ellipsis:
        return _bodies(args[0], around)
    return [kind]


def _has_model(kind: Any) -> bool:
    from .._validation import models

    return any(map(models.is_model, parts(kind)))


def _is_known(kind: Any, around: tuple[Any, ...] = ()) -> bool:
    """Report whether each part is a model, a value without fields, or a list or dict of models."""
    from .._validation import models
    from .._validation.standard import DICTS, LISTS, SETS

    kind = unwrap(kind)[0]
    if is_alias(kind):
        inner = (*around, kind)
        return any(each is kind for each in around) or _is_known(value_of(kind), inner)
    if len(members(kind)) > 1:
        return all(_is_known(each, around) for each in members(kind))
    if models.is_model(kind) or any(kind is each for each in _SINGLE):
        return True
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    inside = [each for each in args if each is not Ellipsis]
    if origin in DICTS:
        del inside[:1]
    elif origin not in (*LISTS, *SETS, frozenset, tuple):
        return False
    return any(map(_has_model, inside)) and all(_is_known(each, around) for each in inside)


def _resolved(handler: Any, namespaces: parameters.Namespaces | None) -> Any:
    found = _declared(handler)
    if found.annotation is MISSING or is_of_builtins(found.annotation):
        return found.annotation
    if namespaces is None or not found.is_innermost:
        namespaces = parameters.namespaces_of(found.function)
    kind = resolve(found.annotation, *namespaces)
    if (typing.get_origin(kind) or kind) is not Iterable or not is_generator(found.function):
        return kind
    stream: Any = Iterator  # no list, as elsewhere
    return stream[typing.get_args(kind)] if typing.get_args(kind) else stream


@record(eq=False, repr=False)
class _Declared:
    """The annotation of a result, and the function that has its names."""

    annotation: Any
    function: Any
    # Whether the function has a decorator around it, and has no other function inside.
    is_inside: bool
    is_innermost: bool


def _declared(handler: Any) -> _Declared:
    """Return the declared result: a decorator's own, or that of the function inside.

    `functools.wraps` copies the annotation, so the innermost function with the same one has it.
    """
    around = layers(handler)
    found = _Declared(MISSING, handler, is_inside=False, is_innermost=True)
    for depth, each in enumerate(around):
        function = each if hasattr(each, "__globals__") else type(each).__call__
        annotation = getattr(function, "__annotations__", {}).get("return", MISSING)
        if found.annotation is MISSING or annotation is found.annotation:
            # A partial object passes on what its function returns.
            is_inside = any(not isinstance(outer, functools.partial) for outer in around[:depth])
            found = _Declared(annotation, function, is_inside, each is around[-1])
    return found
