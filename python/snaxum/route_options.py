"""The options of a route: tags, summary, and the status of a result.

Owns their check, and the default status. Never sends a response.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._core.handlers import Handler
from .http_errors import checked_status
from .response import has_status, to_response


def described(
    tags: Iterable[str], summary: str, status: int | None
) -> tuple[tuple[str, ...], str, int | None]:
    """Check the description of a route. Raises TypeError or ValueError."""
    if isinstance(tags, str):
        raise TypeError(f"tags is a str; write `tags=[{tags!r}]`")
    names = tuple(tags)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"the tag {name!r} is not a str; write one such as 'orders'")
    if not isinstance(summary, str):
        raise TypeError(f"the summary {summary!r} is not a str; write one line of text")
    return names, summary, None if status is None else checked_status(status, 200)


def with_status(call: Handler, status: int, *, is_async: bool) -> Handler:
    """Return `call` with a result that has `status`, unless it has one of its own."""

    def convert(result: Any) -> Any:
        if has_status(result):
            return result
        response = to_response(result)
        response.status = status
        return response

    if is_async:

        async def call_async(*args: Any) -> Any:
            return convert(await call(*args))

        return call_async
    return lambda *args: convert(call(*args))
