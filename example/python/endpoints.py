"""Endpoints that run in the server's own interpreter.

Edit one while `snaxum dev example` runs, save, and ask again: the next request runs the new code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from snaxum import HTTPError, Request, Response, route

ITEMS = {
    "apple": {"price": 0.40, "stock": 120},
    "bread": {"price": 2.80, "stock": 14},
    "cheese": {"price": 7.50, "stock": 3},
}

SALES = pl.DataFrame(
    {
        "city": ["Graz", "Graz", "Linz", "Linz", "Wien", "Wien"],
        "day": [1, 2, 1, 2, 1, 2],
        "sales": [120, 95, 80, 130, 310, 275],
    }
)


@dataclass
class Numbers:
    """The body `{"numbers": [...]}`."""

    numbers: list[float]


@route("/python/hello")
def hello(name: str = "world") -> dict[str, str]:
    """Greet the world, or `?name=`."""
    return {"message": f"Hello, {name}, from Python"}


@route("/python/process", methods=["POST"])
def process(body: Numbers) -> dict[str, Any]:
    """Describe the numbers of the body; another body is a 422 with the reason."""
    series = pl.Series("numbers", body.numbers, dtype=pl.Float64)
    return {
        "count": len(series),
        "sum": series.sum(),
        "mean": series.mean(),
        "median": series.median(),
    }


@route("/python/users/<int:user_id>")
def get_user(user_id: int) -> dict[str, Any]:
    """Show that `<int:...>` arrives as an int, and that anything else is a 404."""
    return {"user_id": user_id, "name": f"User {user_id}"}


@route("/python/items/<name>")
def get_item(name: str) -> dict[str, Any]:
    """Return one item."""
    if name not in ITEMS:
        raise HTTPError(404, f"no item {name!r}; known are {', '.join(ITEMS)}")
    return {"name": name, **ITEMS[name]}


@route("/python/echo")
def echo(request: Request) -> Response:
    """Return parts of the request."""
    return Response(
        {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query_params),
            "user_agent": request.headers.get("User-Agent"),
        },
        headers={"x-echo": "python"},
    )


@route("/python/polars-demo")
def polars_demo() -> dict[str, Any]:
    """Sum the sales of each city; a data frame is JSON without further ado."""
    by_city = SALES.group_by("city").agg(pl.col("sales").sum()).sort("sales", descending=True)
    return {"polars": pl.__version__, "rows": by_city}
