"""Writes the pages of the documentation that show a run: `bench.md` and its picture.

Never measures, and never writes figures of a quick run into the project's documentation.
"""

from __future__ import annotations

from pathlib import Path

import chart
import report
from records import Record
from setup import ROOT
from targets import targets_table

DOCS = ROOT / "docs"

_HEAD = """# Speed

Made by `python3 bench/run.py --report FILE --docs` from the raw figures of one run of
`python3 bench/run.py`. The repository's `bench/README.md` describes the method and the columns.
Quote ratios: absolute numbers belong to one machine on one day.

{machine}

![Requests a second of each server, relative to plain axum](bench.svg)

## Targets

{targets}

[Where the time goes](profiles.md) has the profiles of some targets that this run or another has
missed, and what it would take to reach them. A target that is not measured is of a part of the
benchmark that this run does not have.

## Measured

{details}
"""


class QuickError(Exception):
    """The figures are of a run that only shows whether all of it works."""


def write(records: list[Record], directory: Path) -> None:
    """Replace both files."""
    machines = [record for record in records if record["type"] == "machine"]
    if directory.resolve() == DOCS and any(record.get("quick", True) for record in machines):
        raise QuickError(f"figures of a --quick run are not for `{DOCS}`; name another directory")
    details = [*report.details(records)]
    if failures := [record for record in records if record["type"] == "failure"]:
        details.append(report.not_measured(failures))
    page = _HEAD.format(
        machine="\n".join(map(report.machine, machines)),
        targets=targets_table(records),
        details="\n\n".join(details),
    )
    (directory / "bench.md").write_text(page)
    (directory / "bench.svg").write_text(chart.svg(records))
