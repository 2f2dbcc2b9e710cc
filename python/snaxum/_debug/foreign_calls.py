"""Explains uses of `snaxum` as other frameworks have them: a keyword, parentheses after an
attribute, a value of the path that the pattern does not have.

Owns the proof that an exception is about a name of `snaxum`, from the frame that failed. Never
changes the exception.
"""

from __future__ import annotations

import ast
import sys
from types import FrameType, TracebackType
from typing import Any

from .._core.foreign_names import explain_keyword
from .._core.late_regex import late
from .._core.objects import is_a
from ..blueprints import Declarations
from ..request import ATTRIBUTES, Request
from ..websockets import BlockingWebSocket, WebSocket
from . import failed_line

_KEYWORD = late(r"([\w.<>]+)\(\) got an unexpected keyword argument '(\w+)'")


def explain(message: str, trace: TracebackType | None) -> str | None:
    """Return the way out for the message of a TypeError, or None for any other."""
    trace = _innermost(trace)
    if trace is None:
        return None
    if found := _KEYWORD.match(message):
        if "; there is no `" in message:
            return None  # it has the way out
        return _of_keyword(found[1], found[2], trace.tb_frame)
    if message.endswith("object is not callable"):
        return _of_attribute(trace.tb_frame, trace.tb_lineno)
    return None


def explain_key(error: KeyError, trace: TracebackType | None) -> str | None:
    """Return the way out for a KeyError of `path_params`."""
    trace = _innermost(trace)
    if trace is None or len(error.args) != 1 or type(error.args[0]) is not str:
        return None
    name = error.args[0]
    for node in failed_line.nodes(trace.tb_frame, trace.tb_lineno):
        if not isinstance(node, ast.Subscript) or not _is_key(trace.tb_frame, node.slice, name):
            continue
        params = _path_params(trace.tb_frame, node.value)
        if params is not None and name not in params:
            if not params:
                return "the pattern of the route has no parameter; add it to the path as `<...>`"
            own = ", ".join(f"`{each}`" for each in params)
            return f"the pattern of the route has no `<{name}>`; its parameters are {own}"
    return None


def _is_key(frame: FrameType, node: ast.expr, name: str) -> bool:
    match node:
        case ast.Constant(value=key):
            return key == name
        case ast.Name(id=variable):
            key = _variable(frame, variable)
            return type(key) is str and key == name
    return False


def _path_params(frame: FrameType, node: ast.expr) -> dict[str, Any] | None:
    """Return the `path_params` that an expression names, if it does."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr="path_params"):
            owner = _variable(frame, name)
            if is_a(owner, WebSocket, BlockingWebSocket):
                owner = owner.request
            return owner.path_params if is_a(owner, Request) else None
        case ast.Name(id=name):  # `params = request.path_params` before
            value = _variable(frame, name)
            owners = [each for each in frame.f_locals.values() if is_a(each, Request)]
            return value if any(value is each.path_params for each in owners) else None
    return None


def _innermost(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _variable(frame: FrameType, name: str) -> Any:
    return frame.f_locals.get(name, frame.f_globals.get(name))


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
                if is_a(_variable(frame, name), Request) and attribute in ATTRIBUTES:
                    more = f"; the bytes are `{name}.data`" if attribute == "body" else ""
                    return (
                        f"`{name}.{attribute}` is a value and not a function; write it without "
                        f"`()`, and without `await`{more}"
                    )
    return None
