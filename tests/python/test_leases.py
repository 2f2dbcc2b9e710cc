"""Leases: the generation of each request, and the moment when a generation is drained.

Covers the count that a reload waits for before it ends old code. Never loads a module.
"""

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from snaxum._runtime import generations, leases
from snaxum._runtime.generations import Generation
from snaxum.routing import RouteTable


@pytest.fixture
def drained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Count requests, and collect a mark each time that an old generation is drained."""
    marks: list[bool] = []
    monkeypatch.setattr(leases, "_on_drained", lambda: marks.append(True))
    monkeypatch.setattr(generations, "serving", Generation(1, RouteTable([])))
    yield marks
    leases.unpin_thread()


def test_a_generation_is_drained_when_its_last_request_ends(drained: list[bool]) -> None:
    old = leases.enter(1)
    lease = leases.Lease(old)
    generations.publish(Generation(2, RouteTable([])))
    leases.leave(old)
    assert (leases.is_in_use(old), drained) == (True, [])
    lease.end()
    assert (leases.is_in_use(old), drained) == (False, [True])


def test_a_request_is_on_its_generation_until_its_last_lease_ends(drained: list[bool]) -> None:
    old = leases.enter(7)
    lease = leases.Lease(old)
    generations.publish(Generation(2, RouteTable([])))
    leases.leave(old)
    new = leases.enter(8)
    assert leases.generation_numbers() == {7: 1, 8: 2}
    lease.end()
    leases.leave(new)
    assert leases.generation_numbers() == {}


def test_a_request_that_begins_while_a_generation_is_replaced_is_on_the_new_one(
    drained: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = generations.current(), Generation(2, RouteTable([]))

    class Replacing(dict[int, leases._ThreadContext]):
        def get(self, *args: object) -> leases._ThreadContext | None:  # type: ignore[override]
            # `enter` has read what was current.
            generations.publish(new)
            return None

    with monkeypatch.context() as patched:
        patched.setattr(leases, "_contexts", Replacing())
        assert leases.enter(1) is new
        assert (leases.is_in_use(old), leases.is_in_use(new)) == (False, True)


def test_a_request_is_seen_while_it_moves_from_its_thread_to_a_lease(
    drained: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = leases.enter(1)
    generations.publish(Generation(2, RouteTable([])))
    open_leases: list[leases.Lease] = []

    class Moving(dict[int, leases._ThreadContext]):
        def values(self) -> Any:
            # `is_in_use` reads this place first.
            if not open_leases:
                open_leases.append(leases.Lease(old))
                leases.leave(old)
            return super().values()

    with monkeypatch.context() as patched:
        patched.setattr(leases, "_contexts", Moving(leases._contexts))
        assert leases.is_in_use(old)
        assert drained == []
        open_leases[0].end()
        assert (leases.is_in_use(old), drained) == (False, [True])


def test_a_generation_that_a_request_left_at_once_is_reported_as_drained(
    drained: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = generations.current(), Generation(2, RouteTable([]))
    seen: list[bool] = []

    class Replacing(leases._ThreadContext):
        __slots__ = ()

        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if value is old:
                # A reload ends here, and checks whether the old one is in use.
                generations.publish(new)
                seen.append(leases.is_in_use(old))

    with monkeypatch.context() as patched:
        contexts = {threading.get_ident(): Replacing()}
        patched.setattr(leases, "_contexts", contexts)
        assert leases.enter(1) is new
        assert (seen, leases.is_in_use(old), drained) == ([True], False, [True])


def test_requests_of_other_threads_use_a_generation(drained: list[bool]) -> None:
    old = generations.current()
    is_on, may_end = threading.Event(), threading.Event()

    def serve() -> None:
        generation = leases.enter(9)
        is_on.set()
        may_end.wait(10)
        leases.leave(generation)

    thread = threading.Thread(target=serve)
    thread.start()
    assert is_on.wait(10)
    generations.publish(Generation(2, RouteTable([])))
    assert (leases.is_in_use(old), drained, leases.generation_numbers()) == (True, [], {9: 1})
    may_end.set()
    thread.join()
    assert (leases.is_in_use(old), drained, leases.generation_numbers()) == (False, [True], {})


def test_a_lease_ends_once(drained: list[bool]) -> None:
    generation = generations.current()
    lease, other = leases.Lease(generation), leases.Lease(generation)
    lease.end()
    lease.end()
    del lease
    assert generation.leases == 1
    other.end()


def test_a_deleted_lease_ends(drained: list[bool]) -> None:
    generation = generations.current()

    async def never_begun(lease: leases.Lease) -> None:
        lease.end()

    coroutine = never_begun(leases.Lease(generation))
    assert generation.leases == 1
    coroutine.close()
    del coroutine
    gc.collect()
    assert generation.leases == 0


def test_the_caller_works_for_the_generation_that_it_entered(drained: list[bool]) -> None:
    generation = leases.enter(1)
    generations.publish(Generation(2, RouteTable([])))
    assert (leases.for_caller(), leases.request_id()) == (generation, 1)
    leases.leave(generation)
    assert leases.request_id() is None
    assert leases.for_caller() is generations.current()


def test_a_task_works_for_its_own_generation_whatever_its_thread_does(drained: list[bool]) -> None:
    generation = generations.current()
    context = contextvars.copy_context()
    context.run(leases.pin_task, generation, 7)
    generations.publish(Generation(2, RouteTable([])))
    assert context.run(leases.for_caller) is generation
    assert leases.for_caller() is generations.current()
    assert (context.run(leases.request_id), leases.request_id()) == (7, None)
