"""Warm-ups, and calls of batches that are refused: what no test of the binary can wait for."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from snaxum import Batch, HTTPError
from snaxum._core.served_handlers import ServedHandler
from snaxum._pool import handler_pool
from snaxum._pool.handler_pool import HandlerPool
from snaxum._reload import warm_ups
from snaxum._reload.watchdog import LoadInterrupted
from snaxum._runtime import batch_calls, generations, leases
from snaxum._runtime.batches import Batches
from snaxum._runtime.generations import Generation
from snaxum.routing import RouteTable


class Newer(Exception):
    pass


def nothing() -> None:
    pass


def test_a_preparation_that_is_overtaken_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_ups, "CHECK_S", 0.001)
    seen: list[type[BaseException]] = []
    begun, ended = threading.Event(), threading.Event()

    def train() -> None:
        try:
            while not ended.is_set():
                begun.set()
        except BaseException as error:
            seen.append(type(error))
            raise
        finally:
            ended.set()

    def check() -> None:
        begun.wait()
        raise Newer

    with pytest.raises(Newer):
        warm_ups._Preparation(train).finish(check, "training", None)
    ended.wait()
    assert seen == [LoadInterrupted]


def test_a_slow_preparation_is_logged_with_its_stack_and_a_limited_one_ends(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(warm_ups, "CHECK_S", 0.001)
    monkeypatch.setattr(warm_ups, "SLOW_S", 0.0)
    gate = threading.Event()

    def load_from_a_slow_disk() -> None:
        gate.wait()

    with caplog.at_level(logging.WARNING), pytest.raises(TimeoutError):
        warm_ups._Preparation(load_from_a_slow_disk).finish(nothing, "the warm-up of x", 0.0)
    gate.set()
    (record,) = caplog.records
    assert record.getMessage().startswith("the warm-up of x has been running for 0 s\n")
    assert "load_from_a_slow_disk" in record.getMessage()


def test_a_preparation_that_raises_fails_with_its_error() -> None:
    error = OSError("no weights")

    def load() -> None:
        raise error

    with pytest.raises(warm_ups._Failed) as failed:
        warm_ups._Preparation(load).finish(nothing, "loading", None)
    assert failed.value.error is error


def predict(n: int) -> int:
    return n


def test_a_worker_whose_warm_up_never_ends_names_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_pool, "WARM_UP_TIMEOUT_S", 0.0)
    killed = threading.Event()
    worker: Any = SimpleNamespace(
        kill=killed.set, take_task=nothing, join=lambda kill: None, exit_code=-9
    )
    served = ServedHandler(predict, None, 1, None, with_pool=False)
    pool: Any = HandlerPool(served, ({}, b""), [], "")
    pool._send = lambda worker, task: True
    pool._receive = lambda worker: killed.wait() and None

    with pytest.raises(handler_pool.NotStarted, match="not ended within 0 s; load less"):
        pool._prepare(worker)


@pytest.fixture
def generation(monkeypatch: pytest.MonkeyPatch) -> Generation:
    made = Generation(1, RouteTable([]))
    monkeypatch.setattr(generations, "serving", made)
    monkeypatch.setattr(leases, "_on_drained", None)
    return made


def test_many_batches_in_a_row_are_refused_without_an_end_of_the_stack(
    generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = SimpleNamespace(start=lambda *_: False, cancel=lambda _: False)
    monkeypatch.setattr(batch_calls, "running", lambda: SimpleNamespace(batch_threads=threads))

    def handler(items: list[int]) -> list[int]:
        raise AssertionError("it has no thread")

    batches = Batches(ServedHandler(handler, Batch(1, 0), None, None, with_pool=False))

    async def all_of(count: int) -> list[Any]:
        calls = (batches.call(([n],), {}) for n in range(count))
        return await asyncio.gather(*calls, return_exceptions=True)

    refused = asyncio.run(all_of(2000))
    assert {(type(each), each.status) for each in refused} == {(HTTPError, 503)}


def test_a_call_on_the_loop_can_be_cancelled_before_it_begins(
    generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Any] = []

    async def handler(items: list[int]) -> list[int]:
        raise AssertionError("no request waits for it")

    async def cancel() -> None:
        loop = asyncio.get_running_loop()
        runtime = SimpleNamespace(loop=SimpleNamespace(loop=loop))
        monkeypatch.setattr(batch_calls, "running", lambda: runtime)
        served = ServedHandler(handler, Batch(), None, None, with_pool=False)
        request = batch_calls.Waiting(((1,), {}), loop, generation, 1, 0.0)
        ended = asyncio.Event()

        def on_end(call: object, ended_with: list[Any]) -> None:
            outcomes.extend(ended_with)
            ended.set()

        call = batch_calls.LoopCall(served, [request], on_end)
        assert call.cancel() is False
        call.start()
        await ended.wait()

    asyncio.run(cancel())
    ((_, error, _),) = outcomes
    assert isinstance(error, asyncio.CancelledError)
