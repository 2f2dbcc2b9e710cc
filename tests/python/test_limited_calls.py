"""Calls that are waited for a limited time."""

from __future__ import annotations

import threading

import pytest

from snaxum._core.limited_calls import call_within


def test_a_call_that_returns_in_time() -> None:
    threads: list[threading.Thread] = []
    assert call_within(60, lambda: threads.append(threading.current_thread()), "hook")
    assert [thread.name for thread in threads] == ["hook"]
    assert threads[0] is not threading.main_thread()


def test_a_longer_call_continues() -> None:
    may_end, has_ended = threading.Event(), threading.Event()

    def wait() -> None:
        may_end.wait()
        has_ended.set()

    assert not call_within(0.001, wait)
    may_end.set()
    assert has_ended.wait(60)


def test_an_interpreter_that_starts_no_thread_calls_it_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    called: list[threading.Thread] = []
    assert call_within(60, lambda: called.append(threading.current_thread()))
    assert called == [threading.current_thread()]
