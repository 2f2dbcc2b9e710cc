"""Explains calls as other frameworks have them: a keyword, or parentheses after an attribute.

Owns the proof that a TypeError is about a name of `snaxum`, from the frame that failed. Never
changes the exception.
"""

from __future__ import annotations

import ast
import re
import sys
from types import FrameType, TracebackType

from .._core.foreign_names import explain_keyword
from .._core.objects import is_a
from ..blueprints import Declarations
from ..request import ATTRIBUTES, Request
from . import failed_line

_KEYWORD = re.compile(r"([\w.<>]+)\(\) got an unexpected keyword argument '(\w+)'")


def explain(message: str, trace: TracebackType | None) -> str | None:
    """Return the way out for the message of a TypeError, or None for any other."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    if found := _KEYWORD.match(message):
        return _of_keyword(found[1], found[2], trace.tb_frame)
    if message.endswith("object is not callable"):
        return _of_attribute(trace.tb_frame, trace.tb_lineno)
    return None


def _of_keyword(qualname: str, keyword: str, frame: FrameType) -> str | None:
    owner, _, name = qualname.removesuffix(".__init__").rpartition(".")
    explained = explain_keyword(name, keyword)
    if explained is None or owner not in ("", Declarations.__name__):
        return None
    return explained if _knows_us(frame) else None


def _knows_us(frame: FrameType) -> bool:
    """Report whether a public name, or the package, is a variable that the code can use."""
    package = sys.modules[__package__.partition(".")[0]]
    own = {id(vars(package).get(name)) for name in package.__all__} | {id(package)}
    values = (*frame.f_globals.values(), *frame.f_locals.values())
    return any(id(value) in own or type(value).__base__ is Declarations for value in values)


def _of_attribute(frame: FrameType, line: int) -> str | None:
    for node in failed_line.nodes(frame, line):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)):
                value = frame.f_locals.get(name, frame.f_globals.get(name))
                if is_a(value, Request) and attribute in ATTRIBUTES:
                    return (
                        f"`{name}.{attribute}` is a value and not a function; write it without "
                        "`()`, and without `await`"
                    )
    return None
