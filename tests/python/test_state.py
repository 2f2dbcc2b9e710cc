"""Generations: who is on which, and when one has nobody left.

Owns the count that a reload waits for before it ends old code. Never loads a module.
"""

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from snaxum import state
from snaxum.routing import RouteTable


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Count requests, and collect a mark each time that an old generation has none left."""
    marks: list[bool] = []
    monkeypatch.setattr(state, "_on_drained", lambda: marks.append(True))
    monkeypatch.setattr(state, "_current", state.Generation(1, RouteTable([])))
    yield marks
    state.unpin_thread()


def test_a_generation_is_drained_when_its_last_request_ends(drained: list[bool]) -> None:
    old = state.enter(1)
    lease = state.Lease(old)
    state.publish(state.Generation(2, RouteTable([])))
    state.leave(old)
    assert (old.is_in_use(), drained) == (True, [])
    lease.end()
    assert (old.is_in_use(), drained) == (False, [True])


def test_a_request_is_on_its_generation_until_its_last_stay_ends(drained: list[bool]) -> None:
    old = state.enter(7)
    lease = state.Lease(old)
    state.publish(state.Generation(2, RouteTable([])))
    state.leave(old)
    new = state.enter(8)
    assert state.generations() == {7: 1, 8: 2}
    lease.end()
    state.leave(new)
    assert state.generations() == {}


def test_a_request_that_begins_while_a_generation_is_replaced_is_on_the_new_one(
    drained: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = state.current(), state.Generation(2, RouteTable([]))

    class Replacing(dict[int, state._Stay]):
        def get(self, *args: object) -> state._Stay | None:  # type: ignore[override]
            # `enter` has read what was current.
            state.publish(new)
            return None

    with monkeypatch.context() as patched:
        patched.setattr(state, "_stays_of_threads", Replacing())
        assert state.enter(1) is new
        assert (old.is_in_use(), new.is_in_use()) == (False, True)


def test_a_request_is_seen_while_it_moves_from_its_thread_to_a_lease(
    drained: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = state.enter(1)
    state.publish(state.Generation(2, RouteTable([])))
    leases: list[state.Lease] = []

    class Moving(dict[int, state._Stay]):
        def values(self) -> Any:
            # Of the two places this one is looked at now.
            if not leases:
                leases.append(state.Lease(old))
                state.leave(old)
            return super().values()

    with monkeypatch.context() as patched:
        patched.setattr(state, "_stays_of_threads", Moving(state._stays_of_threads))
        assert old.is_in_use()
        assert drained == []
        leases[0].end()
        assert (old.is_in_use(), drained) == (False, [True])


def test_a_generation_that_a_request_only_passed_is_told_to_be_drained(
    drained: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = state.current(), state.Generation(2, RouteTable([]))
    seen: list[bool] = []

    class Replacing(state._Stay):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if value is old:
                # A reload ends here, and looks whether the old one can go.
                state.publish(new)
                seen.append(old.is_in_use())

    with monkeypatch.context() as patched:
        stays = {threading.get_ident(): Replacing()}
        patched.setattr(state, "_stays_of_threads", stays)
        assert state.enter(1) is new
        assert (seen, old.is_in_use(), drained) == ([True], False, [True])


def test_requests_of_other_threads_keep_a_generation(drained: list[bool]) -> None:
    old = state.current()
    is_on, may_end = threading.Event(), threading.Event()

    def stay() -> None:
        generation = state.enter(9)
        is_on.set()
        may_end.wait(10)
        state.leave(generation)

    thread = threading.Thread(target=stay)
    thread.start()
    assert is_on.wait(10)
    state.publish(state.Generation(2, RouteTable([])))
    assert (old.is_in_use(), drained, state.generations()) == (True, [], {9: 1})
    may_end.set()
    thread.join()
    assert (old.is_in_use(), drained, state.generations()) == (False, [True], {})


def test_a_lease_ends_once(drained: list[bool]) -> None:
    generation = state.current()
    lease, other = state.Lease(generation), state.Lease(generation)
    lease.end()
    lease.end()
    del lease
    assert generation.leases == 1
    other.end()


def test_a_lease_that_nobody_has_any_more_ends_by_itself(drained: list[bool]) -> None:
    generation = state.current()

    async def never_begun(lease: state.Lease) -> None:
        lease.end()

    coroutine = never_begun(state.Lease(generation))
    assert generation.leases == 1
    coroutine.close()
    del coroutine
    gc.collect()
    assert generation.leases == 0


def test_the_caller_works_for_the_generation_that_it_entered(drained: list[bool]) -> None:
    generation = state.enter(1)
    state.publish(state.Generation(2, RouteTable([])))
    assert (state.here(), state.request()) == (generation, 1)
    state.leave(generation)
    assert state.request() is None
    assert state.here() is state.current()


def test_a_task_works_for_its_own_generation_whatever_its_thread_does(drained: list[bool]) -> None:
    generation = state.current()
    context = contextvars.copy_context()
    context.run(state.pin_task, generation, 7)
    state.publish(state.Generation(2, RouteTable([])))
    assert context.run(state.here) is generation
    assert state.here() is state.current()
    assert (context.run(state.request), state.request()) == (7, None)
