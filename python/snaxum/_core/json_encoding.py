"""JSON out: any value that an endpoint may return, as compact UTF-8.

Owns the JSON form of each Python type. orjson does the work where the project has it; this module
encodes the other types, and the types that orjson encodes differently. Both give the same result.
Never imports numpy, polars or pandas: a value of theirs proves that they are imported already.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib
import json
import sys
import uuid
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import ModuleType
from typing import Any

# More than orjson's limit (254), so that deeper values can be tried here, and less than Python's.
MAX_DEPTH = 400


class EncodingError(TypeError):
    """A value without a JSON form; the message names its type and its place."""


def _find_orjson() -> ModuleType | None:
    try:
        return importlib.import_module("orjson")
    except ImportError:
        return None


ORJSON = _find_orjson()


def dumps(value: object, orjson: Any = ORJSON) -> bytes:
    """Encode `value`; NaN and the infinities become null. Raises EncodingError.

    Lone surrogates, which UTF-8 cannot encode, are an error too. Pass `orjson=None` to
    encode without it.
    """
    if orjson is not None:
        options = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
        try:
            encoded: bytes = orjson.dumps(value, simplify, options)
            return encoded
        except TypeError:
            pass  # the code below handles more types, or reports the place
    walk = _Walk()
    try:
        return _JSON.encode(walk.plain(value)).encode()
    except RecursionError:
        raise walk.error(value, "it is nested too deep; return something flatter") from None


def is_rich(value: object) -> bool:
    """Report whether `value` is a whole JSON document, and not an iterable to stream.

    These are mappings, lists, dataclass instances, and the arrays, scalars and frames of
    numpy, polars and pandas.
    """
    if isinstance(value, (dict, list, Mapping)):
        return True
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return True
    if isinstance(value, str | bytes):
        return False  # so are numpy's str_ and bytes_
    return _is_numpy(value) or _is_table(value)


def simplify(value: object) -> object:
    """Convert `value` by one level towards plain types, without its items. Raises TypeError."""
    match value:
        case Enum():
            return value.value
        case dt.datetime() | dt.date() | dt.time():
            # pandas' NaT is a datetime that does not equal itself.
            return value.isoformat() if value == value else None
        case dt.timedelta():
            return value.total_seconds()
        case uuid.UUID() | Decimal() | PurePath():
            return str(value)
    if _is_numpy(value):
        return _simplify_numpy(value)
    match value:
        # Subclasses: the plain value, whatever they override.
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case tuple() | list():
            return list(value)
        case Mapping():
            return dict(value.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if _is_table(value):
        return _simplify_table(value)
    if _is_missing(value):
        return None
    raise TypeError(type(value).__name__)


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
                raise self.error(value, _way_out(value)) from None
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
        if _is_numpy(key) or isinstance(key, uuid.UUID | dt.date | dt.time):
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


_INFINITY = float("inf")
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

_WAYS_OUT = {
    "set": "return sorted(...) or a list of it",
    "frozenset": "return sorted(...) or a list of it",
    "bytes": "decode it, or encode it with base64",
    "bytearray": "decode it, or encode it with base64",
    "memoryview": "decode it, or encode it with base64",
    "complex": "return its .real and .imag",
    "coroutine": "await it first",
    "generator": "return a list of it",
    "LazyFrame": "return its .collect()",
}


def _way_out(value: object) -> str:
    known = _WAYS_OUT.get(type(value).__name__)
    return known or "return a dict, list, str, number or dataclass, or convert it first"


def _of(value: object, library: str, *names: str) -> bool:
    """Report whether `value` is an instance of a class of a library that is already imported."""
    module = sys.modules.get(library)
    kinds = (getattr(module, name, None) for name in names) if module is not None else ()
    return any(isinstance(kind, type) and isinstance(value, kind) for kind in kinds)


def _is_numpy(value: object) -> bool:
    return _of(value, "numpy", "generic", "ndarray")


def _is_table(value: object) -> bool:
    return _of(value, "polars", "DataFrame", "Series") or _of(
        value, "pandas", "DataFrame", "Series", "Index"
    )


def _is_missing(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and value is getattr(pandas, "NA", pandas)


def _simplify_table(value: Any) -> object:
    if _of(value, "polars", "DataFrame"):
        return value.to_dicts()
    if _of(value, "pandas", "DataFrame"):
        return value.to_dict(orient="records")
    return value.to_list()


def _simplify_numpy(value: Any) -> object:
    """Convert a scalar or an array; an array without dimensions is a scalar."""
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind in "biuUO" or _of(value, "numpy.ma", "MaskedArray"):
        return value.tolist()
    if kind == "f":
        # A float32 of 0.1 is 0.1 in JSON, not its exact value 0.10000000149011612.
        return (value.astype(str) if size < 8 else value).astype("f8").tolist()
    if kind == "M":
        return _without_nat(sys.modules["numpy"].datetime_as_string(value).tolist())
    if kind == "m":
        return (value / sys.modules["numpy"].timedelta64(1, "s")).tolist()
    raise TypeError(type(value).__name__)


def _without_nat(texts: object) -> object:
    if isinstance(texts, list):
        return [_without_nat(text) for text in texts]
    return None if texts == "NaT" else texts
