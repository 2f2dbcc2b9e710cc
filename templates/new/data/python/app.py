"""A page with the chart of a table: an example, or the file that a visitor uploads."""

from pathlib import Path

import polars as pl
from snaxum import UploadFile, abort, get, keep, post, render

from chart import bars, totals

EXAMPLE = Path(__file__).parent.parent / "data" / "sales.csv"


def read_example() -> pl.DataFrame:
    """Read the table of the first page."""
    return pl.read_csv(EXAMPLE)


# Read once: a save of this file does not read it again.
example = keep("example", read_example)


@get("/")
def index() -> str:
    """Show the chart of the example."""
    return page(EXAMPLE.name, example)


@post("/")
def upload(file: UploadFile) -> str:
    """Show the chart of a CSV file."""
    try:
        table = pl.read_csv(file)
    except pl.exceptions.PolarsError as error:
        abort(422, f"{file.filename} is not a CSV file: {error}")
    return page(file.filename, table)


@post("/totals")
def compute_totals(table: pl.DataFrame) -> pl.DataFrame:
    """Add up a table of JSON, CSV or Parquet; `Accept` chooses the response format."""
    return totals(table)


@get("/health")
def health() -> dict[str, str]:
    """Respond to the health check of the container."""
    return {"status": "ok"}


def page(title: str, table: pl.DataFrame) -> str:
    """Make the page with the chart of a table."""
    sums = totals(table)
    return render("page.html", title=title, columns=sums.columns, bars=bars(sums))
