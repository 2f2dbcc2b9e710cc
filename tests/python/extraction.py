"""Fills the parameters of a handler from a request that is built here, for tests."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from typing import Any

import pytest

from snaxum import (
    Request,
    ValidationError,
)
from snaxum.routing import Route

UTC = dt.timezone.utc
FORM = {"content-type": "application/x-www-form-urlencoded"}


def fill(handler: Callable[..., Any], pattern: str = "/", **build: Any) -> Any:
    method = build.get("method", "GET")
    route = Route(pattern, [method], handler)
    return route.call(Request.build(**build))


def faults(handler: Callable[..., Any], pattern: str = "/", **build: Any) -> list[Any]:
    with pytest.raises(ValidationError) as caught:
        fill(handler, pattern, **build)
    assert caught.value.status == 422
    found: list[Any] = caught.value.extensions()["errors"]
    assert all(set(each) == {"in", "loc", "msg", "type"} for each in found)
    return [(each["in"], each["loc"], each["type"]) for each in found]


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2
