"""Turns an exception into plain data: frames, source lines, locals, causes.

Owns the description of a failure for the terminal, the error page and the console. The source is
the text that ran, not the current content of the file. Never raises, whatever an exception does,
and never prints.
"""

from __future__ import annotations

import importlib
import linecache
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FrameType, TracebackType
from typing import Any, cast

from .._core import own_files
from .._core.handlers import code_of, innermost
from .._core.late_regex import late
from .._core.objects import (
    attribute,
    is_a,
    module_of,
    type_name,
    type_qualname,
)
from .._reload import loader
from .._reload.user_paths import display_path, is_user_file
from ..templates import is_template
from .locals import LocalsReader
from .redact import mask_beginning, mask_text, rules
from .repr_timeout import DeadlineExceeded
from .source_mask import MaskedSource, mask_lines, mask_source, split_lines

MAX_FRAMES = 100
MAX_MESSAGE = 4096
MAX_CHAIN = 10
# The most exceptions of one group; `text` has all of them.
MAX_GROUP = 8
CONTEXT_LINES = 5

_IMPORTLIB = importlib.__file__
_INTERNAL = (*own_files.PREFIXES, "<frozen importlib")
# An exception may override these attributes; these getters read the exception itself.
trace_of: Callable[[BaseException], TracebackType | None]
trace_of = BaseException.__dict__["__traceback__"].__get__
_cause_of = BaseException.__dict__["__cause__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_suppresses_context = BaseException.__dict__["__suppress_context__"].__get__
_PRINTED_FILE = late(r'^\s*(?:[|+-]\s*)*File "(.+?)", line \d', re.MULTILINE)


def capture(error: BaseException, *, with_locals: bool) -> dict[str, Any]:
    """Describe `error` and its chain.

    Returns `type`, `message`, `hint`, `notes`, `frames` (oldest first), `cause`, `relation`,
    `exceptions` (of a group, PEP 654), and `text`, the usual lines.
    Columns are 0-based characters, or None.
    """
    if not with_locals:
        return _describe(error, None, set(), 0)
    # So that their first use does not count against the deadline, nor do the sources.
    rules()
    _read_sources(error)
    reader = LocalsReader()
    try:
        described = _describe(error, reader, set(), 0)
        reader.unfold()
        return described
    except DeadlineExceeded:  # it arrived after the last call
        return _describe(error, None, set(), 0)
    finally:
        reader.close()


def add_handler(failure: dict[str, Any], handler: object) -> None:
    """Add the handler's own line to a failure that no line of the user's code is part of.

    It returned a value that cannot be sent, or was called in a way that it does not allow.
    """
    code, function = code_of(handler), innermost(handler)
    if code is None or any(frame["user"] for frame in failure["frames"]):
        return
    module_globals = getattr(function, "__globals__", None)
    lines, line = _masked_source(code.co_filename, module_globals).lines, code.co_firstlineno
    for number in range(line, min(line + 50, len(lines) + 1)):
        if re.match(r"\s*(async\s+)?def\b|.*\blambda\b", lines[number - 1]):
            line = number  # decorators come before it
            break
    name = getattr(code, "co_qualname", code.co_name)
    frame = {
        "file": display_path(code.co_filename),
        "line": line,
        "end_line": None,
        "column": None,
        "end_column": None,
        "function": name,
        "user": is_user_file(code.co_filename),
        "source": _around(lines, line),
        "locals": [],
    }
    failure["frames"].insert(0, frame)
    shown = f"    {mask_text(lines[line - 1].strip())}\n" if line <= len(lines) else ""
    header = "Traceback (most recent call last):\n"
    failure["text"] = (
        f'{header}  File "{code.co_filename}", line {line}, in {name}\n{shown}'
        + failure["text"].removeprefix(header)
    )


def _read_sources(error: BaseException) -> None:
    chain = [error]
    for each in chain:
        for frame, _ in traceback.walk_tb(trace_of(each)):
            _masked_source(frame.f_code.co_filename, frame.f_globals)
        if len(chain) < MAX_CHAIN:  # a cycle is bounded too
            linked = _cause_of(each), _context_of(each), *_members(each)
            chain += [link for link in linked if link is not None]


def _describe(
    error: BaseException, reader: LocalsReader | None, seen: set[int], depth: int
) -> dict[str, Any]:
    seen.add(id(error))
    frames = list(_frames(trace_of(error), reader))
    if is_a(error, SyntaxError):
        frames += _syntax_frames(cast(SyntaxError, error))
    # A server without errors needs none of it. After the locals, whose time is limited.
    from .hints import hint_for

    message = message_of(error)
    data: dict[str, Any] = {
        "type": _type_name(error),
        "message": message,
        "hint": hint_for(error, trace_of(error), message),
        "notes": _notes(error),
        "frames": frames,
        "cause": None,
        "relation": None,
        "exceptions": [],
        "text": _text(error) if depth == 0 else "",
    }
    linked, relation = _cause_of(error), "cause"
    if linked is None and not _suppresses_context(error):
        linked, relation = _context_of(error), "context"
    if linked is not None and id(linked) not in seen and depth < MAX_CHAIN:
        data["cause"] = _describe(linked, reader, seen, depth + 1)
        data["relation"] = relation
    if depth < MAX_CHAIN:
        data["exceptions"] = [
            _describe(each, reader, seen, depth + 1)
            for each in _members(error)[:MAX_GROUP]
            if id(each) not in seen
        ]
    return data


def _members(error: BaseException) -> Sequence[BaseException]:
    # By name: Python 3.10 has groups only from a package.
    try:
        members = error.exceptions if "Group" in type_name(type(error)) else ()  # type: ignore[attr-defined]
        return [each for each in members if is_a(each, BaseException)]
    except BaseException:
        return ()


def _frames(tb: TracebackType | None, reader: LocalsReader | None) -> Iterator[dict[str, Any]]:
    entries: list[tuple[FrameType, int, tuple[int | None, ...]]] = []
    while tb is not None:
        entries.append((tb.tb_frame, tb.tb_lineno, _positions(tb)))
        tb = tb.tb_next
    entries = [entry for entry in entries if not is_internal(entry[0].f_code.co_filename)]
    if len(entries) > MAX_FRAMES:  # deep recursion: both ends matter
        entries = entries[: MAX_FRAMES // 2] + entries[-MAX_FRAMES // 2 :]
    for frame, line, (end_line, column, end_column) in entries:
        code = frame.f_code
        source = _masked_source(code.co_filename, frame.f_globals)
        user = is_user_file(code.co_filename) or is_template(code.co_filename)
        yield {
            "file": display_path(code.co_filename),
            "line": line,
            "end_line": end_line,
            "column": source.column(line - 1, column),
            "end_column": source.column((end_line or line) - 1, end_column),
            "function": getattr(code, "co_qualname", code.co_name),
            "user": user,
            "source": _around(source.lines, line),
            "locals": reader.describe(frame) if user and reader is not None else [],
        }


def is_internal(filename: str) -> bool:
    """Report whether a frame belongs to the framework or to the import machinery."""
    return filename.startswith(_INTERNAL) or filename == _IMPORTLIB


def _positions(tb: TracebackType) -> tuple[int | None, ...]:
    # PEP 657; not in Python 3.10.
    positions = getattr(CodeType, "co_positions", None)
    if positions is None or tb.tb_lasti < 0:
        return (None, None, None)
    for index, (start, end, column, end_column) in enumerate(positions(tb.tb_frame.f_code)):
        if index == tb.tb_lasti // 2:
            if start != tb.tb_lineno:
                break
            lines = _lines(tb.tb_frame.f_code.co_filename, tb.tb_frame.f_globals)
            return (
                end,
                _characters(lines, start, column),
                _characters(lines, end, end_column),
            )
    return (None, None, None)


def _characters(lines: list[str], line: int | None, offset: int | None) -> int | None:
    """Turn a UTF-8 byte offset in a line into characters."""
    if line is None or offset is None or not 0 < line <= len(lines):
        return None
    return len(lines[line - 1].encode("utf-8")[:offset].decode("utf-8", "replace"))


def _lines(filename: str, module_globals: dict[str, Any] | None) -> list[str]:
    text = loader.loaded_source(filename, module_globals)
    if text is not None:
        return split_lines(text)
    if is_template(filename):
        linecache.checkcache(filename)
    return [line.rstrip("\n") for line in linecache.getlines(filename, module_globals)]


def _masked_source(filename: str, module_globals: dict[str, Any] | None) -> MaskedSource:
    """Return the lines of a file as they are shown. Only the user's own files have secrets."""
    lines = _lines(filename, module_globals)
    return mask_source("\n".join(lines)) if is_user_file(filename) else MaskedSource(lines, {})


def _around(lines: list[str], line: int) -> list[dict[str, Any]]:
    first = max(1, line - CONTEXT_LINES)
    last = min(len(lines), line + CONTEXT_LINES)
    return [{"line": n, "text": lines[n - 1][:400]} for n in range(first, last + 1)]


def _syntax_frames(error: SyntaxError) -> list[dict[str, Any]]:
    """Return the place of a syntax error, if it names one."""
    try:
        return [_syntax_frame(error)] if error.filename and error.lineno else []
    except BaseException:  # a subclass may override anything
        return []


def _syntax_frame(error: SyntaxError) -> dict[str, Any]:
    filename, line = str(error.filename), error.lineno or 1
    column = error.offset - 1 if error.offset else None
    end = getattr(error, "end_offset", None)
    text = getattr(error, "source_text", None)
    if text is None:
        text = "\n".join(_lines(filename, None))
    source = mask_source(text)
    last_line = getattr(error, "end_lineno", None) or line
    shown = _around(source.lines, line) if text else []
    return {
        "file": display_path(filename),
        "line": line,
        "end_line": last_line,
        "column": source.column(line - 1, column),
        "end_column": source.column(last_line - 1, end - 1 if end and end > 0 else None),
        "function": "<module>",
        "user": is_user_file(filename),
        "source": shown or [{"line": line, "text": mask_source(error.text or "").lines[0]}],
        "locals": [],
    }


def _type_name(error: BaseException) -> str:
    module, name = module_of(type(error)), type_qualname(type(error))
    return name if module in ("", "builtins") else f"{module}.{name}"


def message_of(error: BaseException) -> str:
    """Return `str(error)`, masked and bounded."""
    try:
        text = str(error)
        if is_a(error, SyntaxError):
            text = cast(SyntaxError, error).msg or text
        return mask_beginning(text, MAX_MESSAGE)[0]
    except BaseException as failure:
        return f"<str raised {type_name(type(failure))}>"


def _notes(error: BaseException) -> list[str]:
    try:
        return [mask_text(note) for note in getattr(error, "__notes__", ()) if type(note) is str]
    except BaseException:
        return []


def _text(error: BaseException) -> str:
    try:
        lines = traceback.format_exception(type(error), error, _first_user(trace_of(error)))
    except BaseException:
        return f"{_type_name(error)}: {message_of(error)}\n"
    text = "".join(lines)
    if is_a(error, SyntaxError):
        line = attribute(error, "text")  # no module has been loaded from it
        if type(line) is str:
            text = mask_lines(text, [mask_source(line)], [split_lines(line)])
    return mask_printed(text)


def mask_printed(text: str) -> str:
    """Mask the secrets in a stack or a traceback as Python prints it."""
    names = [name for name in dict.fromkeys(_PRINTED_FILE.findall(text)) if is_user_file(name)]
    originals = [_lines(name, None) for name in names]
    return mask_text(
        mask_lines(text, [mask_source("\n".join(each)) for each in originals], originals)
    )


def _first_user(tb: TracebackType | None) -> TracebackType | None:
    while tb is not None and is_internal(tb.tb_frame.f_code.co_filename):
        tb = tb.tb_next
    return tb
