"""The time of an async handler ends with the handler, however it ends."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snaxum import HTTPError
from snaxum._runtime import async_dispatch, respond
from snaxum._runtime.generations import Generation


class Marks:
    """An exchange that records the order of its calls."""

    id = 1

    def __init__(self) -> None:
        self.order: list[str] = []

    def cancelled(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.order.append(name)


def marks_of(handler: Callable[[object], Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(respond, "is_timed", True)
    monkeypatch.setattr(respond, "is_observed", True)
    monkeypatch.setattr(async_dispatch, "running", lambda: SimpleNamespace(pools={}))
    exchange = Marks()
    lease = SimpleNamespace(generation=Generation(1, cast(Any, None)), end=lambda: None)
    loop = SimpleNamespace(exchanges={}, end=lambda number: None)
    route = SimpleNamespace(call=handler, handler=handler, id="1", use_process_pool=False)
    asyncio.run(async_dispatch.run(*cast(Any, (loop, exchange, lease, route, None))))
    return exchange.order


async def succeeds(request: object) -> str:
    return "x"


async def fails(request: object) -> str:
    raise HTTPError(418)


@types.coroutine
def generates(request: object) -> Generator[Any, Any, str]:
    yield from asyncio.sleep(0).__await__()
    return "x"


STEP = ["resumed", "suspended"]


def test_a_handler_returns_before_its_response(monkeypatch: pytest.MonkeyPatch) -> None:
    assert marks_of(succeeds, monkeypatch) == ["began", *STEP, "returned", "respond_ok"]


def test_a_failing_handler_returns_before_its_response(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert marks_of(fails, monkeypatch) == ["began", *STEP, "returned", "fail"]


def test_a_generator_based_coroutine_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert marks_of(generates, monkeypatch) == ["began", "returned", "respond_ok"]
