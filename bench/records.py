"""The raw figures of a run, one JSON object a line, and the tables that are drawn from them.

Never measures, and knows no kind of record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One line of a file: {"type": "machine" | "load" | "memory" | "failure" | …, …}.
Record = dict[str, Any]

NONE = "–"


def append(path: Path, record: Record) -> None:
    """Write it at once, so that an interrupted run still has its records."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[Record]:
    """Take the records back from a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(rows: list[list[str]]) -> str:
    """The first row is the head; all columns but the first are figures."""
    rule = ["---"] + ["---:"] * (len(rows[0]) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])


def unique(records: list[Record], key: Callable[[Record], Any]) -> list[Any]:
    """The values of `key` in the order in which they first come."""
    return list(dict.fromkeys(map(key, records)))
