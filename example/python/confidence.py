"""A page with an upload, a checked form, a stream and a WebSocket: how sure is a mean?

Open /python/confidence/ in two windows while `snaxum dev example` runs. The means of resamples of
a column arrive as they are computed (the bootstrap); each page sees the results and notes of both.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any

import polars as pl

from snaxum import (
    Blueprint,
    Channel,
    Form,
    Response,
    UploadFile,
    ValidationError,
    WebSocket,
    keep,
    static,
    stream_json_lines,
)

STEPS = 50
MAX_NOTE = 200

confidence = Blueprint("confidence", prefix="/python/confidence")
# The page itself: index.html, its style and its script, sent by Rust.
static("/python/confidence", "static")

channel = Channel("notes")
# The newest notes. They survive every save.
notes: deque[dict[str, Any]] = keep("notes", lambda: deque(maxlen=20))


@confidence.post("/resamples")
def resamples(
    file: UploadFile,
    column: Annotated[str, Form(min_length=1)],
    rounds: Annotated[int, Form(ge=50, le=10_000)],
    level: Annotated[float, Form(ge=50, le=99.9)],
) -> Response:
    """Stream the means of as many resamples of a column, in steps: one line of JSON each."""
    return stream_json_lines(resample(read_numbers(file, column), column, rounds, level))


@confidence.websocket("/notes")
async def exchange_notes(ws: WebSocket) -> None:
    """Send the newest notes, then each further one; add what the client sends."""
    async with channel.forward_to(ws):
        for note in list(notes):
            await ws.send_json(note)
        async for text in ws:
            add_note(str(text)[:MAX_NOTE])


def add_note(text: str) -> None:
    """Add a note, and send it to every open page."""
    note = {"at": time.time(), "text": text}
    notes.append(note)
    channel.publish(note)


def read_numbers(file: UploadFile, column: str) -> pl.Series:
    """Return the numbers of a column.

    Raises ValidationError, which is a 422 like that for a field that does not convert.
    """
    try:
        table = pl.read_csv(file)
    except pl.exceptions.PolarsError as error:
        raise fault("file", f"is not CSV: {error}") from None
    if column not in table.columns:
        raise fault("column", f"must be one of {', '.join(table.columns)}")
    numbers = table[column].cast(pl.Float64, strict=False)
    numbers = numbers.filter(numbers.is_finite())
    if len(numbers) < 2:
        raise fault("column", f"must have two numbers or more, not {len(numbers)}")
    return numbers


def resample(
    numbers: pl.Series, column: str, rounds: int, level: float
) -> Iterator[dict[str, Any]]:
    """Yield the new means of each step, and the interval that has `level` percent of all so far."""
    means: list[float] = []
    text = ""
    for step in range(STEPS):
        missing = rounds * (step + 1) // STEPS - len(means)
        new = [
            float(numbers.sample(fraction=1, with_replacement=True).sum()) / len(numbers)
            for _ in range(missing)
        ]
        means = sorted(means + new)
        low, high = (means[int(q / 200 * len(means))] for q in (100 - level, 100 + level))
        text = f"With {level:g}% confidence, {column} has a mean of {low:.4g} to {high:.4g}"
        yield {"means": new, "low": low, "high": high, "text": text}
    add_note(text)


def fault(field: str, message: str) -> ValidationError:
    """Make the error of a form's field."""
    return ValidationError([{"in": "form", "loc": [field], "msg": message, "type": "value_error"}])
