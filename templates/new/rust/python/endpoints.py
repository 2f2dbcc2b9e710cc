"""The endpoints in Python. `src/main.rs` routes everything below `/python` to them."""

import polars as pl
from snaxum import get

SALES = pl.DataFrame(
    {
        "city": ["Graz", "Graz", "Linz", "Linz", "Wien", "Wien"],
        "sales": [120, 95, 80, 130, 310, 275],
    }
)


@get("/python/sales")
def sales() -> pl.DataFrame:
    """Add up the sales of each city."""
    return SALES.group_by("city").agg(pl.col("sales").sum()).sort("city")
