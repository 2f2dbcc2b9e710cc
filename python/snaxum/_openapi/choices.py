"""Choices: the schemas of enums and literals, whose values are known.

A choice with a value that has no JSON form is left open. Never describes another type.
"""

from __future__ import annotations

import enum
import json
import typing
from collections.abc import Sequence
from typing import Any, Literal

from .._validation.hints import NONE, is_class
from ..markers import MISSING
from .components import Schema
from .fields import documentation
from .scalars import json_value

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", NONE: "null"}


def choice(values: Sequence[Any]) -> Schema:
    """Return the schema of one of some values."""
    shown = [json_value(each) for each in values]
    if MISSING in shown:
        return {}
    kinds = {_NAMES.get(type(each)) for each in shown}
    schema: Schema = {"enum": shown}
    if len(kinds) == 1 and (kind := kinds.pop()):
        schema = {"type": kind, **schema}
    return schema


def choice_of_keys(values: Sequence[Any]) -> Schema:
    """Return the schema of one of some values as a key of a JSON object: a text."""
    shown = [json_value(each) for each in values]
    if MISSING in shown:
        return {}
    return choice([each if isinstance(each, str) else json.dumps(each) for each in shown])


def values_of(kind: Any) -> list[Any]:
    """Return the values of an enum or of a `Literal`; none for another type."""
    if typing.get_origin(kind) is Literal:
        args = typing.get_args(kind)
        return [value for each in args for value in (each if type(each) is tuple else [each])]
    if is_class(kind) and issubclass(kind, enum.Enum):
        return [each.value for each in kind]
    return []


def enum_schema(kind: type[enum.Enum]) -> Schema:
    """Return the schema of an enum."""
    schema = {"title": kind.__name__, **choice(values_of(kind))}
    if text := documentation(kind):
        schema["description"] = text
    return schema
