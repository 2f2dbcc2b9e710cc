"""Tests of the chart, without requests."""

import polars as pl

from chart import Bar, bars, totals


def test_the_longest_bar_has_the_whole_width() -> None:
    table = pl.DataFrame({"name": ["a", "b", "c"], "value": [5, 10, -1]})

    assert bars(totals(table)) == [Bar("b", 10, 100), Bar("a", 5, 50), Bar("c", -1, 0)]


def test_missing_numbers_are_left_out() -> None:
    table = pl.DataFrame({"name": ["a", "b", None], "value": [1.0, float("nan"), None]})

    assert bars(totals(table)) == [Bar("a", 1, 100)]
