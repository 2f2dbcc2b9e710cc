"""Records the calls of a request to databases and HTTP servers, for the console, in dev mode.

Owns the place in the user's code, the counts of repeated calls, the masks and the bounds. Never
makes a call, and never raises into one (`library_hooks` has the hooks).
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from .._core.late_regex import late
from .._core.objects import type_name
from .._host import HostApi, to_json
from .._reload.user_paths import display_path
from .._runtime import leases
from .profile_tree import kind_of
from .redact import MASK, is_secret, mask_beginning, mask_repr, mask_text

_log = logging.getLogger("snaxum")

MAX_TEXT = 2000
# The part of a statement that is read; the values of a longer one are hidden, as names may be.
MAX_READ = 16_000
MAX_VALUES = 400
# The most values that are shown of one call, and the most characters of one.
MAX_ITEMS = 12
MAX_ITEM = 80
# The most calls of a request that are reported each; of further ones only some, with their number.
MAX_ROWS = 300
SOME = 50
# The most requests, and the most different calls of one, that are counted.
MAX_REQUESTS = 512
MAX_GROUPS = 500
# The most frames between a call and the user's code.
MAX_DEPTH = 400

# Strings, whose end may be cut, and numbers.
_LITERAL = late(r"'(?:[^']|'')*(?:'|\Z)|(?<![\w$:@?.])\d[\d.]*\b")
# From the first quote on, where a backslash may be before a quote within a string.
_QUOTED = late(r"(?s)'.*'?|(?<![\w$:@?.])\d[\d.]*\b")
_VALUE = late(r"'(?:[^']|'')*'|\$\d+|\b\d[\d.]*\b|%\(\w+\)s|%s|[:@]\w+|\?")
_LIST = late(r"\?(?:\s*,\s*\?)+")
_WORD = late(r"[A-Za-z_]\w*")
# Their text is short, and their `str` runs no code of the user.
_STANDARD = ("datetime", "decimal", "uuid")

_host: HostApi | None = None
# Reentrant: a garbage collection within it may call a `__del__` that makes a call.
_lock = threading.RLock()
# By request, the newest last.
_requests: OrderedDict[int, _RequestCalls] = OrderedDict()
# Libraries whose calls use other ones: those are not reported a second time.
_covering: set[str] = set()


class _RequestCalls:
    """The calls of one request so far."""

    __slots__ = ("count", "groups")

    def __init__(self) -> None:
        self.count = 0
        # By the hash of library, text and place: an index, the number of calls, and their time.
        self.groups: dict[int, list[Any]] = {}


class Called:
    """A call that is under way; `end` reports it."""

    __slots__ = (
        "_began",
        "_kind",
        "_library",
        "_place",
        "_request",
        "_started",
        "_text",
        "_values",
    )

    def __init__(
        self, request: int, kind: str, library: str, text: str, values: str | None, place: Any
    ) -> None:
        self._request = request
        self._kind = kind
        self._library = library
        self._text = text
        self._values = values
        self._place = place
        self._began = time.time()
        self._started = time.perf_counter()

    def end(self, *, status: int | None = None, error: BaseException | None = None) -> None:
        """Report the call; `status` is that of an HTTP response."""
        try:
            seconds = time.perf_counter() - self._started
            _report(self, seconds, status, error)
        except Exception:  # an observer never breaks a call
            _log.debug("a call of %s is not shown", self._library, exc_info=True)

    def row(self) -> tuple[int, str, dict[str, Any]]:
        """Return the request, the text that groups it, and its row so far."""
        file, line, function = self._place or ("", 0, "")
        return (
            self._request,
            self._text,
            {
                "time_ms": round(self._began * 1e3, 3),
                "kind": self._kind,
                "library": self._library,
                "values": self._values,
                "file": file,
                "line": line,
                "function": function,
            },
        )


def use(host: HostApi) -> None:
    """Report calls to `host` from now on."""
    global _host
    _host = host


def covers(library: str) -> None:
    """Do not report calls that come from this library, which reports its own."""
    _covering.add(library)


def begin(kind: str, library: str, text: object, values: object = None) -> Called | None:
    """Begin a call; None if no request makes it, or a library that reports it itself."""
    try:
        request = leases.attributed_request()
        if request is None or _host is None:
            return None
        place, through = _find_place(sys._getframe(2))
        if through is not None and through != library:
            return None
        statement = (text if type(text) is str else str(text))[: MAX_READ + 1]
        return Called(request, kind, library, statement, _shown(values, statement), place)
    except Exception:
        _log.debug("a call of %s is not shown", library, exc_info=True)
        return None


def _find_place(frame: FrameType | None) -> tuple[tuple[str, int, str] | None, str | None]:
    """Return the innermost line of the user's code, and a library of `_covering` before it."""
    through: str | None = None
    for _ in range(MAX_DEPTH):
        if frame is None:
            frame = _outer_greenlet()
            if frame is None:
                break
        code = frame.f_code
        if kind_of(code.co_filename) == "user":
            name = getattr(code, "co_qualname", code.co_name)
            return (display_path(code.co_filename), frame.f_lineno or 0, name), through
        if through is None and _covering:
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package in _covering:
                through = package
        frame = frame.f_back
    return None, through


