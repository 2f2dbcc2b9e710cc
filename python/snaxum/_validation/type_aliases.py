"""Aliases: the names of types by `type X = ...`, which may contain themselves.

Owns their values. An alias that is a part of itself stays an alias; any other one is read as its
value. Never converts a value.
"""

from __future__ import annotations

import sys
import typing
from typing import Any

from .faults import Unsupported
from .hints import resolve, unwrap


def is_alias(kind: Any) -> bool:
    """Report whether a type is an alias, of `typing` or of `typing_extensions`."""
    return type(kind).__name__ == "TypeAliasType"


def value_of(alias: Any) -> Any:
    """Return the type of an alias, without quotes. Raises Unresolved or Unsupported."""
    try:
        value = alias.__value__
    except RecursionError:
        raise
    except Exception as error:  # `type` evaluates it here
        raise Unsupported(f"the type `{alias.__name__}` has no value: {error}") from None
    return resolve(value, getattr(sys.modules.get(alias.__module__), "__dict__", {}), {})


def unwrap_until_recursion(annotation: Any) -> tuple[Any, list[Any]]:
    """Return a type as `unwrap` does; an alias that contains itself stays.

    Raises Unresolved or Unsupported.
    """
    annotation, metadata = unwrap(annotation, keeps_aliases=True)
    while is_alias(annotation) and not _is_recursive(annotation):
        annotation, more = unwrap(value_of(annotation), keeps_aliases=True)
        metadata = [*more, *metadata]
    return annotation, metadata


def _is_recursive(alias: Any) -> bool:
    """Report whether an alias is a part of its own value; a model in it is not searched."""
    waiting, seen = [value_of(alias)], set[int]()
    while waiting:
        each = waiting.pop()
        if each is alias:
            return True
        if isinstance(each, typing.NewType):
            waiting.append(each.__supertype__)
        elif is_alias(each):
            if id(each) not in seen:
                seen.add(id(each))
                waiting.append(value_of(each))
        elif isinstance(each, list):  # the parameters of a `Callable`
            waiting += each
        else:
            waiting += typing.get_args(each)
    return False
