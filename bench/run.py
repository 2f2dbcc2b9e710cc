#!/usr/bin/env python3
"""`python3 bench/run.py`: this project beside its peers, in one run, as Markdown tables.

Owns the command line. `plan.py` lists the measurements. Never knows a peer by its name.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import SubprocessError

import docs
import machine
import records
import report
from load import LoadError
from options import at_least_one, listing, rows, some_of
from peers import PEERS, Peer
from plan import SECTIONS, Effort, Place, Step
from records import Record
from servers import ServerError
from setup import HOME, SetupError, frozen, install_for_run, missing_library

FULL = Effort(rounds=3, seconds=4, connections=(1, 64), starts=3, tasks=3000, deploys=20)
QUICK = Effort(rounds=1, seconds=1, connections=(64,), starts=2, tasks=500, deploys=3)


def main() -> int:
    options = _options()
    if options.list:
        print(listing(PEERS))
        return 0
    if options.report:
        return _show(records.read(options.report), options.docs)
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
        "--sections",
        type=some_of(tuple(SECTIONS)),
        default=tuple(SECTIONS),
        metavar="A,B",
        help=f"these measurements only [{','.join(SECTIONS)}]",
    )
    parser.add_argument(
        "--only", type=rows(PEERS), default=PEERS, metavar="A,B", help="these servers only"
    )
    parser.add_argument("--rounds", type=at_least_one, help="how often each row is measured [3]")
    parser.add_argument("--seconds", type=at_least_one, help="length of one measurement [4]")
    parser.add_argument("--connections", type=_counts, metavar="N,M", help="[1,64]")
    parser.add_argument("--quick", action="store_true", help="1 round, 1 second, 64 connections")
    parser.add_argument("--snaxum", type=Path, metavar="FILE", help="measure this binary")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="measure this wheel")
    parser.add_argument("--report", type=Path, metavar="FILE", help="print recorded figures again")
    parser.add_argument(
        "--docs",
        type=Path,
        nargs="?",
        const=docs.DOCS,
        metavar="DIR",
        help="with --report: write bench.md and bench.svg there [docs]",
    )
    parser.add_argument("--list", action="store_true", help="name the servers and end")
    options = parser.parse_args()
    if options.docs and not options.report:
        parser.error("--docs needs --report: read the figures first")
    given = {name: getattr(options, name) for name in ("rounds", "seconds", "connections")}
    effort = QUICK if options.quick else FULL
    options.effort = replace(effort, **{name: value for name, value in given.items() if value})
    return options


def _show(kept: list[Record], directory: Path | None) -> int:
    if directory is None:
        print(report.markdown(kept))
        return 0
    try:
        docs.write(kept, directory)
    except (docs.QuickError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> int:
    effort: Effort = options.effort
    installation = install_for_run(options.snaxum, options.wheel, options.sections)
    cores = machine.choose_cores()
    left_out = {peer.name: peer.needs for peer in options.only if _lacks(peer)}
    servers = [peer for peer in options.only if peer.name not in left_out]
    results = HOME / "results" / time.strftime("%Y%m%dT%H%M%SZ.jsonl", time.gmtime())
    results.parent.mkdir(parents=True, exist_ok=True)
    about = machine.facts(installation, cores)
    about |= {"procedure": f"rounds: {effort.rounds} of {effort.seconds} s"}
    about |= {"binary_given": options.snaxum is not None, "quick": options.quick}
    about |= {"left_out": left_out}
    records.append(results, {"type": "machine", **about})

    with frozen(installation) as measured:
        place = Place(measured, cores, servers)
        for number in range(1, effort.rounds + 1):
            for section in options.sections:
                for step in SECTIONS[section](place, effort):
                    progress = f"round {number}: {step.during}: {step.peer}"
                    print(progress, file=sys.stderr, flush=True)
                    about = {"section": section, "peer": step.peer, "round": number}
                    for record in _records(step):
                        records.append(results, record | about)

    kept = records.read(results)
    print(report.markdown(kept))
    print(f"\nRaw figures: {results}")
    return 0 if all(_is_sound(record) for record in kept) else 1


def _lacks(peer: Peer) -> bool:
    """Whether the system lacks what the row needs."""
    return peer.needs is not None and missing_library(peer.needs)


def _records(step: Step) -> Iterator[Record]:
    try:
        yield from step.measure()
    except (ServerError, LoadError, OSError, ValueError, SubprocessError) as error:
        print(f"  {error}", file=sys.stderr)
        yield {"type": "failure", "during": step.during, "error": str(error)}


def _is_sound(record: Record) -> bool:
    return record["type"] != "failure" and not any(record.get("errors", {}).values())


def _counts(text: str) -> list[int]:
    return [at_least_one(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
