"""Limits of parameters: numbers of two kinds, and times of two kinds.

`test_parameters` has the errors of limits that a type does not have.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import pytest
from extraction import UTC, faults, fill

from snaxum import Query, RouteError
from snaxum.routing import Route

pytestmark = pytest.mark.usefixtures("engine")


def limited(kind: Any, **limits: Any) -> Any:
    def handler(*, n: Any) -> Any:
        return n

    handler.__annotations__["n"] = Annotated[kind, Query(**limits)]
    return handler


@pytest.mark.parametrize("step", [0.01, Decimal("0.01"), Fraction(1, 100)])
@pytest.mark.parametrize("kind", [Decimal, float])
def test_a_multiple_may_be_of_another_kind_of_number(kind: Any, step: Any) -> None:
    for text in ("0.02", "0", "-0.03", "12.34"):
        assert fill(limited(kind, multiple_of=step), query=f"n={text}") == kind(text)
    for text in ("0.015", "-0.001"):
        found = faults(limited(kind, multiple_of=step), query=f"n={text}")
        assert found == [("query", ["n"], "multiple_of")]


@pytest.mark.parametrize("kind", [Decimal, float])
@pytest.mark.parametrize("limit", [0.1, Decimal("0.1")])
def test_a_limit_of_another_kind_of_number_is_its_shown_value(kind: Any, limit: Any) -> None:
    assert fill(limited(kind, ge=limit, le=limit), query="n=0.1") == kind("0.1")
    assert faults(limited(kind, gt=limit), query="n=0.1") == [("query", ["n"], "greater_than")]
    assert faults(limited(kind, lt=limit), query="n=0.2") == [("query", ["n"], "less_than")]


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (dt.datetime, dt.date(2026, 1, 1)), (dt.datetime, dt.time(9)),
        (dt.date, dt.datetime(2026, 1, 1)), (dt.time, dt.timedelta(1)), (dt.timedelta, 5),
        (float, 1j), (Decimal, "1"),
    ],
)  # fmt: skip
def test_a_limit_that_nothing_can_be_compared_with_is_an_error(kind: Any, limit: Any) -> None:
    words = "a number" if kind in (float, Decimal) else f"a `{kind.__name__}`"
    with pytest.raises(RouteError, match=f"is not {words}"):
        Route("/", None, limited(kind, ge=limit))


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (dt.datetime(2026, 1, 1), "2026-01-02T00:00:00Z"),
        (dt.datetime(2026, 1, 1, tzinfo=UTC), "2026-01-02"),
        (dt.date(2026, 1, 1), "2026-01-02"),
        (dt.time(9), "10:00:00Z"),
        (dt.timedelta(1), "P2D"),
    ],
)
def test_a_time_has_limits_of_its_own_kind(limit: Any, text: str) -> None:
    kind = type(limit)
    assert type(fill(limited(kind, gt=limit), query=f"n={text}")) is kind
    assert faults(limited(kind, lt=limit), query=f"n={text}") == [("query", ["n"], "less_than")]
