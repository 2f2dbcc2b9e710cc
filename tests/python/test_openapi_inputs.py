"""The OpenAPI document: parameters and bodies of requests."""

from __future__ import annotations

from typing import Annotated, Literal

from test_openapi import Color, Item, Line, Order, document, operation

from snaxum import (
    Body,
    Cookie,
    Form,
    Header,
    Path,
    Query,
    Request,
    UploadFile,
)
from snaxum.routing import Route


def test_parameters_have_their_place_type_and_limits() -> None:
    def handler(
        user_id: Annotated[int, Path(ge=1)],
        when: str,
        limit: Annotated[int, Query(le=100, title="Limit", examples=[5])] = 10,
        color: list[Color] | None = None,
        agent: Annotated[str, Header(description="The browser")] = "",
        session: Annotated[str | None, Cookie(deprecated=True)] = None,
        sort_by: Annotated[Literal["a", "b"], Query(alias="sort-by")] = "a",
    ) -> None: ...

    found = operation(handler, "/users/<int:user_id>/<path:rest>", method="GET")
    given = {each["name"]: each for each in found["parameters"]}
    assert list(given) == [
        "user_id", "rest", "when", "limit", "color", "agent", "session", "sort-by",
    ]  # fmt: skip
    assert given["user_id"] == {
        "name": "user_id",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
    assert given["when"] == {
        "name": "when",
        "in": "query",
        "required": True,
        "schema": {"type": "string"},
    }
    assert given["limit"]["schema"] == {
        "type": "integer",
        "maximum": 100,
        "default": 10,
        "title": "Limit",
        "examples": [5],
    }
    assert given["color"]["schema"]["items"]["$ref"].endswith("/Color")
    assert given["session"]["schema"] == {"type": "string"}
    assert (given["agent"]["in"], given["agent"]["description"]) == ("header", "The browser")
    assert (given["session"]["in"], given["session"]["deprecated"]) == ("cookie", True)
    assert given["sort-by"]["schema"]["enum"] == ["a", "b"]
    assert set(found["responses"]) == {"204", "422", "default"}


def test_a_required_list_of_texts_or_files_has_an_item() -> None:
    def handler(files: list[UploadFile], ids: list[int], more: list[UploadFile] = []) -> None: ...  # noqa: B006

    (media,) = operation(handler)["requestBody"]["content"].values()
    given = media["schema"]["properties"]
    assert (given["files"]["minItems"], given["ids"]["minItems"]) == (1, 1)
    assert "minItems" not in given["more"]


def test_a_model_of_texts_is_one_parameter_for_each_field() -> None:
    def handler(
        line: Annotated[Line, Query()],
        item: Annotated[Item, Query()],
    ) -> None: ...

    found = operation(handler, method="GET")
    given = {each["name"]: each for each in found["parameters"]}
    assert list(given) == ["sku", "count", "itemName", "price"]
    assert given["count"]["schema"]["minimum"] == 1
    assert given["itemName"]["schema"]["minLength"] == 1
    assert [name for name, each in given.items() if each.get("required")] == ["sku", "itemName"]


def test_a_body_has_its_content_type() -> None:
    def of_model(order: Annotated[Order, Body(examples=[{"orderId": 1}])]) -> None: ...

    body = operation(of_model)["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["examples"] == {
        "example 1": {"value": {"orderId": 1}}
    }

    def of_file(file: UploadFile, note: str = "", more: list[UploadFile] = []) -> None: ...  # noqa: B006

    content = operation(of_file)["requestBody"]["content"]
    assert list(content) == ["multipart/form-data"]
    whole = content["multipart/form-data"]["schema"]
    assert whole["required"] == ["file"]
    assert whole["properties"]["file"]["format"] == "binary"
    assert whole["properties"]["note"] == {"type": "string", "default": ""}
    assert whole["properties"]["more"]["type"] == "array"

    def of_form(name: Annotated[str, Form(min_length=2)]) -> None: ...

    content = operation(of_form)["requestBody"]["content"]
    assert list(content) == ["application/x-www-form-urlencoded", "multipart/form-data"]

    def of_chunks(request: Request) -> None:
        for _ in request.stream():
            pass

    assert list(operation(of_chunks)["requestBody"]["content"]) == ["application/octet-stream"]

    def of_two(order: Order) -> None: ...

    (item,) = document(Route("/", ["GET", "POST"], of_two))["paths"].values()
    assert ["requestBody" in item[method] for method in ("get", "post")] == [False, True]

    def of_none(request: Request) -> None: ...

    assert "requestBody" not in operation(of_none)


def test_a_frame_has_all_its_formats() -> None:
    import polars

    def handler(frame: polars.DataFrame) -> polars.DataFrame: ...

    found = operation(handler)
    given, sent = found["requestBody"]["content"], found["responses"]["200"]["content"]
    assert list(given) == list(sent)
    assert {"application/json", "text/csv", "application/vnd.apache.parquet"} <= set(given)
