#!/usr/bin/env python3
"""`python3 bench/run.py`: this project beside its peers, in one run, as a Markdown table.

Owns the command line and the order of the measurements. Never knows a peer by its name.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import load
import machine
import report
from load import WARM_UP_S, WORKLOADS, LoadError, Workload
from machine import Cores
from options import at_least_one, listing, rows
from peers import PEERS, Peer
from servers import ServerError, running
from setup import HOME, Installation, SetupError, frozen, install_for_throughput

# Between the first answer and the look at the memory: allocators and collectors settle.
REST_S = 2.0


@dataclass(frozen=True)
class Step:
    """One measurement of one peer."""

    during: str
    peer: Peer
    round: int
    workload: Workload
    # None is the memory at rest.
    connections: int | None = None


def main() -> int:
    options = _options()
    if options.list:
        print(listing(PEERS))
        return 0
    if options.report:
        print(report.markdown(report.read(options.report)))
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
    parser = argparse.ArgumentParser(description="Measure snaxum beside its peers.")
    parser.add_argument(
        "--only", type=rows(PEERS), default=PEERS, metavar="A,B", help="these rows only"
    )
    parser.add_argument("--rounds", type=at_least_one, help="how often each row is measured [3]")
    parser.add_argument("--seconds", type=at_least_one, help="length of one measurement [4]")
    parser.add_argument("--connections", type=_counts, metavar="N,M", help="[1,64]")
    parser.add_argument("--quick", action="store_true", help="1 round, 1 second, 64 connections")
    parser.add_argument("--snaxum", type=Path, metavar="FILE", help="measure this binary")
    parser.add_argument("--report", type=Path, metavar="FILE", help="print kept figures again")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    options = parser.parse_args()
    rounds, seconds, connections = (1, 1, [64]) if options.quick else (3, 4, [1, 64])
    options.rounds = options.rounds or rounds
    options.seconds = options.seconds or seconds
    options.connections = options.connections or connections
    return options


def _run(options: argparse.Namespace) -> int:
    installation = install_for_throughput(options.snaxum)
    cores = machine.choose_cores()
    results = HOME / "results" / time.strftime("%Y%m%dT%H%M%SZ.jsonl", time.gmtime())
    results.parent.mkdir(parents=True, exist_ok=True)
    about = machine.facts(installation, cores)
    about |= {"procedure": f"rounds: {options.rounds} of {options.seconds} s"}
    about |= {"binary_given": options.snaxum is not None}
    report.append(results, {"type": "machine", **about})

    with frozen(installation) as measured:
        for step in _steps(options):
            progress = f"round {step.round}: {step.during}: {step.peer.name}"
            print(progress, file=sys.stderr, flush=True)
            report.append(results, _record(step, measured, cores, options.seconds))

    records = report.read(results)
    print(report.markdown(records))
    print(f"\nRaw figures: {results}")
    return 0 if all(_is_sound(record) for record in records) else 1


def _steps(options: argparse.Namespace) -> Iterator[Step]:
    """All peers side by side within each measurement, so that a noisy minute meets all of them."""
    for number in range(1, options.rounds + 1):
        for workload in WORKLOADS:
            for connections in options.connections:
                for peer in options.only:
                    during = f"{workload.name} at {connections}"
                    yield Step(during, peer, number, workload, connections)
        for peer in options.only:
            yield Step("idle memory", peer, number, WORKLOADS[0])


def _record(step: Step, installation: Installation, cores: Cores, seconds: int) -> report.Record:
    about = {"peer": step.peer.name, "round": step.round}
    try:
        with running(step.peer, installation, cores.server) as server:
            load.check(server.port, step.workload)
            if step.connections is None:
                time.sleep(REST_S)
                return {"type": "memory", **about, **asdict(server.memory())}
            about |= {"workload": step.workload.name, "connections": step.connections}
            target = (server.port, step.workload, step.connections)
            wrk = partial(load.measure, installation.programs["wrk"], *target, core=cores.load)
            wrk(seconds=WARM_UP_S)
            cpu_before = server.cpu_s()
            measurement = wrk(seconds=seconds)
            cpu_s = round(server.cpu_s() - cpu_before, 2)
            return {"type": "load", **about, **asdict(measurement), "cpu_s": cpu_s}
    except (ServerError, LoadError) as error:
        print(f"  {error}", file=sys.stderr)
        during = f"{step.during}, round {step.round}"
        return {"type": "failure", **about, "during": during, "error": str(error)}


def _is_sound(record: report.Record) -> bool:
    return record["type"] != "failure" and not any(record.get("errors", {}).values())


def _counts(text: str) -> list[int]:
    return [at_least_one(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
