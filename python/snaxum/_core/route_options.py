"""The options of a route: tags, summary, the model and the status of a result.

Owns their check, the conversion to the model, and the default status. Never sends a response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..http_errors import checked_status
from ..response import Response, has_status, to_response
from .handlers import Handler


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


def converted(
    call: Handler,
    model: Any,
    status: int | None,
    *,
    to_returned: Callable[[Any], Any] | None = None,
    is_async: bool,
) -> Handler:
    """Return `call` with results that have the model and the status of a route.

    `to_returned` converts to the model of the handler's return type, which counts without a
    `model`. Raises Unresolved or Unsupported for the model. Without all it is `call` itself.
    """
    if model is not None:
        call = _chained(call, _to_model(model), is_async=is_async)
    elif to_returned is not None:
        call = _chained(call, _of_body(to_returned, with_errors=False), is_async=is_async)
    if status is not None:
        call = _chained(call, _to_status(status), is_async=is_async)
    return call


def _to_model(model: Any) -> Callable[[Any], Any]:
    from .._validation.faults import Unresolved, Unsupported
    from .._validation.results import converter

    try:
        convert = converter(model)
    except Unresolved:
        raise
    except Unsupported as error:
        raise Unsupported(
            f"the `response_model` cannot be sent: {error}; use a model, or a type such as "
            "`list[Item]` of one"
        ) from None

    return _of_body(convert, with_errors=True)


def _of_body(convert: Callable[[Any], Any], *, with_errors: bool) -> Callable[[Any], Any]:
    """Return the conversion of a body, alone or with its status.

    `with_errors`: of a body with the status of an error, too.
    """

    def convert_result(result: Any) -> Any:
        if isinstance(result, Response):
            return result
        if type(result) is tuple and 2 <= len(result) <= 3:  # a body with its status
            if isinstance(result[0], Response) or (not with_errors and _is_error(result[1])):
                return result
            return (convert(result[0]), *result[1:])
        return convert(result)

    return convert_result


def _is_error(status: object) -> bool:
    return isinstance(status, int) and status >= 400


def _to_status(status: int) -> Callable[[Any], Any]:
    def convert_result(result: Any) -> Any:
        if has_status(result):
            return result
        response = to_response(result)
        response.status = status
        return response

    return convert_result


def _chained(call: Handler, convert: Callable[[Any], Any], *, is_async: bool) -> Handler:
    if is_async:

        async def call_async(*args: Any) -> Any:
            return convert(await call(*args))

        return call_async
    return lambda *args: convert(call(*args))
