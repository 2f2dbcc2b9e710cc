"""The schemas of single values, and the limits of a value in the words of JSON Schema.

Owns both tables. Never describes a container.
"""

from __future__ import annotations

import datetime as dt
import pathlib
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from .._core.json_decoding import loads
from .._core.json_encoding import EncodingError, dumps
from ..markers import MISSING
from .components import Mode, Schema

_STRING: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_DECIMAL: Schema = {"type": "string", "format": "decimal"}
_SCHEMAS: dict[type, Schema] = {
    str: _STRING,
    int: {"type": "integer"},
    float: _NUMBER,
    bool: {"type": "boolean"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    dt.timedelta: {"type": "string", "format": "duration"},
    uuid.UUID: {"type": "string", "format": "uuid"},
}
_NUMERIC = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def scalar(kind: Any, mode: Mode) -> Schema | None:
    """Return the schema of a class of single values; None for any other class."""
    if kind is Decimal:
        if mode == "text":
            return dict(_NUMBER)
        return {"anyOf": [dict(_NUMBER), dict(_DECIMAL)]} if mode == "input" else dict(_DECIMAL)
    if kind is bytes and mode == "text":
        return dict(_STRING)
    if kind is dt.timedelta and mode == "output":
        return {**_NUMBER, "description": "A duration in seconds"}
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return dict(_STRING)
    found = _SCHEMAS.get(kind)
    return None if found is None else dict(found)


def limited(schema: Schema, limits: Mapping[str, Any]) -> Schema:
    """Return a schema with limits; JSON Schema has no limits for times."""
    if not limits:
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [limited(each, limits) for each in schema["anyOf"]]}
    kind, found = schema.get("type"), dict(schema)
    if kind in ("integer", "number"):
        for name, keyword in _NUMERIC.items():
            value = json_value(limits.get(name, MISSING))
            if value is not MISSING:
                found[keyword] = float(value) if isinstance(value, str) else value
    if (keywords := _LENGTHS.get(str(kind))) is not None and "contentEncoding" not in schema:
        for name, keyword in zip(("min_length", "max_length"), keywords):
            if name in limits:
                found[keyword] = limits[name]
    if kind == "string" and "pattern" in limits:
        found["pattern"] = limits["pattern"]
    return found


def add_default(schema: Schema, value: Any) -> None:
    """Add a default to a schema, if it has a form in JSON that the schema allows."""
    is_number = schema.get("type") == "number"
    if isinstance(value, Decimal) and is_number:
        value = float(value)
    if isinstance(value, dt.timedelta) and not is_number:
        return
    found = json_value(value)
    if found is not MISSING and found is not None:
        schema["default"] = found


def json_value(value: Any) -> Any:
    """Return a value as it is in JSON; `MISSING` if it has no such form."""
    if value is MISSING or value is ...:
        return MISSING
    try:
        return loads(dumps(value))
    except (EncodingError, ValueError):
        return MISSING


def json_values(values: Iterable[Any]) -> list[Any]:
    """Return the values that have a form in JSON, in that form."""
    return [each for each in map(json_value, values) if each is not MISSING]
