"""The local variables of frames as text, bounded in time and size, without secrets.

Owns the `repr` of each value, and of its parts once all values are shown. Never raises, whatever a
`__repr__` or an attribute does, and ends a slow one at a deadline.
"""

from __future__ import annotations

import math
import time
from collections import deque
from types import FrameType
from typing import Any, cast

from .._core.objects import type_mro, type_name, type_namespace
from ..http import Headers, Request
from . import parts
from .redact import MASK, is_secret, mask_beginning, mask_repr
from .repr_timeout import Deadline, DeadlineExceeded

MAX_LOCALS = 50
MAX_REPR = 1024
# The same for a part of a value, the most parts of one traceback, and how deep they unfold.
MAX_PART_REPR = 200
MAX_PARTS = 200
MAX_DEPTH = 3
# The most tracebacks that unfold in a second: a handler that fails all the time stays quick.
MAX_UNFOLDED = 20
# The time for all `repr` calls of one traceback; later values show only their type, but numbers.
REPR_BUDGET_S = 0.020
# The part of it for one value: a value that never ends hides none of the others.
VALUE_BUDGET_S = 0.008
# Classes whose objects show only their type: their `repr` may query a database or a peer.
OPAQUE = (
    "socket.",
    "ssl.",
    "sqlalchemy.engine.",
    "sqlalchemy.ext.asyncio.",
    "sqlalchemy.orm.query.",
    "sqlalchemy.orm.scoping.",
    "sqlalchemy.orm.session.",
    "django.db.backends.",
    "django.db.models.manager.",
    "django.db.models.query.",
    "django.db.utils.",
)

_NUMBERS = frozenset({bool, complex, float, int, type(None)})  # quick, whatever their value
_PLAIN = _NUMBERS | {bytes, str}


class LocalsReader:
    """Describes the variables of the frames of one traceback. Close it after the last."""

    def __init__(self) -> None:
        self._deadline = repr_deadline()
        # Described values whose parts are still to come, each with its depth.
        self._values: list[tuple[dict[str, Any], object]] = []

    def describe(self, frame: FrameType) -> list[dict[str, Any]]:
        """List the variables of a frame; the values that are late show only their type."""
        names = [name for name in frame.f_locals if not (name[:2] == "__" == name[-2:])]
        shown = []
        for name in names[:MAX_LOCALS]:
            value = frame.f_locals[name]
            row = _row(name, safe_repr(name, value, self._deadline))
            shown.append(row)
            if not _is_hidden(name, value):
                self._values.append((row, value))
        if len(names) > MAX_LOCALS:
            shown.append(_row("…", f"{len(names) - MAX_LOCALS} more"))
        return shown

    def unfold(self) -> None:
        """Add the parts of the values, of the newest frame first, while there is time."""
        if not _may_unfold():
            return
        # Breadth first: the parts of all values come before the parts of a part.
        level, left = self._values[::-1], MAX_PARTS
        for _ in range(MAX_DEPTH):
            below: list[tuple[dict[str, Any], object]] = []
            for row, value in level:
                if left <= 0 or self._deadline.is_exceeded():
                    return
                found = self._parts(value, row["value"])
                if found is parts.NOTHING:
                    continue
                row["kind"] = type_name(type(value))
                if found.shape is not None:
                    row["shape"] = found.shape
                row["parts"] = []
                for part in found.parts[:left]:
                    text = safe_repr(part.name, part.value, self._deadline, MAX_PART_REPR)
                    inner = _row(_shown_name(part.name), text, part.kind)
                    row["parts"].append(inner)
                    if part.kind is None and not _is_hidden(part.name, part.value):
                        below.append((inner, part.value))
                left -= len(found.parts)
            level = below

    def _parts(self, value: object, text: str) -> parts.ValueParts:
        try:
            return self._deadline.call(lambda each: parts.unfold(each, text), value)
        except BaseException:  # DeadlineExceeded, or whatever a hostile value raises
            return parts.NOTHING

    def close(self) -> None:
        """Stop the thread that watches the clock."""
        self._values.clear()
        self._deadline.close()


# When tracebacks began to unfold, the newest last.
_unfolded: deque[float] = deque([-math.inf] * MAX_UNFOLDED, MAX_UNFOLDED)


def _may_unfold() -> bool:
    now = time.monotonic()
    if now - _unfolded[0] < 1:
        return False
    _unfolded.append(now)
    return True


def _shown_name(name: str) -> str:
    """Return the name of a part; a key may be any text."""
    return mask_beginning(name, MAX_PART_REPR, mask_repr)[0]


def repr_deadline() -> Deadline:
    """Begin the time for the values of one traceback."""
    own = (_repr.__code__.co_filename, parts.unfold.__code__.co_filename)
    return Deadline(REPR_BUDGET_S, own_files=own, call_seconds=VALUE_BUDGET_S)


def _row(name: str, value: str, kind: str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "value": value}
    if kind is not None:
        row["kind"] = kind
    return row


def safe_repr(name: str, value: object, deadline: Deadline, size: int = MAX_REPR) -> str:
    """Return `repr(value)`, bounded in time and size, with secrets masked by `name`."""
    kind = type_name(type(value))
    if is_secret(name):
        return MASK
    if issubclass(type(value), Request):  # `isinstance` would ask the value itself
        return f"<{kind} {cast(Request, value).method}>"  # its path and query may contain secrets
    if _is_opaque(type(value)):
        return f"<{kind}>"
    if (short := parts.summary(value)) is not None:
        return short
    late = f"<{kind}: not shown, out of time>"
    if type(value) not in _NUMBERS and deadline.is_exceeded():
        return late
    try:
        text = repr(value) if type(value) in _PLAIN else deadline.call(_repr, value)
    except DeadlineExceeded:
        return late
    except BaseException as error:  # a hostile __repr__ may even raise SystemExit
        return f"<{kind}: repr raised {type_name(type(error))}>"
    shown, _ = mask_beginning(text, size, mask_repr)
    return shown if len(text) <= size else f"{shown}… ({len(text)} characters)"


def _is_hidden(name: str, value: object) -> bool:
    """Report whether a value shows none of its parts."""
    return is_secret(name) or issubclass(type(value), Request) or _is_opaque(type(value))


def _is_opaque(kind: type) -> bool:
    modules = [type_namespace(each).get("__module__") for each in type_mro(kind)]
    return any(type(name) is str and f"{name}.".startswith(OPAQUE) for name in modules)


def _repr(value: object) -> str:
    return str.__str__(repr(_without_secrets(value)))  # a subclass of str may override anything


def _without_secrets(value: object) -> object:
    """Mask the secrets of a mapping by their keys, one level deep."""
    if type(value) is dict or isinstance(value, Headers):
        return {key: MASK if is_secret(str(key)) else item for key, item in value.items()}
    return value
