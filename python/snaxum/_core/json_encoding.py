"""JSON out: any value that an endpoint may return, as compact UTF-8.

Owns the JSON form of each Python type. The codec in Rust does the work where there is one; this
module converts the types that JSON does not have. Both give the same result. The types of libraries
are in `libraries`. Rare types of the standard library are imported with the first value that may be
one: their modules would be a part of the start.
"""

from __future__ import annotations

import functools
import json
import sys
from collections import UserList, deque
from collections.abc import Callable, Mapping, Set, ValuesView
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from . import json_codec
from .json_codec import FOUND
from .late_module import late_module
from .libraries import convert, form_of, way_out

if TYPE_CHECKING:
    import pathlib
else:
    pathlib = late_module("pathlib")

# More than the codec's limit (254): deeper values are tried here. Less than Python's.
MAX_DEPTH = 400


class EncodingError(TypeError):
    """A value without a JSON form; the message names its type and its place."""


def dumps(value: object, encode: Any = FOUND) -> bytes:
    """Encode `value`; NaN and the infinities become null. Raises EncodingError.

    Lone surrogates, which UTF-8 cannot encode, are an error too. Pass `encode=None` to do without
    the codec in Rust.
    """
    if encode is FOUND:
        encode = json_codec.encode
    if encode is not None:
        encoded: bytes | None = encode(value, simplify)
        if encoded is not None:
            return encoded
        # The code below encodes deeper values and other keys, or reports the place.
    walk = _Walk()
    try:
        return _JSON.encode(walk.plain(value)).encode()
    except RecursionError:
        raise walk.error(value, "it is nested too deep; return something flatter") from None


def dumps_struct(struct: object) -> bytes:
    """Encode a Struct of msgspec, by msgspec itself where it can. Raises EncodingError."""
    try:
        return _struct_encoder()(struct)
    except Exception:
        return dumps(struct)  # it encodes more types, or reports the place


@functools.cache
def _struct_encoder() -> Callable[[object], bytes]:
    encode: Callable[[object], bytes] = sys.modules["msgspec"].json.Encoder(enc_hook=convert).encode
    return encode


def has_json_form(value: object) -> bool:
    """Report whether `value` is a whole JSON document: neither text, nor bytes, nor a stream."""
    if isinstance(value, str | bytes | bytearray | memoryview):
        return False  # so are numpy's str_ and bytes_
    return (
        isinstance(value, _JSON_TYPES)
        or (isinstance(value, _rare_types()) and not isinstance(value, pathlib.PurePath))
        or _is_dataclass(value)
        or form_of(value) is not None
    )


_JSON_TYPES = (
    *(int, float, Enum),
    *(tuple, list, Mapping, Set, deque, range, UserList, ValuesView),
)


def simplify(value: object) -> object:
    """Convert `value` by one level towards plain types, without its items. Raises TypeError."""
    usual = _usual().get(type(value))
    if usual is not None:
        return usual(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _rare_types()):
        return _simplify_rare(value)
    form = form_of(value)
    if form is not None:
        return form(value)
    if isinstance(value, Mapping) and isinstance(value, SimpleNamespace):
        return dict(vars(value))  # `request.state`, whose values may hide its methods
    match value:
        # Subclasses: the plain value, whatever they override.
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case Mapping():
            return dict(value.items())
        case tuple() | list() | Set() | deque() | range() | UserList() | ValuesView():
            return list(value)
    if _is_dataclass(value):
        from dataclasses import fields

        return {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]
    raise TypeError(type(value).__name__)


def _simplify_rare(value: Any) -> object:
    """Convert a value of a subclass of one of `_rare_types`."""
    import datetime as dt

    if isinstance(value, dt.date | dt.time):
        # pandas' NaT is a datetime that does not equal itself.
        return value.isoformat() if value == value else None
    return value.total_seconds() if isinstance(value, dt.timedelta) else str(value)


def _is_dataclass(value: object) -> bool:
    """Do what `dataclasses.is_dataclass` does for an object that is not a class."""
    return hasattr(type(value), "__dataclass_fields__")


