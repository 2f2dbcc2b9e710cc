"""Profiles: the stacks of threads and of suspended tasks, and how samples add up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from snaxum._debug import profile_tree, stack_samples
from snaxum._debug.profile_tree import CallStack, ProfileTree
from snaxum._reload import user_paths


@pytest.fixture(autouse=True)
def _user_files() -> Iterator[None]:
    """Make this file one of the user's."""
    before = user_paths.roots(), user_paths.display_root()
    here = str(Path(__file__).parent)
    user_paths.configure([here], here)
    profile_tree._kinds.clear()
    yield
    user_paths.configure(*before)
    profile_tree._kinds.clear()


def names(stack: CallStack) -> list[str]:
    return [code.co_name for code, _ in stack]


def code_of(name: str) -> CodeType:
    scope: dict[str, Callable[[], None]] = {}
    exec(compile(f"def {name}(): pass", __file__, "exec"), scope)
    return scope[name].__code__


def test_a_stack_begins_with_the_first_call_outside_the_framework() -> None:
    import sys

    stacks: list[CallStack] = []

    def inner() -> None:
        stacks.append(stack_samples.of_thread(sys._getframe()))

    def outer() -> None:
        inner()

    thread = threading.Thread(target=outer)
    thread.start()
    thread.join()
    assert names(stacks[0]) == ["outer", "inner"]
    assert all(line > 0 for _, line in stacks[0])


def test_a_suspended_task_shows_its_coroutines_and_generators() -> None:
    async def wait(event: asyncio.Event) -> None:
        await event.wait()

    async def pieces(event: asyncio.Event) -> AsyncIterator[int]:
        yield 1
        await wait(event)

    async def consume(event: asyncio.Event) -> None:
        async for _ in pieces(event):
            pass

    async def wrapped(event: asyncio.Event) -> None:
        await Awaitable(wait(event))

    class Awaitable:
        def __init__(self, awaited: Any) -> None:
            self._awaited = awaited

        def __await__(self) -> Any:
            return (yield from self._awaited.__await__())

    async def main() -> list[list[str]]:
        event = asyncio.Event()
        tasks = [asyncio.create_task(each(event)) for each in (consume, wrapped)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = [names(stack_samples.of_task(task)) for task in tasks]
        event.set()
        await asyncio.gather(*tasks)
        return found

    consumed, awaited = asyncio.run(main())
    assert consumed == ["consume", "pieces", "wait", "wait"]
    assert awaited == ["wrapped", "__await__", "wait", "wait"]


def test_times_add_up_by_function_and_by_line() -> None:
    outer, inner = code_of("outer"), code_of("inner")
    tree = ProfileTree()
    tree.add([(outer, 1), (inner, 5)], 0.3, is_suspended=False)
    tree.add([(outer, 1), (inner, 6)], 0.2, is_suspended=True)
    tree.add([(outer, 2)], 0.1, is_suspended=False)

    rows = tree.calls()
    assert [(row["function"], row["caller"], row["ms"], row["self_ms"]) for row in rows] == [
        ("outer", None, 600.0, 100.0),
        ("inner", 0, 500.0, 500.0),
    ]
    assert {row["kind"] for row in rows} == {"user"}
    assert (tree.samples, tree.suspended, tree.is_cut) == (3, 0.2, False)
    assert tree._lines[outer, 1] == [0.5, 0.0]
    assert tree._lines[inner, 5] == [0.3, 0.3]


def test_a_recursive_line_counts_once() -> None:
    code = code_of("again")
    tree = ProfileTree()
    tree.add([(code, 3)] * 20, 0.5, is_suspended=False)
    assert tree._lines[code, 3] == [0.5, 0.5]


def test_a_tree_is_bounded() -> None:
    tree = ProfileTree()
    for number in range(profile_tree.MAX_NODES + 50):
        tree.add([(code_of(f"f{number}"), 1)], 0.001, is_suspended=False)
    assert tree.is_cut
    assert tree._count == profile_tree.MAX_NODES
    assert tree.total == pytest.approx((profile_tree.MAX_NODES + 50) * 0.001)

    deep = ProfileTree()
    stack = [(code_of(f"f{number}"), 1) for number in range(500)]
    deep.add(stack, 1.0, is_suspended=False)
    rows = deep.calls()
    assert deep.is_cut
    assert len(rows) == profile_tree.MAX_DEPTH
    assert (rows[0]["function"], rows[-1]["function"]) == ("f0", "f499")
