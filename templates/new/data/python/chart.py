"""From a table to the bars of a chart. Knows nothing of requests."""

from typing import NamedTuple

import polars as pl
import polars.selectors as cs
from snaxum import HTTPError

MAX_BARS = 20


class Bar(NamedTuple):
    """A bar of the chart."""

    name: str
    value: float
    percent: float  # 100 is the longest bar


def totals(table: pl.DataFrame) -> pl.DataFrame:
    """Add up the first column of numbers for each text in the first column of text.

    The largest sum is first. A table without such columns is a response of status 422.
    """
    texts = table.select(cs.string()).columns
    numbers = table.select(cs.numeric()).columns
    if not texts or not numbers:
        raise HTTPError(422, "the table needs a column of text and one of numbers")
    name, number = texts[0], pl.col(numbers[0]).cast(pl.Float64)
    return (
        table.filter(number.is_finite())
        .group_by(name)
        .agg(number.sum())
        .sort(numbers[0], name, descending=[True, False])
    )


def bars(sums: pl.DataFrame) -> list[Bar]:
    """Return a bar for each of the largest sums; a negative sum has no width."""
    rows = sums.head(MAX_BARS).rows()
    longest = max((value for _, value in rows if value > 0), default=1.0)
    return [
        Bar(name or "(empty)", value, max(0, 100 * value / longest))
        for name, value in rows
    ]
