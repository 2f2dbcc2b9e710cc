"""A cancelled task ends alone: no other task of its worker is lost with it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from snaxum._pool.events import to_event
from snaxum._pool.pool import Pool
from snaxum._pool.process import WorkerProcess
from snaxum._pool.request_pool import RequestPool
from snaxum._pool.task import Task, load_reply
from snaxum._pool.worker import run
from snaxum._runtime.generations import Generation, publish


class Process:
    kills = 0

    def kill(self) -> None:
        self.kills += 1


class Pipe:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send_bytes(self, message: bytes) -> None:
        self.sent.append(message)


def task() -> Any:
    return SimpleNamespace(future=Future(), payload=b"a task")


def worker() -> tuple[Any, Process, Pipe]:
    """Make a worker without a process."""
    made: Any = object.__new__(WorkerProcess)
    process, pipe = Process(), Pipe()
    made.__dict__.update(task=None, task_since=0.0, was_killed=False, generation=0, _sources={})
    made.__dict__.update(_sending=threading.Lock(), _changing=threading.Lock())
    made.__dict__.update(_process=SimpleNamespace(popen=process), pid=1, _calls=pipe)
    return made, process, pipe


def pool(of: Any, after_check: Callable[[], None]) -> Pool:
    """Make a pool of one worker; `after_check` runs right after the pool has checked it."""
    made: Any = object.__new__(Pool)

    @contextmanager
    def checking() -> Iterator[None]:
        yield
        after_check()

    made.__dict__.update(_workers=[of], _waiting=deque(), _lock=checking())
    return cast(Pool, made)


GENERATION = Generation(0, cast(Any, None))


def test_a_cancelled_task_is_killed_with_its_worker() -> None:
    of, process, _ = worker()
    cancelled = task()
    of.send(cancelled, GENERATION)
    pool(of, lambda: None).kill_task(cancelled.future)
    assert (process.kills, of.was_killed) == (1, True)


def test_the_next_task_of_a_worker_is_not_killed_for_the_one_before() -> None:
    of, process, pipe = worker()
    cancelled = task()
    of.send(cancelled, GENERATION)

    def finish_and_start_another() -> None:
        of.task = None
        of.send(task(), GENERATION)

    pool(of, finish_and_start_another).kill_task(cancelled.future)
    assert (process.kills, of.was_killed, len(pipe.sent)) == (0, False, 2)


def test_a_worker_killed_during_its_reply_gets_no_task() -> None:
    of, _, pipe = worker()
    cancelled = task()
    of.send(cancelled, GENERATION)
    pool(of, lambda: None).kill_task(cancelled.future)
    assert of.take_task() is cancelled, "its reply was on the way"
    assert of.send(task(), GENERATION) is False
    assert (len(pipe.sent), of.task) == (1, None)


def test_a_worker_with_new_code_is_reported_once() -> None:
    of, _, _ = worker()
    events: list[dict[str, Any]] = []
    made: Any = pool(of, lambda: None)
    made._on_event = lambda text: events.append(json.loads(text))
    sources = SimpleNamespace(by_path=dict)
    second: Any = SimpleNamespace(number=2, sources=sources, ran={}, variables={})
    publish(second)
    try:
        assert made._send(of, task())
        assert made._send(of, task())
    finally:
        publish(GENERATION)
    assert [(each["change"], each["generation"]) for each in events] == [("updated", 2)]


def test_the_loop_does_not_wait_while_a_worker_gets_changed_code() -> None:
    of, _, pipe = worker()
    made: Any = pool(of, lambda: None)
    made.__dict__.update(_idle=[of], _closed=False, _problem=None, _on_event=None)
    made.__dict__.update(_starting=0, _not_started_at=0.0, _lock=threading.Lock())
    has_sent, by = threading.Event(), list[str]()

    def send_bytes(_: bytes) -> None:
        by.append(threading.current_thread().name)
        has_sent.set()

    async def submit(task: Task) -> None:
        made.run(task)
        assert await asyncio.to_thread(has_sent.wait, 60)
        has_sent.clear()

    pipe.send_bytes = send_bytes  # type: ignore[method-assign]
    sources = SimpleNamespace(by_path=dict)
    second: Any = SimpleNamespace(number=2, sources=sources, ran={}, variables={})
    publish(second)
    try:
        for _ in range(2):
            asyncio.run(submit(Task(max, (1, 2), {}, None)))
            made._idle.append(of)
    finally:
        publish(GENERATION)
    assert by == ["snaxum-send", "MainThread"]


def test_an_event_is_utf_8_whatever_the_task_is_called() -> None:
    events = json.loads(to_event("died", 1, task="tasks.half\ud800", exit_code=-9))
    assert (events["change"], events["pid"], events["task"]) == ("died", 1, "tasks.half?")


class Inline(Pool):
    """Runs each task at once, in this process."""

    def run(self, task: Task) -> Future[Any]:
        self.payloads = [*getattr(self, "payloads", []), task.payload]
        sent = time.monotonic()
        result = load_reply(run(task.payload))[0]
        task.end(sent)
        task.future.set_result(result)
        return task.future


def inline() -> Inline:
    return Inline(1, ({}, b""), [], "")


def test_the_pool_is_a_process_pool_executor_to_isinstance() -> None:
    for pool in (inline(), RequestPool(inline(), 1, 1.0)):
        assert isinstance(pool, ProcessPoolExecutor)
        assert isinstance(pool, Executor)
        with pool as same:
            assert same is pool
        assert list(pool.map(divmod, [7, 8], [2, 3])) == [(3, 1), (2, 2)]


def test_map_sends_chunks() -> None:
    pool = inline()
    assert list(pool.map(str, range(5), chunksize=2)) == ["0", "1", "2", "3", "4"]
    assert len(pool.payloads) == 3
    with pytest.raises(ValueError, match="chunksize"):
        pool.map(str, [1], chunksize=0)


def test_a_cancelled_request_submits_no_tasks() -> None:
    pool = RequestPool(inline(), 1, 1.0)
    pool.cancel()
    with pytest.raises(RuntimeError, match="the request was cancelled; it cannot submit more"):
        pool.submit(str, 1)


class Leaves:
    """Its client leaves while the task is pickled."""

    pool: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        Leaves.pool.cancel()
        return (str, ())


def test_a_task_is_not_submitted_if_the_request_is_cancelled_meanwhile() -> None:
    pool = Leaves.pool = RequestPool(inline(), 1, 1.0)
    with pytest.raises(RuntimeError, match="the request was cancelled"):
        pool.submit(str, Leaves())


def test_a_request_retains_the_times_and_not_the_results_of_tasks_that_have_ended() -> None:
    pool = RequestPool(inline(), 1, 1.0)
    first, second = pool.submit(str, 1), pool.submit(str, 2)
    result = weakref.ref(first)
    assert (first.result(), second.result()) == ("1", "2")
    del first
    assert result() is None
    count, waited, ran = pool.times()
    assert count == 2
    assert waited >= 0 < ran
