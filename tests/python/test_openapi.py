"""The OpenAPI document of routes: its schemas, its operations, and that it is valid.

Covers `snaxum._openapi`; the routes that serve it are in `tests/it/api/openapi.rs`.
"""

from __future__ import annotations

import datetime as dt
import enum
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from types import ModuleType
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import annotated_types
import msgspec
import openapi_spec_validator
import pydantic
import pytest

from snaxum import (
    Event,
    Query,
    Request,
    Response,
    RouteError,
    WebSocket,
    stream_events,
    stream_json_lines,
)
from snaxum._core.hooks import Scope
from snaxum._core.websocket_routes import WebSocketRoute
from snaxum._openapi import project
from snaxum._openapi.check import check
from snaxum._openapi.document import describe
from snaxum._openapi.schemas import Schemas
from snaxum.routing import Route, RouteTable

INFO = {"title": "test", "version": "1"}
T = TypeVar("T")


class Color(enum.Enum):
    """The color of a thing."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Line:
    sku: str
    count: Annotated[int, msgspec.Meta(ge=1, description="How many")] = 1
    made: str = field(init=False, default="here")


class Order(msgspec.Struct, rename="camel"):
    """An order."""

    order_id: int
    lines: list[Line] = []
    color: Color = Color.RED
    parent: Order | None = None


class Cat(msgspec.Struct, tag="cat"):
    lives: int


class Dog(msgspec.Struct, tag="dog", forbid_unknown_fields=True):
    name: str


class Item(pydantic.BaseModel):
    name: str = pydantic.Field(alias="itemName", description="The name", min_length=1)
    price: Decimal = Decimal(1)


class Partial(TypedDict, total=False):
    a: int


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Page(Generic[T]):
    items: list[T]


def document(*routes: Route, modules: dict[str, ModuleType] | None = None) -> dict[str, Any]:
    """Describe routes, and check the document against the specification."""
    RouteTable(routes)
    found = describe(routes, modules or {}, INFO)
    openapi_spec_validator.validate(found)
    return found


def operation(handler: Callable[..., Any], pattern: str = "/", **options: Any) -> dict[str, Any]:
    """Describe a handler of POST, or of `method`."""
    method = options.pop("method", "POST")
    found = document(Route(pattern, [method], handler, **options))
    (item,) = found["paths"].values()
    return {**item[method.lower()], "components": found["components"]["schemas"]}


def schema(annotation: Any, mode: Any = "input") -> dict[str, Any]:
    """Describe a type; a component of its own is in its place."""
    schemas = Schemas()
    found = schemas.of(annotation, mode)
    components = schemas.finish()
    name = found.get("$ref", "").rpartition("/")[2]
    return components[name] if name and len(found) == 1 else found


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, {"type": "integer"}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (dt.date, {"type": "string", "format": "date"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal[1, None], {"enum": [1, None]}),
        (Any, {}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (set[str], {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        (
            tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (
            Annotated[int, msgspec.Meta(ge=1, lt=9, multiple_of=2)],
            {"type": "integer", "minimum": 1, "exclusiveMaximum": 9, "multipleOf": 2},
        ),
        (
            Annotated[str, annotated_types.MinLen(2), pydantic.Field(pattern="^a")],
            {"type": "string", "minLength": 2, "pattern": "^a"},
        ),
        (
            Annotated[list[int] | None, msgspec.Meta(max_length=3, title="T", examples=[[1]])],
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
                    {"type": "null"},
                ],
                "title": "T",
                "examples": [[1]],
            },
        ),
        (
            Color,
            {
                "title": "Color",
                "type": "string",
                "enum": ["red", "blue"],
                "description": "The color of a thing.",
            },
        ),
        (Level, {"title": "Level", "type": "integer", "enum": [1, 2]}),
    ],
)
def test_a_type_has_its_schema(annotation: Any, expected: dict[str, Any]) -> None:
    assert schema(annotation) == expected


def test_a_model_is_a_component_with_the_names_of_its_json() -> None:
    found = schema(Order)
    assert found == {
        "title": "Order",
        "description": "An order.",
        "type": "object",
        "properties": {
            "orderId": {"type": "integer"},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
            "color": {"$ref": "#/components/schemas/Color", "default": "red"},
            "parent": {"anyOf": [{"$ref": "#/components/schemas/Order"}, {"type": "null"}]},
        },
        "required": ["orderId"],
    }
    assert schema(Partial) == {
        "title": "Partial",
        "type": "object",
        "properties": {"a": {"type": "integer"}},
    }
    assert schema(Point)["prefixItems"] == [{"type": "integer"}, {"type": "integer", "default": 0}]
    assert schema(Dog)["additionalProperties"] is False
    assert schema(Dog)["required"] == ["type", "name"]
    assert schema(Item)["required"] == ["itemName"]
    assert schema(Item)["properties"]["itemName"] == {
        "type": "string",
        "title": "Itemname",
        "description": "The name",
        "minLength": 1,
    }


def test_a_model_that_is_sent_in_another_form_is_a_second_component() -> None:
    def handler(order: Order, item: Annotated[int, Query()] = 0) -> Order: ...

    components = operation(handler)["components"]
    assert "made" not in components["Line"]["properties"]
    assert "made" in components["Line-Output"]["properties"]
    line = components["Order-Output"]["properties"]["lines"]["items"]
    assert line == {"$ref": "#/components/schemas/Line-Output"}

    def of_pydantic(item: Item) -> Item: ...

    found = operation(of_pydantic)
    assert set(found["components"]) >= {"Item", "Item-Output"}
    body = found["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Item"}


def test_models_of_one_name_are_distinct_components(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(module: str, kind: str) -> Any:
        source = {
            "dataclass": "from dataclasses import dataclass\n@dataclass\nclass Item:\n    {}: int",
            "pydantic": "import pydantic\nclass Item(pydantic.BaseModel):\n    {}: int",
            "struct": "import msgspec\nclass Item(msgspec.Struct):\n    {}: int",
        }[kind]
        loaded = ModuleType(module)
        monkeypatch.setitem(sys.modules, module, loaded)
        exec(source.format(module), loaded.__dict__)
        return loaded.Item

    kinds = [
        made(name, kind)
        for name, kind in [
            ("a", "dataclass"),
            ("b", "struct"),
            ("c", "pydantic"),
            ("d", "pydantic"),
        ]
    ]
    schemas = Schemas()
    references = [schemas.of(kind, "input") for kind in kinds]
    components = schemas.finish()
    names = [each["$ref"].rpartition("/")[2] for each in references]
    assert len(set(names)) == 4
    assert [list(components[name]["properties"]) for name in names] == [["a"], ["b"], ["c"], ["d"]]


def test_a_union_of_tagged_structs_has_a_discriminator() -> None:
    found = schema(Cat | Dog)
    assert found["discriminator"] == {
        "propertyName": "type",
        "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"},
    }


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (None, {"204": []}),
        (str, {"200": ["text/html"]}),
        (bytes, {"200": ["application/octet-stream"]}),
        (int, {"200": ["application/json"]}),
        (Response, {"200": []}),
        (Any, {"200": []}),
        (Order | None, {"200": ["application/json"], "204": []}),
        (Order | str, {"200": ["application/json", "text/html"]}),
        (tuple[Order, int], {"200": ["application/json"]}),
        (tuple[Order, Literal[201]] | Response, {"200": [], "201": ["application/json"]}),
        (Iterator[str], {"200": ["text/plain"]}),
        (Iterable[int], {"200": ["application/json"]}),
        (Iterator[Event], {"200": ["text/event-stream"]}),
    ],
)
def test_a_result_has_its_status_and_content_type(annotation: Any, expected: Any) -> None:
    def handler() -> Any: ...

    handler.__annotations__["return"] = annotation
    responses = operation(handler)["responses"]
    assert responses.pop("default")
    shown = {status: list(each.get("content", {})) for status, each in responses.items()}
    assert shown == expected


def test_a_stream_has_the_type_of_its_values() -> None:
    @stream_json_lines
    def lines() -> Iterator[Order]:
        yield Order(1)

    content = operation(lines)["responses"]["200"]["content"]
    assert content["application/x-ndjson"]["x-item-schema"]["$ref"].endswith("/Order")

    def events():  # type: ignore[no-untyped-def]
        return stream_events(iter([]))

    assert list(operation(events)["responses"]["200"]["content"]) == ["text/event-stream"]


def test_the_options_of_a_route_are_in_its_operation() -> None:
    def create(request: Request) -> None:
        """Create it.

        With care.
        """

    found = operation(create, tags=["shop"], summary="New", status=201, response_model=Order)
    assert (found["tags"], found["summary"]) == (["shop"], "New")
    assert found["description"] == "Create it.\n\nWith care."
    assert found["responses"]["201"]["content"]["application/json"]["schema"]["$ref"]
    plain = operation(create)
    assert (plain["summary"], plain["description"]) == ("Create it.", "With care.")
    assert plain["operationId"] == f"{__name__}.{create.__qualname__}"


def test_an_id_is_unique_and_names_its_blueprint() -> None:
    def handler(request: Request) -> None: ...

    scope = Scope("shop", "/shop", "app.py:1")
    routes = [
        Route("/a", ["GET", "PUT"], handler, scope=scope),
        Route("/b", ["GET", "PUT"], handler, scope=scope),
    ]
    paths = document(*routes)["paths"]
    name = f"shop.{handler.__qualname__}"
    assert [each["operationId"] for item in paths.values() for each in item.values()] == [
        f"{name}.get",
        f"{name}.put",
        f"{name}.get.2",
        f"{name}.put.2",
    ]
    assert paths["/a"]["get"]["tags"] == ["shop"]


def test_paths_are_templates_and_routes_without_a_place_are_listed() -> None:
    def handler(request: Request) -> None: ...

    found = document(
        Route("/{x}/<int:id>.<name>", None, handler),
        Route("/<int:a>", ["GET"], handler),
        Route("/<b>", ["POST", "GET", "LINK"], handler),
    )
    assert list(found["paths"]) == ["/%7Bx%7D/{id}.{name}", "/{a}"]
    assert found["paths"]["/{a}"]["post"]["parameters"][0]["name"] == "a"
    assert len(found["x-omitted"]) == 2
    assert "OpenAPI has no method LINK" in found["x-omitted"][1]


def test_a_websocket_is_beside_the_paths() -> None:
    async def chat(ws: WebSocket, room: str, since: int = 0) -> None:
        """Chat."""

    found = document(WebSocketRoute("/chat/<room>", chat, ["chat.v1"]))
    assert found["paths"] == {}
    described = found["x-websockets"]["/chat/{room}"]
    assert described["summary"] == "Chat."
    assert [each["name"] for each in described["parameters"]] == ["room", "since"]
    assert described["subprotocols"] == ["chat.v1"]

    found = document(WebSocketRoute("/c/<int:room>", chat), WebSocketRoute("/c/<room>", chat))
    assert found["x-websockets"]["/c/{room}"]["operationId"].endswith("chat")
    (omitted,) = found["x-omitted"]
    assert omitted.startswith("another route already has the WebSocket /c/{room}: ")


def test_a_module_describes_its_tag() -> None:
    def handler(request: Request) -> None: ...

    module = ModuleType(__name__, "The things.\n\nAll of them.")
    found = document(Route("/", None, handler), modules={__name__: module})
    assert found["tags"] == [{"name": __name__, "description": "The things."}]


def test_a_failure_is_a_problem_document() -> None:
    def handler(limit: int = 1) -> None: ...

    found = operation(handler)
    problem = found["responses"]["422"]["content"]["application/problem+json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/ValidationProblem"}
    assert found["components"]["ValidationProblem"]["required"] == ["errors"]

    def cannot_fail(request: Request, q: str = "", name: str | None = None) -> None: ...

    assert "422" not in operation(cannot_fail)["responses"]


def test_the_title_and_the_version_come_from_the_project(tmp_path: Any) -> None:
    assert project.read(str(tmp_path)) == {"title": tmp_path.name, "version": "0.0.0"}
    text = '[tool.x]\nname = "no"\n[project]\nname = "shop" # the name\nversion = \'1.2\'\n'
    (tmp_path / "pyproject.toml").write_text(text)
    assert project.read(str(tmp_path)) == {"title": "shop", "version": "1.2"}
    assert project._plain_texts(text) == {"name": "shop", "version": "1.2"}
    (tmp_path / "pyproject.toml").write_text("[project\n")
    assert project.read(str(tmp_path))["title"] == tmp_path.name


def test_a_model_that_cannot_be_described_is_an_error_with_place_and_remedy() -> None:
    class Job(pydantic.BaseModel):
        name: str
        done: Callable[[], None] = print

    class Described(pydantic.BaseModel):
        done: Annotated[Callable[[], None], pydantic.WithJsonSchema({"type": "string"})] = print

    def handler(job: Job) -> None: ...

    route = Route("/", ["POST"], handler)
    with pytest.raises(RouteError) as caught:
        check(route)
    text = str(caught.value)
    assert "test_openapi.py:" in text
    assert "the body `job` is a `Job`, which OpenAPI cannot describe" in text
    assert "pydantic.WithJsonSchema" in text
    # The document has the route nevertheless, as `serve` may not have checked it.
    body = document(route)["paths"]["/"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {}

    def result(request: Request) -> list[Job]: ...

    with pytest.raises(RouteError, match="the result is a"):
        check(Route("/", ["POST"], result))

    def fine(job: Described) -> Item: ...

    check(Route("/", ["POST"], fine))


def test_a_type_that_raises_omits_its_route_only(caplog: pytest.LogCaptureFixture) -> None:
    class Hostile(type):
        def __eq__(cls, other: object) -> bool:
            raise RuntimeError("not now")

        __hash__ = type.__hash__

    class Kind(metaclass=Hostile):
        pass

    def hostile(request: Request) -> Any: ...

    hostile.__annotations__["return"] = Kind

    def fine(request: Request) -> int: ...

    found = document(Route("/a", None, hostile), Route("/b", None, fine))
    assert list(found["paths"]) == ["/b"]
    assert found["x-omitted"] == ["/a cannot be described; the log has the reason"]
    assert "hostile cannot be described" in caplog.text
    assert "not now" in caplog.text


def test_a_generic_class_is_a_component_for_each_of_its_arguments() -> None:
    def limited(request: Request) -> Page[Annotated[int, pydantic.Field(ge=1)]]: ...

    def plain(request: Request) -> Page[int]: ...

    found = document(Route("/a", None, limited), Route("/b", None, plain))
    components = found["components"]["schemas"]
    items = [
        components[
            found["paths"][path]["get"]["responses"]["200"]["content"]["application/json"][
                "schema"
            ]["$ref"].rpartition("/")[2]
        ]["properties"]["items"]["items"]
        for path in ("/a", "/b")
    ]
    assert items == [{"type": "integer", "minimum": 1}, {"type": "integer"}]
