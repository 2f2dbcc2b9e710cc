"""Figures of a run by row and round: what targets and charts are made of.

Only reads records.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from records import Record

# One figure of one row.
Rounds = Mapping[int, float]


def rates_of(
    records: list[Record], section: str, workload: str, connections: int
) -> dict[str, dict[int, float]]:
    """Requests a second of each row; those with errors are worth nothing."""
    found: dict[str, dict[int, float]] = {}
    for r in records:
        key = (r.get("section", "requests"), r.get("workload"), r.get("connections"))
        if key == (section, workload, connections) and not any(r["errors"].values()):
            found.setdefault(r["peer"], {})[r["round"]] = r["requests"] / r["seconds"]
    return found


def medians(records: list[Record], kind: str, field: str) -> dict[str, dict[int, float]]:
    """The median of each round, of records that contain a list of figures or a single one."""
    found: dict[str, dict[int, float]] = {}
    for r in records:
        if r["type"] == kind:
            values = r[field] if isinstance(r[field], list) else [r[field]]
            found.setdefault(r["peer"], {})[r["round"]] = median(values)
    return found


def ratios(mine: Rounds, base: Rounds) -> Rounds:
    """Round by round: what disturbs a round disturbs both."""
    return {n: mine[n] / base[n] for n in mine if base.get(n)}