@functools.cache
def _usual() -> dict[type, Callable[[Any], object]]:
    """Return the rare types that most responses have, and no subclass: looked up before others."""
    import datetime as dt
    import uuid
    from decimal import Decimal

    return {
        uuid.UUID: str,
        Decimal: str,
        dt.datetime: dt.datetime.isoformat,
        dt.date: dt.date.isoformat,
        dt.time: dt.time.isoformat,
        dt.timedelta: dt.timedelta.total_seconds,
    }


@functools.cache
def _rare_types() -> tuple[type, ...]:
    return (*_usual(), pathlib.PurePath)


def way_out_of(value: object) -> str:
    """Return what to return instead of a value that has no JSON form."""
    return way_out(value) or _WAY_OUT


class _Walk:
    """Converts a value to plain types for `json`, and tracks the place for errors."""

    def __init__(self) -> None:
        self.trail: list[str | int] = []
        self.open: set[int] = set()

    def plain(self, value: object) -> object:
        # One frame a level: the depth of Python's stack is limited.
        outer = value
        kind = type(value)
        while kind is not dict and kind is not list and kind is not tuple:
            if kind is str:
                return self._text(value)  # type: ignore[arg-type]
            if kind is int or kind is bool or value is None:
                return value
            if kind is float:
                return value if -_INFINITY < value < _INFINITY else None  # type: ignore[operator]
            try:
                value = simplify(value)
            except TypeError:
                raise self.error(value, way_out_of(value)) from None
            kind = type(value)

        if id(outer) in self.open:
            raise self.error(outer, "it contains itself; return a copy that does not")
        if len(self.open) >= MAX_DEPTH:
            raise self.error(outer, f"it is nested over {MAX_DEPTH} deep; return something flatter")
        self.open.add(id(outer))
        result: dict[str, object] | list[object]
        if isinstance(value, dict):
            result = {}
            for key, item in value.items():
                text = self._text(key if type(key) is str else self._key(key))
                self.trail.append(text)
                result[text] = self.plain(item)
                self.trail.pop()
        else:
            result = []
            for index, item in enumerate(value):  # type: ignore[arg-type]
                self.trail.append(index)
                result.append(self.plain(item))
                self.trail.pop()
        self.open.discard(id(outer))
        return result

    def error(self, value: object, reason: str) -> EncodingError:
        kind = type(value).__name__
        return EncodingError(f"cannot encode `{kind}` at `{self._place()}` as JSON; {reason}")

    def _key(self, key: object) -> str:
        """Return a key as `json` writes it; more types can be keys than there."""
        original = key
        while isinstance(key, Enum):
            key = key.value
        if _is_rare_key(key) or form_of(key) is not None:
            try:
                key = simplify(key)
            except TypeError:
                pass  # the error below
        if isinstance(key, str):
            return str.__str__(key)
        if key is None or isinstance(key, bool):
            return {None: "null", True: "true", False: "false"}[key]
        if isinstance(key, int):
            return int.__repr__(key)
        if isinstance(key, float):
            return float.__repr__(key) if -_INFINITY < key < _INFINITY else "null"
        kind = type(original).__name__
        raise EncodingError(f"cannot use `{kind}` as a key of `{self._place()}` in JSON; use a str")

    def _text(self, text: str) -> str:
        if text.isascii():
            return text
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise EncodingError(
                f"cannot encode the str at `{self._place()}` as JSON: "
                f"{text[error.start]!r} at character {error.start + 1} is half a surrogate pair; "
                "replace it with text.encode(errors='replace').decode()"
            ) from None
        return text

    def _place(self) -> str:
        place = "$"
        for step in self.trail:
            if isinstance(step, str) and step.isidentifier():
                place += f".{step}"
            else:
                place += f"[{json.dumps(step)}]"
        return place


def _is_rare_key(key: object) -> bool:
    import datetime as dt
    import uuid

    return isinstance(key, uuid.UUID | dt.date | dt.time)


_INFINITY = float("inf")
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

_WAY_OUT = "return a dict, list, str, number or dataclass, or convert it first"
