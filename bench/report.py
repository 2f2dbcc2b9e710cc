"""Turns the raw figures of one run into Markdown, and keeps them as JSON lines.

Never measures: the same file gives the same report on any machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from peers import BASELINES

# A record is one line: {"type": "machine" | "load" | "memory" | "failure", ...}.
Record = dict[str, Any]

NONE = "–"
# Packages whose versions are named.
SHOWN = (
    *("granian", "uvicorn", "uvloop", "httptools", "fastapi", "flask", "gunicorn", "orjson"),
    *("watchfiles", "watchdog", "jurigged", "uvicorn_hmr", "numpy", "pandas", "polars"),
)


def append(path: Path, record: Record) -> None:
    """Write it at once, so that a run that is cut short keeps what it has."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[Record]:
    """Take the records back from a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def markdown(records: list[Record]) -> str:
    """The whole report."""

    def of(kind: str) -> list[Record]:
        return [record for record in records if record["type"] == kind]

    parts = [machine(record) for record in of("machine")]
    loads = of("load")
    for workload, connections in _unique(loads, lambda r: (r["workload"], r["connections"])):
        cell = [r for r in loads if (r["workload"], r["connections"]) == (workload, connections)]
        plural = "" if connections == 1 else "s"
        parts.append(f"### {workload}, {connections} connection{plural}\n\n{_load_table(cell)}")
    if memory := of("memory"):
        parts.append(f"### Idle memory, after one hello\n\n{_memory_table(memory)}")
    if failures := of("failure"):
        parts.append(not_measured(failures))
    return "\n\n".join(parts)


def machine(record: Record) -> str:
    """What the figures were measured on."""
    packages = record["packages"]
    versions = [f"{name} {packages[name]}" for name in SHOWN if name in packages]
    versions = [record["snaxum"], *versions]
    if "axum" in record:
        versions += [f"axum {record['axum']}", record["wrk"]]
    load = " ".join(str(value) for value in record["loadavg_before"])
    # A binary that was not built here may be of another commit.
    commit = "a binary given with --snaxum" if record.get("binary_given") else record["commit"]
    where = f"{record['cores']} cores of {record['cpu']}, {record['memory_gb']} GB"
    return "\n".join(
        [
            f"- {where}, {record['system']}",
            f"- {record['pinning']}; load average before: {load}",
            f"- {record['procedure']}, snaxum from {commit}",
            f"- Python {record['python']}, {record['rustc']}; {', '.join(versions)}",
        ]
    )


def not_measured(failures: list[Record]) -> str:
    """The rows that are missing from the tables, and why."""
    lines = [f"- **{r['peer']}**, {r['during']}: {r['error']}" for r in failures]
    return "### Not measured\n\n" + "\n".join(lines)


def _load_table(cell: list[Record]) -> str:
    rates = {
        peer: {r["round"]: r["requests"] / r["seconds"] for r in cell if r["peer"] == peer}
        for peer in _unique(cell, lambda r: r["peer"])
    }
    baselines = [name for name in BASELINES if name in rates]
    head = ["server", "requests/s", "min–max", *(f"× {name}" for name in baselines)]
    rows = [[*head, "p50 ms", "p99 ms", "CPU µs/request", "errors"]]
    for peer, by_round in rates.items():
        mine = [r for r in cell if r["peer"] == peer]
        errors = sum(sum(r["errors"].values()) for r in mine)
        rows.append(
            [
                f"**{peer} (errors!)**" if errors else peer,
                f"{median(by_round.values()):,.0f}",
                f"{min(by_round.values()):,.0f}–{max(by_round.values()):,.0f}",
                *(_ratio(by_round, rates[name]) for name in baselines),
                f"{median(r['p50_us'] for r in mine) / 1e3:.2f}",
                f"{median(r['p99_us'] for r in mine) / 1e3:.2f}",
                f"{median(r['cpu_s'] / max(r['requests'], 1) for r in mine) * 1e6:.1f}",
                str(errors),
            ]
        )
    return table(rows)


def _ratio(mine: dict[int, float], base: dict[int, float]) -> str:
    """The median of the ratios of each round: what disturbs a round disturbs both."""
    ratios = [mine[n] / base[n] for n in mine if base.get(n)]
    return f"{median(ratios):.2f}" if ratios else NONE


def _memory_table(records: list[Record]) -> str:
    rows = [["server", "RSS MB", "PSS MB", "processes"]]
    for peer in _unique(records, lambda r: r["peer"]):
        mine = [r for r in records if r["peer"] == peer]
        rss, pss = (median(r[key] for r in mine) for key in ("rss_mb", "pss_mb"))
        rows.append([peer, f"{rss:.1f}", f"{pss:.1f}", str(mine[-1]["processes"])])
    return table(rows)


def table(rows: list[list[str]]) -> str:
    """The first row is the head; all columns but the first are figures."""
    rule = ["---"] + ["---:"] * (len(rows[0]) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])


def _unique(records: list[Record], key: Callable[[Record], Any]) -> list[Any]:
    """The values of `key` in the order in which they first come."""
    return list(dict.fromkeys(map(key, records)))
