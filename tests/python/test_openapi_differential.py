"""Schemas beside the conversion of bodies, on random types and values: both accept the same.

Formats are left out, as is `1.0`, which is an integer to JSON Schema.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any, Literal, Optional

import jsonschema
import msgspec
import pydantic
from hypothesis import given, settings
from hypothesis import strategies as st
from test_validation_differential import (
    Box,
    Cat,
    Color,
    Few,
    Item,
    Level,
    Pair,
    Point,
    Positive,
    Short,
    json_types,
    json_values,
)

from snaxum._core.json_decoding import loads
from snaxum._openapi.schemas import Schemas
from snaxum._validation import engines, models


class Limited(pydantic.BaseModel):
    x: int = pydantic.Field(ge=1)
    name: str | None = None
    levels: list[Level] = []


def validator(kind: Any, mode: Any = "input") -> Callable[[Any], bool]:
    """Return the function that reports whether a value fits the schema of a type."""
    schemas = Schemas()
    found = schemas.of(kind, mode)
    whole = {"components": {"schemas": schemas.finish()}, **found}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole).is_valid


def is_accepted(kind: Any, value: Any) -> bool:
    with contextlib.suppress(Exception):
        engines.for_body(kind, {}, loads).decode(json.dumps(value).encode())
        return True
    return False


# Types without formats, and without a tag, which may be missing in a body.
EXACT = [
    int, float, bool, str, None, Color, Level, Literal["a", "b"], Literal[1, 2], Positive, Short,
    Few, Box, Point, Pair, Limited, Any, dict[Level, int], dict[Color, int], dict[int, bool],
    dict[Literal[1, 2], int], dict[Literal["a", "b"], int],
]  # fmt: skip
exact_types = st.recursive(
    st.sampled_from(EXACT),
    lambda inner: st.one_of(
        inner.map(Optional.__getitem__),
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda kinds: tuple[kinds]),  # type: ignore[valid-type]
    ),
    max_leaves=4,
)
whole_values = json_values.filter(lambda value: re.search(r"\d[.e]", json.dumps(value)) is None)


def near(kind: Any, draw: st.DrawFn) -> Any:
    """Draw a value that mostly fits a type, so that few are refused at once."""
    schemas = Schemas()
    found = schemas.of(kind, "input")
    return _near(found, schemas.finish(), draw, 4)


def _near(schema: dict[str, Any], components: Any, draw: st.DrawFn, depth: int) -> Any:
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    if depth == 0 or draw(st.integers(0, 9)) == 0:
        return draw(whole_values)
    if "anyOf" in schema:
        return _near(draw(st.sampled_from(schema["anyOf"])), components, draw, depth - 1)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties", {})
        named = schema.get("properties", dict.fromkeys(_keys(schema, components), inner))
        chosen = [name for name in named if draw(st.integers(0, 4))]
        return {name: _near(named[name], components, draw, depth - 1) for name in chosen}
    if schema.get("type") == "array":
        parts = schema.get("prefixItems") or [schema.get("items", {})] * draw(st.integers(0, 3))
        return [_near(each, components, draw, depth - 1) for each in parts]
    simple = {
        "integer": st.integers(-2, 110),
        "number": st.integers(-2, 110),
        "string": st.sampled_from(["a", "b1", "", "abcd", "red"]),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return draw(simple.get(schema.get("type", ""), whole_values))


def _keys(schema: dict[str, Any], components: Any) -> list[str]:
    """Return keys of a dict: the names of its keys if they are known, and one that may be wrong."""
    names = schema.get("propertyNames", {})
    if "$ref" in names:
        names = components[names["$ref"].rpartition("/")[2]]
    return [*names.get("enum", []), "id"]


@st.composite
def types_with_values(draw: st.DrawFn) -> tuple[Any, Any]:
    kind = draw(exact_types)
    return kind, near(kind, draw)


@settings(deadline=None)
@given(types_with_values())
def test_a_body_is_accepted_if_and_only_if_its_schema_allows_it(case: tuple[Any, Any]) -> None:
    kind, value = case
    assert is_accepted(kind, value) == validator(kind)(value)


@settings(deadline=None)
@given(json_types, json_values)
def test_the_schema_allows_every_body_that_is_accepted(kind: Any, value: Any) -> None:
    tagged = [each for each in _kinds(kind) if models.is_struct(each) and each is not Box]
    if not tagged and is_accepted(kind, value):
        assert validator(kind)(value)


def _kinds(kind: Any) -> list[Any]:
    from typing import get_args

    return [kind, *(inner for each in get_args(kind) for inner in _kinds(each))]


def test_a_model_has_the_schema_that_msgspec_gives_it() -> None:
    """The names and the required fields; msgspec describes no model of pydantic."""
    kinds = [Item, Box, Cat, Point, Pair, Color]
    _, expected = msgspec.json.schema_components(kinds)
    schemas = Schemas()
    for kind in kinds:
        schemas.of(kind, "input")
    found = schemas.finish()
    assert set(found) == set(expected)
    for name, schema in expected.items():
        own = found[name]
        assert sorted(own.get("enum", [])) == sorted(schema.get("enum", []))
        if "enum" not in schema:
            assert own["type"] == schema["type"]
        assert set(own.get("required", [])) == set(schema.get("required", []))
        assert set(own.get("properties", {})) == set(schema.get("properties", {}))
        assert own.get("additionalProperties") == schema.get("additionalProperties")
