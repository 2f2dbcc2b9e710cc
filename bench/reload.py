#!/usr/bin/env python3
"""`python3 bench/reload.py`: live reload beside that of peers, in one run, as Markdown tables.

Owns the command line and the order of the measurements. Never knows a peer by its name, but for
Snaxum's own.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import machine
import records
import reload_costs
import reload_latency
import reload_load
import reload_report
from edits import APPLICATION, VARIANTS
from machine import Cores
from options import at_least_one, listing, rows, some_of
from peers import PROBE, RELOADED_APPLICATIONS, RELOADERS
from records import Record
from servers import ServerError
from setup import HOME, Installation, SetupError, frozen, install_for_reload

SECTIONS = ("latency", "application", "load", "memory", "pool", "idle")
# Peers take seconds for an edit, and need fewer to be seen.
PEER_SHARE = 5


@dataclass(frozen=True)
class Effort:
    """How much of everything."""

    edits: int
    saves: int
    application_saves: int
    calm_s: float
    reloads: int
    tasks: int
    idle_s: float


FULL = Effort(
    edits=50, saves=60, application_saves=100, calm_s=8.0, reloads=1000, tasks=30, idle_s=10.0
)
QUICK = Effort(edits=5, saves=12, application_saves=12, calm_s=2.0, reloads=60, tasks=5, idle_s=3.0)


@dataclass(frozen=True)
class Step:
    """One measurement of one row."""

    during: str
    peer: str
    measure: Callable[[], Iterable[Record]]


def main() -> int:
    options = _options()
    if options.list:
        print(listing(RELOADERS))
        return 0
    if options.report:
        print(reload_report.markdown(records.read(options.report)))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(options)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; every server has been ended", file=sys.stderr)
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure snaxum's live reload beside its peers.")
    parser.add_argument(
        "--only", type=rows(RELOADERS), default=RELOADERS, metavar="A,B", help="these rows only"
    )
    parser.add_argument(
        "--sections",
        type=some_of(SECTIONS),
        default=SECTIONS,
        metavar="A,B",
        help=f"these measurements only [{','.join(SECTIONS)}]",
    )
    parser.add_argument("--edits", type=at_least_one, help=f"per kind of connection [{FULL.edits}]")
    parser.add_argument("--quick", action="store_true", help="does it run at all")
    parser.add_argument("--unpinned", action="store_true", help="server and load share all cores")
    parser.add_argument("--snaxum", type=Path, metavar="FILE", help="measure this binary")
    parser.add_argument(
        "--against", type=Path, metavar="FILE", help="compare single saves with this binary only"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="print recorded figures again")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    options = parser.parse_args()
    options.effort = QUICK if options.quick else FULL
    options.edits = options.edits or options.effort.edits
    return options


def _run(options: argparse.Namespace) -> int:
    installation = install_for_reload(options.snaxum)
    cores = Cores() if options.unpinned else machine.choose_cores()
    results = HOME / "results" / time.strftime("reload-%Y%m%dT%H%M%SZ.jsonl", time.gmtime())
    results.parent.mkdir(parents=True, exist_ok=True)
    about = machine.facts(installation, cores)
    about |= {"procedure": f"edits: {options.edits} per kind of connection"}
    about |= {"binary_given": options.snaxum is not None}
    records.append(results, {"type": "machine", **about})
    if cores.load is not None:
        # The load is this process.
        os.sched_setaffinity(0, {cores.load})

    if options.against is not None:
        return _compare(installation, options, cores, results)
    with frozen(installation) as measured:
        for step in _steps(options, measured, cores):
            print(f"{step.during}: {step.peer}", file=sys.stderr, flush=True)
            for record in _records(step):
                records.append(results, record)

    kept = records.read(results)
    print(reload_report.markdown(kept))
    print(f"\nRaw figures: {results}")
    return 0 if all(map(_is_sound, kept)) else 1


def _compare(
    installation: Installation, options: argparse.Namespace, cores: Cores, results: Path
) -> int:
    """Print the medians of single saves with both binaries, which take turns."""
    other = install_for_reload(options.against)
    with frozen(installation) as measured, frozen(other) as against:
        both = (measured, against)
        record = reload_latency.compare(RELOADERS[0], both, cores.server, options.edits)
    records.append(results, record)
    print(reload_report.comparison(record))
    return 0


def _steps(options: argparse.Namespace, installation: Installation, cores: Cores) -> Iterator[Step]:
    """All rows side by side within each measurement, so that a noisy minute meets all of them."""
    effort: Effort = options.effort
    place = (installation, cores.server)

    def share(peer: str, count: int) -> int:
        return count if peer == PROBE.name else max(count // PEER_SHARE, 2)

    def has(section: str) -> bool:
        return section in options.sections

    for variant in VARIANTS if has("latency") else ():
        for peer in options.only:
            count = share(peer.name, options.edits)
            measure = partial(reload_latency.measure, peer, variant, *place, count)
            yield Step(f"save to served, {variant}", peer.name, measure)
    names = [peer.name for peer in options.only]
    for peer in RELOADED_APPLICATIONS if has("application") else ():
        if peer.name in names:
            count = share(peer.name, options.edits)
            measure = partial(reload_latency.measure, peer, APPLICATION, *place, count)
            yield Step(f"save to served, {APPLICATION}", peer.name, measure)
    for peer in RELOADED_APPLICATIONS if has("application") else ():
        if peer.name in names:
            count = share(peer.name, effort.application_saves)
            measure = partial(reload_load.measure_application, peer, *place, count, effort.calm_s)
            yield Step(f"under load, {APPLICATION}", peer.name, measure)
    for peer in options.only if has("load") else ():
        count = share(peer.name, effort.saves)
        measure = partial(reload_load.measure, peer, *place, count, effort.calm_s)
        yield Step("under load", peer.name, measure)
    if PROBE.name in (peer.name for peer in options.only):
        if has("memory"):
            memory = partial(reload_costs.memory, *place, effort.reloads)
            yield Step("memory", PROBE.name, memory)
        if has("pool"):
            yield Step("pool", PROBE.name, partial(reload_costs.pool, *place, effort.tasks))
    for peer in options.only if has("idle") else ():
        yield Step("idle", peer.name, partial(reload_costs.idle, peer, *place, effort.idle_s))


def _records(step: Step) -> Iterator[Record]:
    try:
        yield from step.measure()
    except (ServerError, OSError, ValueError) as error:
        print(f"  {error}", file=sys.stderr)
        failure = {"peer": step.peer, "during": step.during, "error": str(error)}
        yield {"type": "failure", **failure}


def _is_sound(record: Record) -> bool:
    """Every row was measured, and Snaxum lost nothing; what a peer loses is a figure of its own."""
    if record["type"] == "failure":
        return False
    losses = ("faults", "unserved", "lost_clients")
    return record.get("peer") != PROBE.name or not any(record.get(name) for name in losses)


if __name__ == "__main__":
    sys.exit(main())
