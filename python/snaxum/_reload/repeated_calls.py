"""Recognises a call that works once in a process: the first load made it, and a reload cannot.

Owns the comparison of the failing line with the text that serves. An extension module raises
without a frame of its own, so the exception alone does not show that a library refused. Never runs
code of the user.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Callable
from types import TracebackType

from .model import Source


def is_repeated(error: BaseException, old: Callable[[str], Source | None]) -> bool:
    """Report whether compiled code raised in a call that the serving text makes too.

    `old` returns the serving text of a file.
    """
    trace = _last(error.__traceback__)
    if trace is None or isinstance(error, (ImportError, SyntaxError, SystemExit)):
        return False
    code = trace.tb_frame.f_code
    if not dis.opname[code.co_code[trace.tb_lasti]].startswith(("CALL", "PRECALL")):
        return False
    before = old(code.co_filename)
    loader = getattr(trace.tb_frame.f_globals.get("__spec__"), "loader", None)
    now = getattr(loader, "source", None)
    if before is None or not isinstance(now, Source):
        return False
    line = trace.tb_lineno
    return bool(_callees(now, line) & _callees(before, None))


def _last(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _callees(source: Source, line: int | None) -> set[str]:
    """Return the functions that a text calls, on one line or at all."""
    try:
        tree = ast.parse(source.content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {
        ast.unparse(call.func)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and (line is None or call.lineno <= line <= (call.end_lineno or call.lineno))
    }
