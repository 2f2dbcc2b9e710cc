"""Lines that are printed go through unchanged, and are told of with their request."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from snaxum import state
from snaxum._masking import MASK
from snaxum._output import MAX_LINE, _Stream


class Told:
    def __init__(self) -> None:
        self.through = io.StringIO()
        self.lines: list[tuple[int | None, str, str]] = []
        self.stream = _Stream(self.through, "stdout", lambda *line: self.lines.append(line))


@pytest.fixture
def told() -> Iterator[Told]:
    yield Told()
    state.unpin_thread()


def test_a_line_is_told_of_when_it_ends(told: Told) -> None:
    print("a", end="", file=told.stream)  # type: ignore[call-overload]
    assert told.lines == []
    print("b\nc", file=told.stream)  # type: ignore[call-overload]
    assert told.lines == [(None, "stdout", "ab"), (None, "stdout", "c")]
    assert told.through.getvalue() == "ab\nc\n"


def test_a_line_belongs_to_the_request_that_its_thread_works_for(told: Told) -> None:
    state.pin_thread(state.Generation(1, None), 7)  # type: ignore[arg-type]
    told.stream.writelines(["x\n"])
    assert told.lines == [(7, "stdout", "x")]


def test_a_long_line_is_cut_and_says_so(told: Told) -> None:
    for _ in range(3):
        told.stream.write("x" * MAX_LINE)
    told.stream.write("\n")
    assert told.lines[0][2] == "x" * MAX_LINE + f"… ({2 * MAX_LINE} characters more)"
    assert len(told.through.getvalue()) == 3 * MAX_LINE + 1


def test_secrets_are_masked_in_what_is_told_and_odd_characters_cross(told: Told) -> None:
    told.stream.write("postgres://ada:hunter2@db \ud800\n")
    assert told.lines[0][2] == f"postgres://ada:{MASK}@db ?"


def test_everything_else_is_the_streams_own(told: Told) -> None:
    assert told.stream.isatty() is False
    told.stream.flush()
