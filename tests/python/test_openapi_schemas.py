"""The schemas of types that contain themselves, of unusual values, and of equal parts.

Covers `snaxum._openapi`; the usual types are in `test_openapi`.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import attrs
import jsonschema
import msgspec
import pydantic
import pytest
from test_openapi import INFO, Cat, Color, Dog, Level, Page, document
from typing_extensions import LiteralString, Required, TypeAliasType, TypedDict

from snaxum import Request, RouteError
from snaxum._openapi.check import check
from snaxum._openapi.document import document as document_text
from snaxum._openapi.schemas import Schemas
from snaxum._validation import engines
from snaxum._validation.faults import Faults, Unsupported
from snaxum.routing import Route, RouteTable

T = TypeVar("T")
JsonValue = TypeAliasType(
    "JsonValue", "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"
)
Nested = TypeAliasType("Nested", "list[Nested]")
Names = TypeAliasType("Names", list[str])


@dataclass
class Note:
    content: JsonValue
    names: Names


@dataclass
class Growing(Generic[T]):
    value: T
    next: Growing[list[T]] | None
    other: Growing[set[T]] | None


def described(annotation: Any, mode: Any = "output") -> tuple[dict[str, Any], dict[str, Any]]:
    """Describe a type; return its schema and the components."""
    schemas = Schemas()
    found = schemas.of(annotation, mode)
    return found, schemas.finish()


def component(annotation: Any, mode: Any = "output") -> dict[str, Any]:
    """Describe a class that becomes a component."""
    found, components = described(annotation, mode)
    schema: dict[str, Any] = components[found["$ref"].rpartition("/")[2]]
    return schema


def is_valid(annotation: Any, value: Any, mode: Any = "output") -> bool:
    schema, components = described(annotation, mode)
    whole = {"components": {"schemas": components}, **schema}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


def test_an_alias_that_contains_itself_is_a_component() -> None:
    found, components = described(JsonValue)
    reference = {"$ref": "#/components/schemas/JsonValue"}
    assert found == reference
    assert components["JsonValue"]["anyOf"][:2] == [
        {"type": "object", "additionalProperties": reference},
        {"type": "array", "items": reference},
    ]
    assert is_valid(JsonValue, {"a": [1, {"b": None}]})
    assert component(Note)["properties"] == {
        "content": reference,
        "names": {"type": "array", "items": {"type": "string"}},
    }

    def handler(request: Request) -> JsonValue: ...

    responses = document(Route("/", ["GET"], handler))["paths"]["/"]["get"]["responses"]
    assert responses["200"]["content"]["application/json"]["schema"] == reference


@pytest.mark.skipif(sys.version_info < (3, 12), reason="`type` is a statement since Python 3.12")
def test_a_type_statement_that_contains_itself_is_a_component() -> None:
    scope: dict[str, Any] = {}
    exec("type Json = dict[str, Json] | list[Json] | str | None\ntype Tree = list[Tree]", scope)
    reference = {"$ref": "#/components/schemas/Json"}
    assert described(scope["Json"])[0] == reference
    alias: Any = scope["Json"]
    assert described(list[alias])[0] == {"type": "array", "items": reference}
    assert is_valid(scope["Tree"], [[], [[]]])
    assert not is_valid(scope["Tree"], [1])


def test_a_class_that_grows_without_end_has_an_open_end() -> None:
    found, components = described(Growing[int])
    assert found == {"$ref": "#/components/schemas/Growing_int"}
    assert len(components) < 2000
    assert any({} in each["properties"]["next"]["anyOf"] for each in components.values())


def test_a_long_chain_of_classes_is_described_to_its_end() -> None:
    kind: Any = int
    for number in range(400):
        kind = make_dataclass(f"Link{number}", [("next", kind)])
    components = described(kind)[1]
    assert len(components) == 400
    assert components["Link0"]["properties"] == {"next": {"type": "integer"}}


def test_a_field_of_any_name_and_value_leaves_the_document_as_it_is() -> None:
    class Inner(pydantic.BaseModel):
        default: int = 1

    class Model(pydantic.BaseModel):
        mapping: dict[str, int] = {}
        default: Inner | None = None
        properties: Inner | None = None
        discriminator: dict[str, Any] = {"propertyName": "a", "mapping": {"b": 1}}

    schema = component(Model, "input")
    inner = {"$ref": "#/components/schemas/Inner"}
    assert schema["properties"]["mapping"]["additionalProperties"] == {"type": "integer"}
    assert schema["properties"]["default"]["anyOf"][0] == inner
    assert schema["properties"]["properties"]["anyOf"][0] == inner
    default = schema["properties"]["discriminator"]["default"]
    assert default == {"propertyName": "a", "mapping": {"b": 1}}


def test_a_discriminator_of_pydantic_names_the_components() -> None:
    class First(pydantic.BaseModel):
        kind: Literal["first"]

    class Second(pydantic.BaseModel):
        kind: Literal["second"]

    class Either(pydantic.BaseModel):
        one: Annotated[First | Second, pydantic.Field(discriminator="kind")]

    schemas = Schemas()
    schemas.of(Either, "input")
    mapping = schemas.finish(["First"])["Either"]["properties"]["one"]["discriminator"]["mapping"]
    assert mapping == {
        "first": "#/components/schemas/First.2",
        "second": "#/components/schemas/Second",
    }


class HostileMeta(type):
    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("not now")

    __hash__ = type.__hash__


class Hostile(metaclass=HostileMeta):
    pass


class Opaque(enum.Enum):
    FIRST = b"\xff"
    SECOND = object()


def test_a_choice_with_a_value_that_has_no_json_form_is_open() -> None:
    assert component(Opaque) == {"title": "Opaque"}
    assert described(Literal[b"\xff"])[0] == {}


def test_a_value_without_a_json_form_leaves_the_rest_of_the_document(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(msgspec.Struct):
        x: Annotated[int, msgspec.Meta(extra_json_schema={"x-thing": object()})]

    def broken(request: Request) -> Broken: ...

    def worse(request: Request) -> None: ...

    def fine(request: Request) -> int: ...

    routes = [
        Route("/broken", ["GET"], broken),
        Route("/worse", ["GET"], worse, tags=["\ud800"]),
        Route("/fine", ["GET"], fine),
    ]
    RouteTable(routes)
    found = json.loads(document_text(routes, {}, INFO))
    assert {path: list(item) for path, item in found["paths"].items()} == {
        "/broken": ["get"],
        "/worse": [],
        "/fine": ["get"],
    }
    assert found["components"]["schemas"]["Broken"] == {}
    assert found["x-omitted"] == [
        "the schema Broken has a value that JSON cannot express",
        "GET /worse has a value that JSON cannot express",
    ]
    assert "cannot be encoded" in caplog.text


def test_the_keys_of_a_dict_are_texts() -> None:
    keys: list[tuple[Any, str, str]] = [
        (Level, "2", "3"),
        (Literal[1, "a"], "1", "2"),
        (Color, "red", "green"),
        (bool, "true", "True"),
        (int | Literal["all"], "all", "none"),
        (int, "-3", "1.5"),
    ]
    for kind, right, wrong in keys:
        assert is_valid(dict[kind, int], {right: 1})
        assert not is_valid(dict[kind, int], {wrong: 1})


def test_equal_descriptions_of_distinct_classes_are_distinct_alternatives() -> None:
    class First(pydantic.BaseModel):
        a: int

    class Second(pydantic.BaseModel):
        b: int

    pet = msgspec.Meta(description="A pet")
    for one, other in [(Cat, Dog), (First, Second), (Cat, First)]:
        for kind in [
            Annotated[one, pet] | Annotated[other, pet],  # type: ignore[operator]
            list[one] | list[other],  # type: ignore[valid-type]
        ]:
            assert len(described(kind)[0]["anyOf"]) == 2
    assert len(described(Annotated[Cat, pet] | Annotated[Cat, pet] | None)[0]["anyOf"]) == 2


def test_a_type_without_a_class_is_open() -> None:
    found = {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {}}
    assert described(dict[LiteralString, int])[0] == found


def test_the_title_of_a_generic_class_has_its_arguments() -> None:
    assert component(Page[Cat])["title"] == "Page[Cat]"


def test_a_field_with_a_default_is_always_sent() -> None:
    @dataclass
    class Data:
        a: int
        b: int = 1

    class Sent(msgspec.Struct, rename="camel"):
        a_b: int = 1
        c: int | msgspec.UnsetType = msgspec.UNSET

    class Short(msgspec.Struct, omit_defaults=True):
        a: int
        b: int = 1

    class Listed(msgspec.Struct, omit_defaults=True, array_like=True):
        a: int = 1

    class Pair(NamedTuple):
        x: int
        y: int = 0

    class Partial(TypedDict, total=False):
        a: int
        b: Required[int]

    @attrs.define
    class Attrs:
        a: int = 1
        made: int = attrs.field(init=False, default=3)

    assert component(Data)["required"] == ["a", "b"]
    assert component(Data)["properties"]["b"]["default"] == 1
    assert component(Data, "input")["required"] == ["a"]
    assert component(Sent)["required"] == ["aB"]
    assert component(Short)["required"] == ["a"]
    assert component(Listed)["minItems"] == 1
    assert component(Pair)["minItems"] == 2
    assert component(Partial)["required"] == ["b"]
    assert component(Attrs)["required"] == ["a", "made"]
    assert set(component(Attrs, "input")["properties"]) == {"a"}


class UserId(str):
    pass


@dataclass
class Unfinished:
    x: Missing  # type: ignore[name-defined]  # noqa: F821


def test_only_a_model_of_pydantic_can_be_refused() -> None:
    def keys(request: Request) -> dict[UserId, int]: ...

    def unfinished(request: Request) -> Unfinished | dict[str, int]: ...

    def hostile(request: Request) -> list[Hostile]: ...

    for handler in (keys, unfinished, hostile):
        route = Route("/", ["GET"], handler)
        RouteTable([route])
        check(route)

    class Job(pydantic.BaseModel):
        done: Callable[[], None]

    def refused(request: Request) -> dict[str, list[Job]]: ...

    with pytest.raises(RouteError, match=r"the result is a `dict\[str, list\[Job\]\]`, which"):
        check(Route("/", ["GET"], refused))


def test_a_body_may_have_an_alias_that_contains_itself() -> None:
    for kind in (Note, dict[str, JsonValue], Annotated[JsonValue, msgspec.Meta(title="Any JSON")]):
        engine = engines.for_body(kind, {}, json.loads)
        value = {"content": {"a": [1, None, {"b": []}]}, "names": ["x"]}
        found = engine.decode(json.dumps(value).encode())
        assert (found.content if kind is Note else found["content"]) == value["content"]
        assert is_valid(kind, value, "input")
    faults = Faults()
    engines.for_body(dict[str, Nested], {}, json.loads).explain({"a": [[], [1]]}, (), faults)
    assert [each.loc for each in faults] == [("a", 1, 0)]
    with pytest.raises(Unsupported, match="`Nested`, which contains itself"):
        engines.for_text(Nested, {})
