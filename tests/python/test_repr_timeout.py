"""A call ends at its deadline, where that is safe, and nothing is raised elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest

from snaxum._debug import locals as debug_locals
from snaxum._debug.repr_timeout import Deadline, DeadlineExceeded
from snaxum._reload import user_paths

FUNCTIONS = """
import time

def endless(value):
    while True:
        pass

def swallowing(value):
    count = 0
    while count < 3:
        try:
            while True:
                pass
        except BaseException:
            count += 1
    return f"{count} times"

def until(deadline):
    while time.monotonic() < deadline:
        pass
    return "done"

class Endless:
    def __repr__(self):
        endless(self)
"""

Functions = dict[str, Any]


@pytest.fixture
def of_user(tmp_path: Path) -> Iterator[Functions]:
    roots = user_paths.roots()
    user_paths.configure([str(tmp_path)], str(tmp_path))
    yield functions(str(tmp_path / "app.py"))
    user_paths.configure(roots, str(tmp_path))


def functions(filename: str) -> Functions:
    namespace: Functions = {"__name__": "app"}
    exec(compile(FUNCTIONS, filename, "exec"), namespace)
    return namespace


def called(function: Callable[[object], str], value: object = None) -> Any:
    limit = Deadline(0.01, own_files=(debug_locals.__file__,))
    try:
        return limit.call(function, value)
    except DeadlineExceeded:
        return DeadlineExceeded
    finally:
        limit.close()


def test_an_endless_loop_ends(of_user: Functions) -> None:
    assert called(of_user["endless"]) is DeadlineExceeded


def test_a_call_that_swallows_the_exception_gets_it_again(of_user: Functions) -> None:
    assert called(of_user["swallowing"]) == "3 times"


def test_a_repr_called_by_a_dataclass_ends(of_user: Functions) -> None:
    pair = make_dataclass("Pair", ["one", "two"])(1, of_user["Endless"]())
    assert called(debug_locals._repr, [pair]) is DeadlineExceeded


def test_a_library_is_waited_for() -> None:
    library = functions("/nowhere/library.py")

    def caller(value: object) -> Any:
        return library["until"](time.monotonic() + 0.05)

    assert called(caller) == "done"


def test_nothing_is_raised_once_a_call_has_returned(of_user: Functions) -> None:
    seen = set()
    for n in range(200):  # the deadline and the end of the call often coincide
        deadline = time.monotonic() + 0.001
        limit = Deadline(0.001)
        try:
            seen.add(limit.call(of_user["until"], deadline + (n % 20 - 5) * 0.004))
        except DeadlineExceeded:
            seen.add("ended")
        limit.close()
        of_user["until"](time.monotonic() + 0.002)
    assert seen == {"done", "ended"}


def shown(value: object) -> str:
    limit = Deadline(0.02, own_files=(debug_locals.__file__,))
    try:
        return debug_locals.safe_repr("value", value, limit)
    finally:
        limit.close()


def test_numbers_are_shown_however_late() -> None:
    late = Deadline(-1.0)
    assert [debug_locals.safe_repr("value", each, late) for each in (41, 1.5, None, True)] == [
        *("41", "1.5", "None", "True")
    ]
    assert debug_locals.safe_repr("value", "text", late) == "<str: not shown, out of time>"


def test_a_late_value_shows_its_type(of_user: Functions) -> None:
    assert shown(of_user["Endless"]()) == "<Endless: not shown, out of time>"


@pytest.mark.parametrize(
    "module", ["sqlalchemy.orm.session", "django.db.models.query", "socket", "ssl"]
)
def test_a_value_that_may_query_a_database_or_a_peer_shows_only_its_type(module: str) -> None:
    def ask(self: object) -> str:
        raise AssertionError("it was asked")

    base = type("Base", (), {"__module__": module, "__repr__": ask})
    assert shown(type("Mine", (base,), {})()) == "<Mine>"
    other = type("Other", (), {"__module__": f"{module}io", "__repr__": lambda self: "asked"})
    assert shown(other()) == "asked"
