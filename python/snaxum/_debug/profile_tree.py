"""The samples of one profile, folded: where a request was how long, by function and by line.

Owns the bounds and the shape for the console. Never reads a stack (`stack_samples`).
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._core import own_files
from .._reload.user_paths import display_path, is_user_file
from .source_mask import mask_source

if TYPE_CHECKING:
    from .._reload.source_cache import SourceCache

# From the outermost call to the innermost; the line is 0 outside the user's code.
CallStack = list[tuple[CodeType, int]]

# The most functions of a tree, each counted once for each way to it; deeper calls count for their
# callers.
MAX_NODES = 1000
# The middle of a deeper stack is left out.
MAX_DEPTH = 96
# The most functions whose source is shown, and of one the most lines around those with samples.
MAX_SOURCES = 12
MAX_LINES = 160
CONTEXT = 3
# Functions with a smaller part of the time are not shown.
LEAST_PART = 0.001
LEAST_SOURCE = 0.01

# Generated code may have ever new names of files.
MAX_FILES = 10_000
_kinds: dict[str, str] = {}


def kind_of(file: str) -> str:
    """Return whose code a file is: `user`, `framework` or `library`."""
    kind = _kinds.get(file)
    if kind is None:
        if file.startswith(own_files.PREFIXES):
            kind = "framework"
        else:
            kind = "user" if is_user_file(file) else "library"
        if len(_kinds) >= MAX_FILES:
            _kinds.clear()
        _kinds[file] = kind
    return kind


class _Call:
    """A function, as one chain of callers has called it."""

    __slots__ = ("callees", "code", "own", "total")

    def __init__(self, code: CodeType | None) -> None:
        self.code = code
        self.own = 0.0
        self.total = 0.0
        self.callees: dict[CodeType, _Call] = {}


class ProfileTree:
    """Adds up samples, in seconds."""

    def __init__(self) -> None:
        """Make a tree without samples."""
        self.samples = 0
        # The time in which a coroutine was suspended.
        self.suspended = 0.0
        self.is_cut = False
        self._root = _Call(None)
        self._count = 0
        # By line of the user's functions: the time on the stack, and as the innermost such line.
        self._lines: dict[tuple[CodeType, int], list[float]] = {}

    @property
    def total(self) -> float:
        return self._root.total

    def add(self, stack: CallStack, time: float, *, is_suspended: bool) -> None:
        """Add a sample that stands for some time."""
        self.samples += 1
        if is_suspended:
            self.suspended += time
        if len(stack) > MAX_DEPTH:
            self.is_cut = True
            stack = stack[: MAX_DEPTH // 2] + stack[-MAX_DEPTH // 2 :]
        call = self._root
        call.total += time
        for code, _ in stack:
            callee = call.callees.get(code)
            if callee is None:
                if self._count >= MAX_NODES:
                    self.is_cut = True
                    break
                self._count += 1
                callee = call.callees[code] = _Call(code)
            callee.total += time
            call = callee
        call.own += time
        self._add_lines(stack, time)

    def _add_lines(self, stack: CallStack, time: float) -> None:
        last = None
        for place in set(stack):
            if place[1]:
                self._lines.setdefault(place, [0.0, 0.0])[0] += time
        for place in reversed(stack):
            if place[1]:
                last = place
                break
        if last is not None:
            self._lines[last][1] += time

    def calls(self) -> list[dict[str, Any]]:
        """List the functions, callers first; `caller` is the index of the caller, or null."""
        rows: list[dict[str, Any]] = []
        least = self.total * LEAST_PART
        waiting: list[tuple[_Call, int | None]] = [(self._root, None)]
        while waiting:
            call, caller = waiting.pop()
            index = caller
            if call.code is not None:
                index = len(rows)
                rows.append(_row(call, call.code, caller))
            heaviest = sorted(call.callees.values(), key=lambda callee: callee.total)
            waiting += [(callee, index) for callee in heaviest if callee.total >= least]
        return rows

    def sources(self, files: SourceCache | None) -> list[dict[str, Any]]:
        """List the functions of the user with their lines and the time of each, slowest first."""
        by_code: dict[CodeType, dict[int, list[float]]] = {}
        for (code, line), times in self._lines.items():
            by_code.setdefault(code, {})[line] = times
        found = [
            (max(total for total, _ in lines.values()), code, lines)
            for code, lines in by_code.items()
        ]
        found.sort(key=lambda each: -each[0])
        least = self.total * LEAST_SOURCE
        shown = [_source(code, lines, files) for slowest, code, lines in found if slowest >= least]
        return [source for source in shown[:MAX_SOURCES] if source["lines"]]


def _row(call: _Call, code: CodeType, caller: int | None) -> dict[str, Any]:
    return {
        "caller": caller,
        "function": _name(code),
        "file": display_path(code.co_filename),
        "line": code.co_firstlineno,
        "kind": kind_of(code.co_filename),
        "self_ms": _ms(call.own),
        "ms": _ms(call.total),
    }


def _source(
    code: CodeType, times: dict[int, list[float]], files: SourceCache | None
) -> dict[str, Any]:
    source = files.cached(code.co_filename) if files is not None else None
    texts = mask_source(source.text).lines if source is not None else []
    lines = []
    for number in _shown_lines(code, times):
        if number <= len(texts):
            total, own = times.get(number, (0.0, 0.0))
            row = {"line": number, "text": texts[number - 1], "self_ms": _ms(own), "ms": _ms(total)}
            lines.append(row)
    file = display_path(code.co_filename)
    return {"function": _name(code), "file": file, "line": code.co_firstlineno, "lines": lines}


def _shown_lines(code: CodeType, times: dict[int, list[float]]) -> Iterator[int]:
    """Yield the lines of a function; of a long one, those around the lines with samples."""
    first = code.co_firstlineno
    last = max([first, *(line for _, _, line in code.co_lines() if line is not None)])
    every = range(first, last + 1)
    if len(every) > MAX_LINES:
        near = {line + step for line in times for step in range(-CONTEXT, CONTEXT + 1)}
        yield from sorted(near.intersection(every))[:MAX_LINES]
    else:
        yield from every


def _name(code: CodeType) -> str:
    name: str = getattr(code, "co_qualname", code.co_name)
    return name


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)
