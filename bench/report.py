"""Turns the raw figures of one run of `run.py` into Markdown.

Never measures: the same file gives the same report on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

import peers
from figures import Rounds, ratios
from peers import BASELINES
from records import NONE, Record, table, unique
from targets import targets_table
from upload import MEGABYTES
from websocket_echo import CLIENTS, INTERVAL_S

# Packages whose versions are named.
SHOWN = (
    *("granian", "socketify", "blacksheep", "robyn", "uvicorn", "uvloop", "httptools", "fastapi"),
    *("flask", "gunicorn", "orjson", "watchfiles", "watchdog", "jurigged", "uvicorn_hmr", "numpy"),
    *("pandas", "polars", "litestar", "msgspec", "pydantic", "websockets", "litserve"),
    *("scikit_learn", "onnxruntime"),
)
_TITLES = {
    "dev": "Dev mode",
    "rust": "A Rust endpoint in the same process",
    "routes": "Few routes and many",
    "filling": "The API",
    "files": "Static files",
    "wheel": "The wheel",
    "applications": "Applications of other frameworks",
    "models": "Models",
    "serving": "Several processes",
}
# The baselines of a section's rows.
_BASES = {
    "dev": (peers.SERVE.name,),
    "rust": (peers.ALONE.name,),
    "routes": (peers.FEW_ROUTES.name,),
    "filling": (peers.FASTAPI.name, peers.LITESTAR.name),
    "files": (peers.FILES.name,),
    "wheel": (peers.BINARY.name,),
    "applications": ("granian", "uvicorn", "gunicorn"),
    "models": ("litserve",),
    "serving": (peers.ONE_PROCESS.name, peers.TWO_WORKERS.name, peers.SERVE.name),
}


def markdown(records: list[Record]) -> str:
    """The whole report."""
    machines = [machine(record) for record in records if record["type"] == "machine"]
    parts = [*machines, f"### Targets\n\n{targets_table(records)}", *details(records)]
    if failures := [record for record in records if record["type"] == "failure"]:
        parts.append(not_measured(failures))
    return "\n\n".join(parts)


def details(records: list[Record]) -> Iterable[str]:
    """The tables behind the targets."""

    def of(kind: str) -> list[Record]:
        return [record for record in records if record["type"] == kind]

    loads = of("load")
    for key in unique(loads, _cell):
        cell = [r for r in loads if _cell(r) == key]
        section, workload, connections = key
        plural = "" if connections == 1 else "s"
        title = f"{workload}, {connections} connection{plural}"
        if section in _TITLES:
            title = f"{_TITLES[section]}: {title}"
        yield f"### {title}\n\n{_load_table(cell, _BASES.get(section, BASELINES))}"
    if neighbours := of("neighbour"):
        title = "A Rust endpoint while every Python worker computes"
        yield f"### {title}\n\n{_neighbour_table(neighbours)}"
    if disturbed := of("disturbed"):
        title = "Several processes: deploys, and processes that are killed"
        yield f"### {title}\n\n{_disturbed_table(disturbed)}"
    if uploads := of("upload"):
        yield f"### An upload of {MEGABYTES} MB\n\n{_upload_table(uploads)}"
    if sockets := of("websockets"):
        title = f"{CLIENTS:,} WebSocket clients, an echo each {INTERVAL_S * 1000:.0f} ms"
        yield f"### {title}\n\n{_socket_table(sockets)}"
    if memory := of("memory"):
        yield f"### Idle memory, after one hello\n\n{_memory_table(memory)}"
    if starts := of("startup"):
        yield f"### From the start to the first response\n\n{_times_table(starts, 'ms')}"
    if trips := of("roundtrip"):
        yield f"### A task of the pool\n\n{_times_table(trips, 'us')}"


def machine(record: Record) -> str:
    """The machine of the figures."""
    packages = record["packages"]
    versions = [f"{name} {packages[name]}" for name in SHOWN if name in packages]
    versions = [record["snaxum"], *versions]
    if "axum" in record:
        versions += [f"axum {record['axum']}", record["wrk"]]
    load = " ".join(str(value) for value in record["loadavg_before"])
    # A binary that was not built here may be of another commit.
    commit = "a binary given with --snaxum" if record.get("binary_given") else record["commit"]
    where = f"{record['cores']} cores of {record['cpu']}, {record['memory_gb']} GB"
    lines = [
        f"- {where}, {record['system']}",
        f"- {record['pinning']}; load average before: {load}",
        f"- {record['procedure']}, snaxum from {commit}",
        f"- Python {record['python']}, {record['rustc']}; {', '.join(versions)}",
    ]
    for peer, library in record.get("left_out", {}).items():
        lines.append(f"- left out: {peer}, which needs {library}")
    return "\n".join(lines)


def not_measured(failures: list[Record]) -> str:
    """The rows that are missing from the tables, and why."""
    lines = [f"- **{r['peer']}**, {r['during']}: {r['error']}" for r in failures]
    return "### Not measured\n\n" + "\n".join(lines)


def _cell(record: Record) -> tuple[str, str, int]:
    # Runs of before there were sections have none.
    return record.get("section", "requests"), record["workload"], record["connections"]


def _load_table(cell: list[Record], bases: tuple[str, ...]) -> str:
    rates = {
        peer: {r["round"]: r["requests"] / r["seconds"] for r in cell if r["peer"] == peer}
        for peer in unique(cell, lambda r: r["peer"])
    }
    baselines = [name for name in bases if name in rates]
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


def _ratio(mine: Rounds, base: Rounds) -> str:
    by_round = ratios(mine, base)
    return f"{median(by_round.values()):.2f}" if by_round else NONE


def _neighbour_table(records: list[Record]) -> str:
    rows = [["load, and Python", "requests/s", "p50 ms", "p99 ms", "p99 × idle"]]
    for load in unique(records, lambda r: r["load"]):
        mine = [r for r in records if r["load"] == load]
        ratio = median(r["busy"]["p99_us"] / r["idle"]["p99_us"] for r in mine)
        for phase, last in (("idle", NONE), ("busy", f"{ratio:.2f}")):
            seen = [r[phase] for r in mine]
            rate = median(s["requests"] / s["seconds"] for s in seen)
            times = [f"{median(s[key] for s in seen) / 1e3:.2f}" for key in ("p50_us", "p99_us")]
            rows.append([f"{load}, {phase}", f"{rate:,.0f}", *times, last])
    return table(rows)


def _disturbed_table(records: list[Record]) -> str:
    rows = [
        ["64 paced connections", "times", "requests", "failed", "p50 ms", "p99 ms", "p99 × calm"]
    ]
    for what in unique(records, lambda r: r["what"]):
        mine = [r for r in records if r["what"] == what]
        ratio = median(r["restless"]["p99_us"] / r["calm"]["p99_us"] for r in mine)
        count = sum(r["count"] for r in mine)
        for phase, name, last in (("calm", NONE, NONE), ("restless", f"{count}", f"{ratio:.2f}")):
            seen = [r[phase] for r in mine]
            requests = sum(s["requests"] for s in seen)
            failed = sum(sum(s["faults"].values()) for s in seen)
            times = [f"{median(s[key] for s in seen) / 1e3:.2f}" for key in ("p50_us", "p99_us")]
            title = what if phase == "restless" else f"{what}, calm"
            rows.append([title, name, f"{requests:,}", f"{failed}", *times, last])
    return table(rows)


def _upload_table(records: list[Record]) -> str:
    rows = [["server", "peak RSS MB", "before MB", "MB/s"]]
    for peer in unique(records, lambda r: r["peer"]):
        mine = [r for r in records if r["peer"] == peer]
        peak, idle, seconds = (
            median(r[key] for r in mine) for key in ("peak_mb", "idle_mb", "seconds")
        )
        rows.append([peer, f"{peak:.1f}", f"{idle:.1f}", f"{MEGABYTES / seconds:.0f}"])
    return table(rows)


def _socket_table(records: list[Record]) -> str:
    rows = [["server", "messages sent", "p50 ms", "p99 ms", "CPU µs/message"]]
    for peer in unique(records, lambda r: r["peer"]):
        mine = [r for r in records if r["peer"] == peer]
        part = median(r["messages"] / r["expected"] for r in mine)
        p50, p99 = (median(r[key] for r in mine) / 1e3 for key in ("p50_us", "p99_us"))
        cpu = median(r["cpu_us"] for r in mine)
        rows.append([peer, f"{part:.1%}", f"{p50:.2f}", f"{p99:.2f}", f"{cpu:.1f}"])
    return table(rows)


def _memory_table(records: list[Record]) -> str:
    rows = [["server", "RSS MB", "PSS MB", "processes"]]
    for peer in unique(records, lambda r: r["peer"]):
        mine = [r for r in records if r["peer"] == peer]
        rss, pss = (median(r[key] for r in mine) for key in ("rss_mb", "pss_mb"))
        rows.append([peer, f"{rss:.1f}", f"{pss:.1f}", str(mine[-1]["processes"])])
    return table(rows)


def _times_table(records: list[Record], field: str) -> str:
    """A table of rows that were timed by themselves, several times a round."""
    unit = {"ms": "ms", "us": "µs"}[field]
    rows = [["", f"median {unit}", f"min {unit}", f"p99 {unit}", "times"]]
    for peer in unique(records, lambda r: r["peer"]):
        values = sorted(value for r in records if r["peer"] == peer for value in r[field])
        p99 = values[max(-(-len(values) * 99 // 100) - 1, 0)]
        figures = [f"{value:.0f}" for value in (median(values), values[0], p99)]
        rows.append([peer, *figures, f"{len(values):,}"])
    return table(rows)
