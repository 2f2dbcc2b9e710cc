"""Recognizes a handler that failed on a `request.body` of None: the client sent no JSON.

Owns the proof, from the line that failed, and the sentence for the client. Never changes the
exception, and never reads a body.
"""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType

from ..http import HTTPError, Request
from . import failed_line
from .traceback import message_of


def explain(error: BaseException, request: Request) -> tuple[int, str] | None:
    """Return the status and the sentence for a failure on `request.body`, or None for another."""
    if type(error) not in (TypeError, AttributeError) or "NoneType" not in message_of(error):
        return None
    try:
        # Unlike `request.body`, it does not read a body that the handler has not read.
        body = object.__getattribute__(request, "body")
    except AttributeError:
        return None
    if body is not None or not _fails_on_body(error.__traceback__):
        return None
    send = "send JSON with `content-type: application/json`"
    try:
        data = request.data
    except (HTTPError, RuntimeError):  # it was parsed as a form, or is read in chunks
        return 415, f"the body is `{request.content_type}`, not JSON; {send}"
    if not data:
        return 400, f"the request has no body; {send}"
    if data.strip() == b"null":
        return 400, "the body is `null`; send a JSON object or array"
    if request.content_type:
        return 415, f"the body is `{request.content_type}`, not JSON; {send}"
    return 400, f"the body is not valid JSON, and has no content type; {send}"


def _fails_on_body(trace: TracebackType | None) -> bool:
    """Report whether the innermost line subscripts, iterates or asks a None from `.body`."""
    if trace is None:
        return False
    callers: list[CodeType] = []
    while trace.tb_next is not None:
        callers.append(trace.tb_frame.f_code)
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    names = set(_names_of_body(code))
    if any("body" in caller.co_names for caller in callers):
        # A caller may have passed it as an argument, or defined this function beside it.
        names.update(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        names.update(code.co_freevars)
    for subject in _subjects(trace.tb_frame, trace.tb_lineno):
        if isinstance(subject, ast.Attribute) and subject.attr == "body":
            return True
        if isinstance(subject, ast.Name) and subject.id in names:
            return trace.tb_frame.f_locals.get(subject.id, "") is None
    return False


def _names_of_body(code: CodeType) -> Iterator[str]:
    """Yield the variables that the code assigns an attribute `body` to."""
    was_body = False
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("COPY", "DUP_TOP", "CACHE"):
            continue  # as in `(data := request.body)`
        if was_body and instruction.opname.startswith("STORE_"):
            stored = instruction.argval  # a pair for an instruction that also loads
            yield str(stored[0] if isinstance(stored, tuple) else stored)
        was_body = instruction.opname == "LOAD_ATTR" and instruction.argval == "body"


def _subjects(frame: FrameType, line: int) -> Iterator[ast.expr]:
    """Yield the expressions of a line that it subscripts, iterates, searches or asks."""
    for node in failed_line.nodes(frame, line):
        match node:
            case ast.Subscript(value=subject) | ast.Attribute(value=subject):
                yield subject
            case ast.For(iter=subject) | ast.Starred(value=subject):
                yield subject
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                yield from (each.iter for each in node.generators)
            case ast.Compare(comparators=subjects):
                yield from subjects
            case ast.Assign(targets=[ast.Tuple()], value=subject):
                yield subject
            case ast.Call(func=ast.Name(id=name), args=subjects) if hasattr(builtins, name):
                yield from subjects  # as in `len(request.body)`
            case ast.keyword(arg=None, value=subject):
                yield subject  # as in `User(**request.body)`
