"""A handler that needs JSON, and whose client has sent none.

Owns the proof that `request.body` is the None of an exception: each way to use it, and exceptions
of other values with the same message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from snaxum import Request
from snaxum._debug.unparsed_body import explain


def subscript(request: Any) -> Any:
    return request.body["a"]


def nested(request: Any) -> Any:
    return {"a": [int(request.body["a"]["b"])]}


def method(request: Any) -> Any:
    return request.body.get("a")


def alias(request: Any) -> Any:
    data = request.body
    return data["a"]


def walrus(request: Any) -> Any:
    if (data := request.body) or True:
        return data["a"]


def annotated(request: Any) -> Any:
    data: dict[str, Any] = request.body
    name, age = data["name"], data["age"]
    return name, age


def iterated(request: Any) -> Any:
    for each in request.body:
        return each


def comprehended(request: Any) -> Any:
    return [each for each in request.body]  # noqa: C416


def searched(request: Any) -> Any:
    return "a" in request.body


def unpacked(request: Any) -> Any:
    a, b = request.body
    return a, b


def starred(request: Any) -> Any:
    return [*request.body]


def keywords(request: Any) -> Any:
    return dict(**request.body)


def measured(request: Any) -> Any:
    return len(request.body)


def first(data: Any) -> Any:
    return data[0]


def passed(request: Any) -> Any:
    return first(request.body)


def closed_over(request: Any) -> Any:
    data = request.body

    def inner() -> Any:
        return data["a"]

    return inner()


def spread(request: Any) -> Any:
    return request.body["a"]


BODIES: list[tuple[dict[str, Any], int, str]] = [
    ({"headers": {"content-type": "text/plain"}, "body": "{}"}, 415, "the body is `text/plain`, "),
    ({"headers": {"content-type": "application/json"}}, 400, "the request has no body; send JSON"),
    ({}, 400, "the request has no body"),
    ({"headers": {"content-type": "application/json"}, "body": " null"}, 400, "is `null`; send"),
    ({"body": "{"}, 400, "the body is not valid JSON, and has no content type"),
]


def failure(handler: Callable[[Request], object], request: Request) -> BaseException:
    try:
        handler(request)
    except Exception as error:
        return error
    raise AssertionError("it does not fail")


# fmt: off
WAYS = [
    subscript, nested, method, alias, walrus, annotated, iterated, comprehended, searched, unpacked,
    starred, keywords, measured, passed, closed_over, spread,
]
# fmt: on


@pytest.mark.parametrize("handler", WAYS)
@pytest.mark.parametrize(("parts", "status", "words"), BODIES, ids=range(5))
def test_a_use_of_a_missing_body_is_a_fault_of_the_client(
    handler: Callable[[Any], Any], parts: dict[str, Any], status: int, words: str
) -> None:
    request = Request.build("POST", **parts)

    explained = explain(failure(handler, request), request)

    assert explained is not None
    assert explained[0] == status
    assert words in explained[1]


def not_read(request: Any) -> Any:
    return request.state.body["a"]  # an AttributeError of another kind


def of_its_own(request: Any) -> Any:
    data = request.body or {}
    user = data.get("user")
    return user["name"]


def another_attribute(request: Any) -> Any:
    body, user = request.body, None
    return user["name"], body  # type: ignore[index]


def another_type(request: Any) -> Any:
    request.body  # noqa: B018
    return "a" + 1  # type: ignore[operator]


def raised(request: Any) -> Any:
    raise ValueError(f"NoneType {request.body}")


def result_of_a_call(request: Any) -> Any:
    def find(body: Any) -> Any:
        return None

    return find(request.body)["name"]


@pytest.mark.parametrize(
    "handler", [not_read, of_its_own, another_attribute, another_type, raised, result_of_a_call]
)
def test_another_none_is_a_fault_of_the_handler(handler: Callable[[Any], Any]) -> None:
    request = Request.build("POST")

    assert explain(failure(handler, request), request) is None


def test_a_body_that_was_parsed_is_not_explained() -> None:
    request = Request.build("POST", json={"a": None})

    assert explain(failure(lambda request: request.body["a"]["b"], request), request) is None


def test_a_body_that_the_handler_has_not_read_stays_unread() -> None:
    request = Request.build("POST", headers={"content-type": "application/json"}, body="{")

    assert explain(failure(lambda request: request.state["a"], request), request) is None


def test_a_message_that_cannot_be_printed_is_another_failure() -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise ValueError("NoneType")

    assert explain(TypeError(Unprintable()), cast(Request, object())) is None


def test_a_form_is_not_json(monkeypatch: pytest.MonkeyPatch) -> None:
    request = Request.build("POST", files={"a": b"1"})
    # As of a server: the form was parsed as it arrived, so there are no bytes.
    monkeypatch.setattr(request._raw, "form", lambda: ([], []), raising=False)

    explained = explain(failure(subscript, request), request)

    assert explained is not None
    assert explained[0] == 415
    assert "the body is `multipart/form-data`, not JSON" in explained[1]
