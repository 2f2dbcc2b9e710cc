"""Threads for blocking parts of requests: their bounds, and cancelled requests."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from snaxum._runtime.request_threads import RequestThreads

WITHIN_S = 10.0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_jobs_run_at_once_up_to_the_limit_and_more_wait() -> None:
    threads = RequestThreads("t", limit=2, max_waiting=1, max_stuck=9)
    go = threading.Event()
    ran: list[int] = []

    def job(number: int) -> None:
        go.wait()
        ran.append(number)

    for request in (1, 2, 3):
        assert threads.start(request, "h", partial(job, request))
    assert not threads.start(4, "h", go.set)
    assert threads.requests() == [1, 2, 3]
    go.set()
    until(lambda: sorted(ran) == [1, 2, 3] and not threads.requests())
    assert threads.start(5, "h", lambda: ran.append(5))
    until(lambda: 5 in ran)


def test_a_job_that_was_cancelled_is_replaced_up_to_the_limit_of_stuck_jobs() -> None:
    threads = RequestThreads("t", limit=1, max_waiting=9, max_stuck=1)
    go, ran = threading.Event(), []
    assert threads.start(1, "h", lambda: (go.wait(), None)[1])
    assert threads.start(2, "h", lambda: (go.wait(), None)[1])
    assert threads.start(3, "h", lambda: ran.append(3))
    assert not threads.cancel(1)
    assert not threads.cancel(2)
    assert not threads.is_exhausted()
    threads.report_overdue(0)
    assert threads.is_exhausted()
    assert threads.cancel(3)  # it waited
    assert not threads.start(4, "h", go.set)
    go.set()
    until(lambda: not threads.requests())
    assert threads.start(5, "h", lambda: ran.append(5))
    until(lambda: ran == [5])


def test_a_job_that_continues_is_logged_once_and_interrupted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    threads = RequestThreads("t", limit=1, max_waiting=0, max_stuck=1, interrupts=True)
    began, ended = threading.Event(), []

    def spin() -> None:
        try:
            while True:
                began.set()
                time.sleep(0.001)
        finally:
            ended.append(1)

    assert threads.start(1, "app.spin", spin)
    assert began.wait(WITHIN_S)
    threads.cancel(1)
    assert 50 < (threads.report_overdue(60) or 0) <= 60
    with caplog.at_level(logging.WARNING):
        assert threads.report_overdue(0) is None
        until(lambda: bool(ended) and not threads.requests())
        assert threads.report_overdue(0) is None
    assert len(caplog.records) == 1
    assert "app.spin" in caplog.text
    assert "in spin" in caplog.text
    assert threads.start(2, "h", lambda: ended.append(2))
    until(lambda: ended == [1, 2])


def test_a_thread_that_runs_another_request_meanwhile_is_not_interrupted() -> None:
    ends, begun, over = threading.Event(), threading.Event(), threading.Event()
    raised: list[BaseException] = []

    def second() -> None:
        begun.set()
        try:
            while not over.wait(0.001):
                pass
        except BaseException as error:
            raised.append(error)

    class Reporting(RequestThreads):
        def _report(self, *_: object) -> None:
            ends.set()
            until(lambda: not self.requests())
            assert self.start(2, "h", second)
            assert begun.wait(WITHIN_S)

    threads = Reporting("t", limit=1, max_waiting=0, max_stuck=1, interrupts=True)
    assert threads.start(1, "h", lambda: (ends.wait(), None)[1])
    assert not threads.cancel(1)
    threads.report_overdue(0)
    over.set()
    until(lambda: not threads.requests())
    assert not raised
