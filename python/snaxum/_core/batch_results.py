"""The arguments of one call for many requests, and their results in what it returns.

Owns their order: the result of a request has the position of its values. A pool worker uses it too.
Never calls a handler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .handlers import Handler, innermost, where

# The positional and the keyword arguments of one request.
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class BatchError(RuntimeError):
    """A batch handler returned something other than a list with one result for each request."""


class PoolPlace:
    """Stands for the pool among the arguments of a request, until its batch has one."""


POOL = PoolPlace()


def gather(requests: Sequence[Arguments], pool: Any = None) -> Arguments:
    """Return the arguments of one call for all `requests`: a list for each, and the pool once."""
    first_args, first_kwargs = requests[0]
    args = tuple(
        pool if value is POOL else [given[position] for given, _ in requests]
        for position, value in enumerate(first_args)
    )
    kwargs = {
        name: pool if value is POOL else [given[name] for _, given in requests]
        for name, value in first_kwargs.items()
    }
    return args, kwargs


def fill_pool(arguments: Arguments, pool: Any) -> Arguments:
    """Return the arguments of a request with the pool among them."""
    args, kwargs = arguments
    return (
        tuple(pool if value is POOL else value for value in args),
        {name: pool if value is POOL else value for name, value in kwargs.items()},
    )


def results_in(returned: Any, count: int, handler: Handler) -> list[Any]:
    """Return the results of `count` requests. Raises BatchError if there are not so many.

    `returned` is a list, an array of numpy or torch, or a series of pandas or polars.
    """
    results = returned
    if not isinstance(returned, list):
        convert = getattr(returned, "tolist", None) or getattr(returned, "to_list", None)
        is_class = isinstance(returned, type)
        results = convert() if callable(convert) and not is_class else None
    if not isinstance(results, list):
        what = f"a {type(returned).__name__}" if returned is not None else "None"
        raise BatchError(
            f"{_name(handler)} returned {what} for a batch of {count}; return a list with one "
            f"result for each request ({where(handler)})"
        )
    if len(results) != count:
        number = "1 result" if len(results) == 1 else f"{len(results)} results"
        raise BatchError(
            f"{_name(handler)} returned {number} for a batch of {count}; return one for each "
            f"request, in their order ({where(handler)})"
        )
    return results


def _name(handler: Handler) -> str:
    target = innermost(handler)
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    return f"`{getattr(target, '__module__', '?')}.{name}`"
