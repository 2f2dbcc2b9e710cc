"""The local variables of a frame as text, bounded in time and size, without secrets.

Owns the `repr` of each value. Never raises, whatever a `__repr__` does, and ends a slow one at a
deadline.
"""

from __future__ import annotations

from types import FrameType
from typing import cast

from .._core.objects import type_mro, type_name, type_namespace
from ..http import Headers, Request
from .redact import MASK, is_secret, mask_beginning, mask_repr
from .repr_timeout import Deadline, DeadlineExceeded

MAX_LOCALS = 50
MAX_REPR = 1024
# The time for all `repr` calls of one traceback; later values show only their type, but numbers.
REPR_BUDGET_S = 0.020
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


def repr_deadline() -> Deadline:
    """Begin the time for the values of one traceback."""
    return Deadline(REPR_BUDGET_S, own_file=_repr.__code__.co_filename)


def describe_locals(frame: FrameType, deadline: Deadline) -> list[dict[str, str]]:
    """List the variables of a frame; the values that are late show only their type."""
    shown: list[dict[str, str]] = []
    names = [name for name in frame.f_locals if not (name.startswith("__") and name.endswith("__"))]
    for name in names[:MAX_LOCALS]:
        shown.append({"name": name, "value": safe_repr(name, frame.f_locals[name], deadline)})
    if len(names) > MAX_LOCALS:
        shown.append({"name": "…", "value": f"{len(names) - MAX_LOCALS} more"})
    return shown


def safe_repr(name: str, value: object, deadline: Deadline) -> str:
    """Return `repr(value)`, bounded in time and size, with secrets masked by `name`."""
    kind = type_name(type(value))
    if is_secret(name):
        return MASK
    if issubclass(type(value), Request):  # `isinstance` would ask the value itself
        return f"<{kind} {cast(Request, value).method}>"  # its path and query may contain secrets
    if _is_opaque(type(value)):
        return f"<{kind}>"
    late = f"<{kind}: not shown, out of time>"
    if type(value) not in _NUMBERS and deadline.is_exceeded():
        return late
    try:
        text = repr(value) if type(value) in _PLAIN else deadline.call(_repr, value)
    except DeadlineExceeded:
        return late
    except BaseException as error:  # a hostile __repr__ may even raise SystemExit
        return f"<{kind}: repr raised {type_name(type(error))}>"
    shown, _ = mask_beginning(text, MAX_REPR, mask_repr)
    return shown if len(text) <= MAX_REPR else f"{shown}… ({len(text)} characters)"


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