def _outer_greenlet() -> FrameType | None:
    """Return the frame that has started this greenlet: SQLAlchemy runs async drivers in one."""
    module = sys.modules.get("greenlet")
    current = module.getcurrent() if module is not None else None
    parent = getattr(current, "parent", None)
    frame = getattr(parent, "gr_frame", None)
    return frame if isinstance(frame, FrameType) else None


def _report(call: Called, seconds: float, status: int | None, error: BaseException | None) -> None:
    host = _host
    if host is None:
        return
    request, text, row = call.row()
    is_sql = row["kind"] == "sql"
    key = hash((row["library"], _similar(text, is_sql), row["file"], row["line"]))
    with _lock:
        calls = _requests.get(request)
        if calls is None:
            calls = _requests[request] = _RequestCalls()
            while len(_requests) > MAX_REQUESTS:
                _requests.popitem(last=False)
        calls.count += 1
        group = calls.groups.get(key)
        if group is None:
            if len(calls.groups) >= MAX_GROUPS:
                key = 0
            group = calls.groups.setdefault(key, [len(calls.groups), 0, 0.0])
        group[1] += 1
        group[2] += seconds
        number, (index, times, together) = calls.count, group
    if number > MAX_ROWS and number % SOME:
        return
    row["text"] = _masked_statement(text) if is_sql else mask_beginning(text, MAX_TEXT)[0]
    row.update(ms=round(seconds * 1e3, 3), status=status, error=_described(error))
    row.update(number=number, group=index, nth=times, group_ms=round(together * 1e3, 3))
    host.called(request, to_json(row))


def _described(error: BaseException | None) -> str | None:
    if error is None:
        return None
    name = type_name(type(error))
    message = error.args[0] if error.args and type(error.args[0]) is str else ""
    return mask_beginning(f"{name}: {message}" if message else name, MAX_VALUES, mask_text)[0]


@functools.lru_cache(maxsize=128)
def _similar(text: str, is_sql: bool) -> str:
    """Return a text without its values: calls that differ in these only are repeated ones."""
    text = text[:MAX_TEXT] if is_sql else text[:MAX_TEXT].partition("?")[0]
    return _LIST.sub("?", _VALUE.sub("?", text))


@functools.lru_cache(maxsize=128)
def _masked_statement(text: str) -> str:
    """Mask a statement; if it names a secret, all its strings and numbers."""
    text = text.strip()
    if _names_secret(text):
        literal = _QUOTED if "\\" in text else _LITERAL
        text = literal.sub(lambda found: f"'{MASK}'" if found[0][0] == "'" else MASK, text)
    shown, left = mask_beginning(text, MAX_TEXT, mask_text)
    return f"{shown}…" if left else shown


@functools.lru_cache(maxsize=128)
def _names_secret(statement: str) -> bool:
    if len(statement) > MAX_READ:
        return True
    return any(map(is_secret, set(_WORD.findall(statement))))


def _shown(values: object, statement: str) -> str | None:
    """Show the values of a statement, masked by their names, or by the names in the statement."""
    if isinstance(values, Mapping):
        if not values:
            return None
        shown = [
            f"{name}={MASK if is_secret(str(name)) else _shown_item(value)}"
            for name, value in list(values.items())[:MAX_ITEMS]
        ]
        count = len(values)
    elif isinstance(values, Sequence) and not isinstance(values, str | bytes) and values:
        first = values[0]
        if isinstance(first, Mapping | list | tuple):
            more = f"{len(values)} rows, the first: " if len(values) > 1 else ""
            return more + (_shown(first, statement) or "()")
        hides = _names_secret(statement)
        shown = [MASK if hides else _shown_item(value) for value in values[:MAX_ITEMS]]
        count = len(values)
    else:
        return None
    if count > MAX_ITEMS:
        shown.append(f"… {count - MAX_ITEMS} more")
    return mask_beginning(", ".join(shown), MAX_VALUES, mask_repr)[0]


def _shown_item(value: object) -> str:
    kind = type(value)
    if kind in (int, float, bool, type(None)):
        return repr(value)[:MAX_ITEM]
    if kind is str:
        text = str(value)
        return repr(text) if len(text) <= MAX_ITEM else f"{text[:MAX_ITEM]!r}…"
    if kind in (bytes, bytearray, memoryview):
        return f"<{len(value)} bytes>"  # type: ignore[arg-type]
    return str(value)[:MAX_ITEM] if kind.__module__ in _STANDARD else f"<{type_name(kind)}>"
