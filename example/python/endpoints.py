"""Endpoints that run in the server's own interpreter.

Edit one while `snaxum dev example` runs, save, and ask again: the next request runs the new code.
"""

from __future__ import annotations

import polars as pl

from snaxum import Request, Response, route

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


@route("/python/hello")
def hello(request: Request) -> dict:
    """Greet the world, or `?name=`."""
    name = request.query_params.get("name", "world")
    return {"message": f"Hello, {name}, from Python"}


@route("/python/process", methods=["POST"])
def process(request: Request) -> dict | tuple:
    """Describe the numbers in `{"numbers": [...]}`."""
    body = request.body
    numbers = body.get("numbers") if isinstance(body, dict) else None
    if not isinstance(numbers, list) or not numbers:
        return {"error": 'send {"numbers": [1, 2, 3]}'}, 422
    series = pl.Series("numbers", numbers, dtype=pl.Float64, strict=False)
    return {
        "count": len(series),
        "sum": series.sum(),
        "mean": series.mean(),
        "median": series.median(),
    }


@route("/python/users/<int:user_id>")
def get_user(request: Request) -> dict:
    """Show that `<int:...>` arrives as an int, and that anything else is a 404."""
    user_id = request.path_params["user_id"]
    return {"user_id": user_id, "name": f"User {user_id}"}


@route("/python/items/<name>")
def get_item(request: Request) -> dict | tuple:
    """Return one item."""
    name = request.path_params["name"]
    item = ITEMS.get(name)
    if item is None:
        return {"error": f"no item {name!r}", "known": sorted(ITEMS)}, 404
    return {"name": name, **item}


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
def polars_demo(request: Request) -> dict:
    """Sum the sales of each city; a data frame is JSON without further ado."""
    by_city = SALES.group_by("city").agg(pl.col("sales").sum()).sort("sales", descending=True)
    return {"polars": pl.__version__, "rows": by_city}
