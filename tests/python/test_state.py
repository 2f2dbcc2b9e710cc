"""The state of a request: attributes and items, and the values that layers in Rust have set."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from codecs_of_json import both_encoders

from snaxum import Request, State
from snaxum._core.json_encoding import dumps


class Raw:
    """A request that Rust has set a state for."""

    def __init__(self, value: Any) -> None:
        self.value, self.reads = value, 0

    def state(self) -> bytes | None:
        self.reads += 1
        return None if self.value is None else json.dumps(self.value).encode()


def request(value: Any) -> tuple[Request, Raw]:
    raw = Raw(value)
    return Request(cast(Any, raw), {}), raw


def test_values_of_rust_are_attributes_and_items_and_are_read_once_when_first_used() -> None:
    made, raw = request({"user": {"name": "ada"}, "trace-id": 7})
    assert raw.reads == 0
    assert made.state.user == made.state["user"] == {"name": "ada"}
    assert (made.state["trace-id"], made.state.get("tenant"), raw.reads) == (7, None, 1)
    made.state.user["name"] = "bob"
    made.state.tenant = "t"
    assert made.state == {"user": {"name": "bob"}, "trace-id": 7, "tenant": "t"}


def test_a_value_without_members_is_the_state() -> None:
    assert request([1, 2])[0].state == [1, 2]
    assert request("text")[0].state == "text"


def test_without_a_value_it_is_an_empty_namespace_for_values_of_ones_own() -> None:
    for made in (request(None)[0], Request.build()):
        assert (len(made.state), dict(made.state)) == (0, {})
        made.state.a = 1
        made.state["b"] = 2
        del made.state.b
        assert made.state == State(a=1)
        assert (repr(made.state), "a" in made.state, "b" in made.state) == (
            "State(a=1)",
            True,
            False,
        )
        with pytest.raises(AttributeError):
            made.state.b  # noqa: B018
        with pytest.raises(KeyError):
            made.state["b"]


@both_encoders
def test_it_is_json_even_if_a_value_hides_a_method(encode: Any) -> None:
    state = request({"items": [1], "get": 2})[0].state
    assert state.items == [1]
    assert json.loads(dumps({"state": state}, encode)) == {"state": {"items": [1], "get": 2}}
