"""A call is ended when its time is over, where that is safe, and nothing is raised elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any

import pytest

from snaxum._debug import traceback
from snaxum._debug.repr_timeout import OutOfTime, TimeBox
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
    box = TimeBox(0.01, own_file=traceback.__file__)
    try:
        return box.call(function, value)
    except OutOfTime:
        return OutOfTime
    finally:
        box.close()


def test_a_loop_without_end_ends(of_user: Functions) -> None:
    assert called(of_user["endless"]) is OutOfTime


def test_one_that_swallows_it_is_told_again(of_user: Functions) -> None:
    assert called(of_user["swallowing"]) == "3 times"


def test_what_a_dataclass_calls_ends(of_user: Functions) -> None:
    pair = make_dataclass("Pair", ["one", "two"])(1, of_user["Endless"]())
    assert called(traceback._repr, [pair]) is OutOfTime


def test_a_library_is_waited_for() -> None:
    library = functions("/nowhere/library.py")

    def caller(value: object) -> Any:
        return library["until"](time.monotonic() + 0.05)

    assert called(caller) == "done"


def test_nothing_is_raised_once_a_call_has_returned(of_user: Functions) -> None:
    seen = set()
    for n in range(200):  # the end of the time and that of the call meet again and again
        deadline = time.monotonic() + 0.001
        box = TimeBox(0.001)
        try:
            seen.add(box.call(of_user["until"], deadline + (n % 20 - 5) * 0.004))
        except OutOfTime:
            seen.add("ended")
        box.close()
        of_user["until"](time.monotonic() + 0.002)
    assert seen == {"done", "ended"}


def shown(value: object) -> str:
    box = TimeBox(0.02, own_file=traceback.__file__)
    try:
        return traceback.safe_repr("value", value, box)
    finally:
        box.close()


def test_what_is_out_of_time_shows_its_type(of_user: Functions) -> None:
    assert shown(of_user["Endless"]()) == "<Endless: not shown, out of time>"


@pytest.mark.parametrize(
    "module", ["sqlalchemy.orm.session", "django.db.models.query", "socket", "ssl"]
)
def test_what_may_ask_a_database_or_a_peer_shows_its_type_only(module: str) -> None:
    def ask(self: object) -> str:
        raise AssertionError("it was asked")

    base = type("Base", (), {"__module__": module, "__repr__": ask})
    assert shown(type("Mine", (base,), {})()) == "<Mine>"
    other = type("Other", (), {"__module__": f"{module}io", "__repr__": lambda self: "asked"})
    assert shown(other()) == "asked"
