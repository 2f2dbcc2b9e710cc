"""Turns the raw figures of one run of `reload.py` into Markdown.

Never measures: the same file gives the same report on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from statistics import median

from edits import APPLICATION
from peers import PROBE
from records import NONE, Record, table
from report import machine, not_measured

OWN = PROBE.name
PHASES = ("settle", "compile", "stage", "commit")


def markdown(records: list[Record]) -> str:
    """The whole report."""

    def of(kind: str) -> list[Record]:
        return [record for record in records if record["type"] == kind]

    parts = [machine(record) for record in of("machine")]
    if goals := list(_goals(records)):
        head = ["goal", "at most", "measured", ""]
        parts.append(f"### Goals\n\n{table([head, *goals])}")
    latencies = of("latency")
    for variant in dict.fromkeys(r["variant"] for r in latencies):
        mine = [r for r in latencies if r["variant"] == variant]
        parts.append(f"### Save to served, {variant}\n\n{_latency_table(mine)}")
        phases = [r for r in of("phases") if r["variant"] == variant]
        floors = [r for r in of("floor") if r["variant"] == variant]
        if phases and floors:
            served = [ms for r in mine if r["peer"] == OWN for ms in r["ms"]]
            parts.append(_above_the_floor(served, phases, floors[0]))
    if loads := of("reload_load"):
        parts.append(f"### 64 connections meanwhile\n\n{_load_table(loads)}")
    if loads := of("application_load"):
        clients = loads[0]["open_clients"]
        title = f"### 64 connections meanwhile, and {clients} that stay open, {APPLICATION}"
        parts.append(f"{title}\n\n{_load_table(loads)}")
    parts += [f"### After {r['reloads']:,} reloads\n\n{_growth_table(r)}" for r in of("growth")]
    parts += [f"### The pool's next task\n\n{_pool_table(r)}" for r in of("pool")]
    if idles := of("idle"):
        rows = [[r["peer"], f"{r['cpu_ms'] / r['seconds']:.1f}"] for r in idles]
        parts.append(f"### Idle\n\n{table([['server', 'CPU ms per second'], *rows])}")
    if failures := of("failure"):
        parts.append(not_measured(failures))
    return "\n\n".join(parts)


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that so many are not above."""
    return sorted(values)[max(ceil(len(values) * part) - 1, 0)]


def _goals(records: list[Record]) -> Iterable[list[str]]:
    """Snaxum's figures beside the bounds that were set for them."""
    latencies = [r for r in records if r["type"] == "latency" and r["ms"]]
    yield from _application_goals([r for r in latencies if r["variant"] == APPLICATION])
    for variant in dict.fromkeys(r["variant"] for r in latencies):
        if variant == APPLICATION:
            continue
        mine = [r for r in latencies if r["variant"] == variant]
        for own in (r for r in mine if r["peer"] == OWN):
            what = f"save to served, {variant}, {own['connection']} connection"
            yield _goal(f"{what}, p50", 5, quantile(own["ms"], 0.5), "ms")
            yield _goal(f"{what}, p99", 25, quantile(own["ms"], 0.99), "ms")
            others = [r for r in mine if r["peer"] != OWN and r["connection"] == own["connection"]]
            if others:
                fastest = min(quantile(r["ms"], 0.5) for r in others)
                ratio = quantile(own["ms"], 0.5) / fastest
                yield _goal(f"{what}, p50 to the fastest peer's", 0.1, ratio, "×", 3)
    for r in records:
        if r.get("peer") != OWN:
            continue
        if r["type"] == "reload_load" and r["ms"] and r["calm_ms"]:
            ratio = quantile(r["ms"], 0.99) / quantile(r["calm_ms"], 0.99)
            yield _goal("p99 under load, reloads to none", 2, ratio, "×", 2)
            yield _goal("failed requests meanwhile", 0, sum(r["faults"].values()), "", 0)
        if r["type"] == "application_load":
            lost = sum(r["faults"].values()) + sum(r["lost_clients"].values())
            what = f"requests and open clients lost in {r['saves']} saves, {APPLICATION}"
            yield _goal(what, 0, lost, "", 0)
        if r["type"] == "growth":
            before, after = r["before"], r["after"]
            more = (after["objects"] / before["objects"] - 1) * 100
            lost = len(set(before["workers"]) - set(after["workers"]))
            yield _goal("Python objects more", 0.1, more, "%", 3)
            yield _goal("memory more", 4, after["rss_mb"] - before["rss_mb"], "MB")
            yield _goal("open files more", 0, after["files"] - before["files"], "", 0)
            yield _goal("worker processes replaced", 0, lost, "", 0)
        if r["type"] == "pool":
            later = median(r["changed"]) - median(r["unchanged"])
            yield _goal("the pool's next task after a save, later by", 5, later, "ms")
        if r["type"] == "idle":
            yield _goal("CPU while idle", 0, r["cpu_ms"], f"ms in {r['seconds']:.0f} s", 0)


def _application_goals(latencies: list[Record]) -> Iterable[list[str]]:
    parts = {"uvicorn-reload": 15, "granian-reload": 15, "uvicorn-hmr": 5, "jurigged": 5}
    for own in (r for r in latencies if r["peer"] == OWN):
        what = f"save to served, {APPLICATION}, {own['connection']} connection, p50"
        ms = quantile(own["ms"], 0.5)
        yield _goal(what, 12, ms, "ms")
        for r in latencies:
            if r["connection"] == own["connection"] and r["peer"] in parts:
                ratio = ms / quantile(r["ms"], 0.5)
                yield _goal(f"{what} to {r['peer']}'s", 1 / parts[r["peer"]], ratio, "×", 3)


