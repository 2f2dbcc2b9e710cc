"""The syntax of the line that failed.

Owns the way from a frame to the nodes of one line. Never runs the code.
"""

from __future__ import annotations

import ast
import linecache
import textwrap
from collections.abc import Iterator
from types import FrameType

from .._reload import loader


def nodes(frame: FrameType, line: int) -> Iterator[ast.AST]:
    """Yield the nodes that are on a line, as it was loaded; none if it has no source."""
    file = frame.f_code.co_filename
    source = loader.loaded_source(file, frame.f_globals)
    if source is None:
        source = "".join(linecache.getlines(file, frame.f_globals))
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        first = getattr(node, "lineno", line + 1)
        if first <= line <= getattr(node, "end_lineno", first):
            yield node
