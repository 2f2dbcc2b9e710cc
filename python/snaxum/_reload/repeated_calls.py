"""Recognises a call that works once in a process: an earlier load made it, and a reload cannot.

Owns the comparison of the failing line with the texts that served. An extension module raises
without a frame of its own, so the exception alone does not show that a library refused. Never runs
code of the user.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from .._core.late_module import late_module
from .._core.objects import attribute, is_a
from .model import Node, Source

if TYPE_CHECKING:
    import ast
    import dis

    from .._debug import traceback
else:
    ast, dis = map(late_module, ("ast", "dis"))
    traceback = late_module("snaxum._debug.traceback")

# The most earlier texts of a file.
MAX_TEXTS = 8

_earlier: dict[str, deque[bytes]] = {}


def remember(nodes: Iterable[Node]) -> None:
    """Store the texts of runs that are replaced."""
    for node in nodes:
        if node.source is not None:
            texts = _earlier.setdefault(node.path, deque(maxlen=MAX_TEXTS))
            if node.source.content not in texts:
                texts.append(node.source.content)


def is_repeated(error: BaseException, serving: Iterable[Node]) -> bool:
    """Report whether compiled code raised in a call that an earlier text of the file made too."""
    trace = _last(traceback.trace_of(error))
    if trace is None or is_a(error, ImportError, SyntaxError, SystemExit):
        return False
    code = trace.tb_frame.f_code
    if not dis.opname[code.co_code[trace.tb_lasti]].startswith(("CALL", "PRECALL")):
        return False
    path = code.co_filename
    loader = attribute(trace.tb_frame.f_globals.get("__spec__"), "loader")
    now = attribute(loader, "source")
    if not is_a(now, Source):
        return False
    before = list(_earlier.get(path, ()))
    before += [node.source.content for node in serving if node.source and node.path == path]
    called = _callees(now.content, trace.tb_lineno)
    return any(called & _callees(text, None) for text in before)


def _last(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _callees(text: bytes, line: int | None) -> set[str]:
    """Return the functions that a text calls, on one line or at all."""
    try:
        return {
            ast.unparse(call.func)
            for call in ast.walk(ast.parse(text))
            if isinstance(call, ast.Call)
            and (line is None or call.lineno <= line <= (call.end_lineno or call.lineno))
        }
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
