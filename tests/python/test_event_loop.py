"""A loop that a handler blocks is named and replaced, and ends with its tasks."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snaxum._runtime import loop_watch
from snaxum._runtime.event_loop import LoopThread
from snaxum._runtime.loop_watch import LoopWatch

WITHIN_S = 10.0
ROUTE = cast(Any, SimpleNamespace(handler_name="app.block", pattern="/block"))


class Host:
    """The pipe that wakes a loop."""

    def __init__(self) -> None:
        self.wake_fd, self._write = os.pipe()
        os.set_blocking(self.wake_fd, False)

    def wake_loop(self) -> None:
        os.write(self._write, b"0")

    def take_signals(self) -> list[int]:
        return []

    def defer_wakes(self) -> None: ...
    def flush_wakes(self) -> None: ...


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_loop_that_is_blocked_is_named_and_replaced_and_ends_when_it_comes_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_watch, "REPORT_AFTER_S", 0.1)
    host, go, ended = cast(Any, Host()), threading.Event(), []

    def make() -> LoopThread:
        return LoopThread(host, lambda: None)

    async def task(loop: LoopThread, name: str, waits: Callable[[], Any] | None = None) -> None:
        try:
            if waits is not None:
                await waits()
            ended.append(name)
        except asyncio.CancelledError:
            ended.append(f"{name} cancelled")
            raise
        finally:
            loop.forget(int(name))

    async def blocks() -> None:
        go.wait()

    async def continues() -> None:
        while not go.is_set():
            await asyncio.sleep(0.001)

    loops = [make()]
    first = loops[0]

    def replace(blocked: LoopThread) -> bool:
        loops.append(make())
        blocked.hand_over(loops[-1])
        return True

    watch = LoopWatch(0.2, replace)
    assert watch.check(first) is None
    first.spawn(1, ROUTE, task, "1", continues)
    until(lambda: bool(first._tasks))
    first.spawn(2, ROUTE, task, "2", blocks)
    until(lambda: 2 in first._tasks)
    first.spawn(3, ROUTE, task, "3")
    first.spawn(4, ROUTE, task, "4")
    first.cancel(4)
    with caplog.at_level(logging.WARNING):
        until(lambda: watch.check(loops[-1]) is None or len(loops) == 2)
    second = loops[-1]
    assert "app.block of /block (request 2)" in caplog.text
    assert "go.wait()" in caplog.text
    until(lambda: "3" in ended)
    assert second.requests() == [1, 2]

    go.set()
    until(lambda: not first.is_alive())
    assert sorted(ended) == ["1", "2", "3"]
    second.spawn(5, ROUTE, task, "5")
    until(lambda: "5" in ended)
    assert second.end_requests(1.0)
    second.stop()
    assert not second.is_alive()