def _goal(what: str, bound: float, value: float, unit: str, digits: int = 1) -> list[str]:
    verdict = "met" if value <= bound else "**missed**"
    return [what, f"{bound:.3g} {unit}".strip(), f"{value:.{digits}f} {unit}".strip(), verdict]


def _latency_table(records: list[Record]) -> str:
    head = ["server", "connection", "edits", "p50 ms", "p99 ms", "max ms", "× fastest peer"]
    rows = [[*head, "failed polls", "never served"]]
    for r in records:
        same = [o for o in records if o["connection"] == r["connection"] and o["ms"]]
        peers = [quantile(o["ms"], 0.5) for o in same if o["peer"] != OWN]
        figures = [NONE] * 4
        if ms := r["ms"]:
            ratio = f"{quantile(ms, 0.5) / min(peers):.3f}" if peers else NONE
            figures = [*(f"{quantile(ms, part):.1f}" for part in (0.5, 0.99, 1)), ratio]
        cells = [r["peer"], r["connection"], str(len(ms)), *figures]
        rows.append([*cells, _faults(r["faults"]), str(r["unserved"])])
    return table(rows)


def _above_the_floor(served: list[float], phases: list[Record], floor: Record) -> str:
    """Where the time goes, each a median, so that the sum need not be exact."""
    rows = [["what", "median ms", "floor ms"]]
    found = {name: median(ms for r in phases for ms in r[name]) for name in PHASES}
    total = median(ms for r in phases for ms in r["total"])
    rest = median(served) - total if served else 0.0
    lowest = {"compile": floor["compile"]}
    rows += [[name, f"{ms:.2f}", _ms(lowest.get(name))] for name, ms in found.items()]
    rows.append(["between the phases", f"{total - sum(found.values()):.2f}", NONE])
    outside = floor["write"] + floor["request"]
    rows.append(["before and after: writing, noticing, one request", f"{rest:.2f}", _ms(outside)])
    whole = outside + floor["compile"]
    rows.append(["**save to served**", f"{total + rest:.2f}", f"{whole:.2f}"])
    parts = f"write {floor['write']:.2f}, request {floor['request']:.2f}"
    times = f"{(total + rest) / whole:.1f}"
    return f"{table(rows)}\n\n{times} times the floor of this machine ({parts})."


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _load_table(records: list[Record]) -> str:
    head = ["server", "saves", "requests", "p50 ms", "p99 ms", "max ms", "p99 without", "ratio"]
    has_clients = any("lost_clients" in r for r in records)
    rows = [[*head, "failed", "failed without", "never served"]]
    if has_clients:
        rows[0].append("open clients lost")
    for r in records:
        ms, calm = r["ms"], r["calm_ms"]
        figures = [f"{quantile(ms, part):.1f}" for part in (0.5, 0.99, 1)] if ms else [NONE] * 3
        without = f"{quantile(calm, 0.99):.1f}" if calm else NONE
        ratio = f"{quantile(ms, 0.99) / quantile(calm, 0.99):.2f}" if ms and calm else NONE
        cells = [r["peer"], str(r["saves"]), f"{len(ms):,}", *figures, without, ratio]
        failed = (_faults(r["faults"]), _faults(r["calm_faults"]))
        lost = [_faults(r["lost_clients"])] if has_clients else []
        rows.append([*cells, *failed, str(r["unserved"]), *lost])
    return table(rows)


def _faults(faults: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in faults.items()) or "0"


def _growth_table(record: Record) -> str:
    before, after = record["before"], record["after"]
    rows = [["", "before", "after", "more"]]
    for name, what, digits in (
        ("objects", "Python objects", 0),
        ("rss_mb", "RSS of the server, MB", 1),
        ("all_rss_mb", "RSS with the pool's processes, MB", 1),
        ("files", "open files", 0),
        ("threads", "threads", 0),
    ):
        more = after[name] - before[name]
        rows.append(
            [what, *(f"{v:,.{digits}f}" for v in (before[name], after[name])), f"{more:.{digits}f}"]
        )
    kept = len(set(before["workers"]) & set(after["workers"]))
    pids = f"{kept} of {len(before['workers'])} are the same"
    return table([*rows, ["worker processes", str(len(before["workers"])), pids, NONE]])


def _pool_table(record: Record) -> str:
    rows = [["", "tasks", "p50 ms", "p99 ms", "max ms"]]
    names = {
        "unchanged": "no change, from the request",
        "changed": "after a save, from the request",
        "since_save": "after a save, from before the save",
    }
    for key, what in names.items():
        ms = record[key]
        figures = [f"{quantile(ms, part):.1f}" for part in (0.5, 0.99, 1)]
        rows.append([what, str(len(ms)), *figures])
    return table(rows)


def comparison(record: Record) -> str:
    """One line: the medians of two binaries, their difference and their ratio."""
    ours, other = median(record["ms"]), median(record["against_ms"])
    return (
        f"a save is served after {ours:.2f} ms, and after {other:.2f} ms with the other binary: "
        f"{ours - other:+.2f} ms, {ours / other:.3f} times as long "
        f"(medians of {len(record['ms'])} saves each, in turn)"
    )
