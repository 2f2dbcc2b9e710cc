"""Routes whose bodies are data frames."""

import pandas as pd
import polars as pl

from snaxum import post


@post("/totals")
def totals(sales: pl.DataFrame) -> pl.DataFrame:
    return sales.group_by("city").agg(pl.col("amount").sum()).sort("city")


@post("/means")
async def means(sales: pd.DataFrame) -> pd.DataFrame:
    return sales.groupby("city").mean()
