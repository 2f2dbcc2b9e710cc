"""`no_capture` marks a handler, and `route` finds the mark."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from snaxum import no_capture
from snaxum.capture import is_private
from snaxum.routing import Route


def handler(request: object) -> str:
    return "ok"


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def outer(*args: Any) -> Any:
        return function(*args)

    return outer


class Callable_:
    __slots__ = ()

    @no_capture
    def __call__(self, request: object) -> str:
        return "ok"


def marked() -> Callable[..., Any]:
    return no_capture(functools.partial(handler))


@pytest.mark.parametrize(
    "found",
    [
        marked(),
        wrapped(marked()),
        no_capture(wrapped(handler)),
        functools.partial(marked()),
        functools.partial(wrapped(marked())),
        Callable_(),
    ],
)
def test_a_mark_is_found_through_decorators(found: Callable[..., Any]) -> None:
    assert is_private(found)
    assert Route("/x", None, found).to_dict("/")["no_capture"] is True


def test_an_unmarked_handler_is_not_private() -> None:
    class Odd:
        def __getattr__(self, name: str) -> str:
            return "yes"

        def __call__(self, request: object) -> str:
            return "ok"

    circle = wrapped(handler)
    circle.__wrapped__ = circle  # type: ignore[attr-defined]
    for each in (handler, wrapped(handler), functools.partial(handler), circle):
        assert not is_private(each)
    assert not is_private(Odd())
    assert Route("/x", None, handler).to_dict("/")["no_capture"] is False


def test_a_mark_changes_nothing_else() -> None:
    async def later(request: object) -> str:
        return "ok"

    assert no_capture(later) is later
    assert Route("/x", None, later).is_async


def test_an_object_without_attributes_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match="marks a function, not a str"):
        no_capture("/path")  # type: ignore[type-var]
    with pytest.raises(TypeError, match="cannot mark a Callable_; put it above the `def`"):
        no_capture(Callable_())
    with pytest.raises(TypeError, match="above the `def`"):
        no_capture(len)
