#!/usr/bin/env python3
"""`python3 bench/instructions.py`: how many instructions the server spends on a request, and where.

Counts with callgrind, so that a regression shows on a machine that is busy with other things. Does
not measure time: waiting, and the work of the kernel, are not counted.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import load
from client import Client, connected
from load import WORKLOADS, Workload, hello_of
from options import at_least_one
from peers import COUNTED, COUNTED_APPLICATIONS, COUNTED_SEEN, Peer, of_wheel
from records import table
from servers import ServerError, environment, running
from setup import BENCH, Installation, SetupError, frozen, install_for_instructions

MEASURED = tuple(w for w in WORKLOADS if w.name in ("hello", "path parameter", "1 KB JSON echo"))
# One-time work, such as starting threads and filling caches, happens in these.
WARM_UP = 400
# Instrumentation starts with an empty cache of translated code; the command takes a moment too.
CONTROL_TIMEOUT_S = 60.0
# Files that have a column.
FILES = 4
# The two runs of an application alone: their difference has no imports.
CALLS = (500, 2000)

_TOTAL = re.compile(r"^(?:summary|totals): (\d+)", re.M)
# "1,234,567 (12.34%)  file.c:function [/path/of/object]"
_LINE = re.compile(r"^\s*([\d,]+) \(.+?%\)[ ]+[^:\n]*:(.+?)(?: \[(.+)\])?$", re.M)
# Callgrind counts the inner calls of a recursion apart.
_INNER = re.compile(r"'\d+$")


@dataclass(frozen=True)
class Count:
    """The counts of one workload, divided by the number of requests."""

    workload: str
    total: float
    # Instructions of a function itself, by its name and that of its file.
    functions: Mapping[tuple[str, str], float]

    def by_file(self) -> Counter[str]:
        """Instructions in all functions of a file."""
        sums: Counter[str] = Counter()
        for (_, file), own in self.functions.items():
            sums[file] += round(own)
        return sums


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        installation = install_for_instructions(options.snaxum, options.wheel)
        with frozen(installation) as measured:
            counts = list(_SECTIONS[options.section](measured, options))
    except (SetupError, ServerError, load.LoadError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; every server has been ended", file=sys.stderr)
        return 130
    print(_markdown(counts, options.top))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the instructions of a request.")
    parser.add_argument("--requests", type=at_least_one, default=4000, help="that count [4000]")
    parser.add_argument(
        "--connections", type=_counts_of, default=[1, 16], metavar="N,M", help="at once [1,16]"
    )
    sections = sorted(_SECTIONS)
    parser.add_argument("--section", choices=sections, default="requests", help="[requests]")
    parser.add_argument("--top", type=at_least_one, default=15, help="functions shown [15]")
    measured = parser.add_mutually_exclusive_group()
    measured.add_argument("--snaxum", type=Path, metavar="FILE", help="measure this binary")
    measured.add_argument("--wheel", type=Path, metavar="FILE", help="measure this wheel instead")
    return parser.parse_args()


def _counts_of(text: str) -> list[int]:
    return [at_least_one(part) for part in text.split(",")]


def _requests(installation: Installation, options: argparse.Namespace) -> Iterator[Count]:
    for workload in MEASURED:
        for count in options.connections:
            yield _count(installation, COUNTED, workload, options.requests, count)


def _seen(installation: Installation, options: argparse.Namespace) -> Iterator[Count]:
    """Hello with metrics and access log, without, and the difference."""
    counts = [
        _count(installation, peer, MEASURED[0], options.requests, options.connections[-1])
        for peer in (COUNTED_SEEN, COUNTED)
    ]
    yield from counts
    seen, plain = counts
    names = seen.functions.keys() | plain.functions.keys()
    more = {name: seen.functions.get(name, 0) - plain.functions.get(name, 0) for name in names}
    yield Count("the first less the second", seen.total - plain.total, more)


def _applications(installation: Installation, options: argparse.Namespace) -> Iterator[Count]:
    """Hello of each application under each server, and without any."""
    for peer in COUNTED_APPLICATIONS:
        workload = hello_of(peer.app)
        yield _count(installation, peer, workload, options.requests, options.connections[-1])
    for app in dict.fromkeys(peer.app for peer in COUNTED_APPLICATIONS):
        yield _alone(installation, app)


_SECTIONS = {"requests": _requests, "seen": _seen, "applications": _applications}


def _count(
    installation: Installation, peer: Peer, workload: Workload, requests: int, connections: int
) -> Count:
    name = f"{workload.name}, {connections} at once, {peer.name}"
    print(name, file=sys.stderr, flush=True)
    requests = requests // connections * connections
    if "wheel" in installation.venvs:
        peer = of_wheel(peer)
    with tempfile.TemporaryDirectory(prefix="snaxum-bench-") as scratch:
        kept = Path(scratch) / "callgrind.out"
        with ExitStack() as stack:
            server = stack.enter_context(running(peer, installation, None))
            load.check(server.port, workload)
            opened = [connected(server.port, keep=True) for _ in range(connections)]
            clients = [stack.enter_context(client) for client in opened]
            _ask(clients, workload, WARM_UP)
            # Not the parent, which has the socket too and serves nothing.
            pid = server.serving_pid()
            _control(pid, "--instr=on")
            _ask(clients, workload, requests)
            _control(pid, "--instr=off")
            _control(pid, "--dump")
            dumped = server.app / f"callgrind.out.{pid}.1"
            kept.write_bytes(dumped.read_bytes())
        return Count(name, *_read(kept, requests))


def _alone(installation: Installation, app: str) -> Count:
    """The application itself, called in a plain interpreter."""
    print(f"{app} alone", file=sys.stderr, flush=True)
    python = str(installation.venvs["peers"] / "bin" / "python")
    totals = []
    with tempfile.TemporaryDirectory(prefix="snaxum-bench-") as scratch:
        kept = Path(scratch) / "callgrind.out"
        valgrind = [str(installation.programs["valgrind"]), "--tool=callgrind"]
        for calls in CALLS:
            called = [python, str(BENCH / "alone.py"), str(BENCH / "peers" / app), str(calls)]
            command = [*valgrind, f"--callgrind-out-file={kept}", *called]
            done = subprocess.run(command, capture_output=True, text=True, env=environment())
            if done.returncode:
                raise ServerError(f"{app} alone: {done.stderr.strip()}")
            totals.append(_read(kept, 1)[0])
    return Count(f"hello of {app}, alone", (totals[1] - totals[0]) / (CALLS[1] - CALLS[0]), {})


def _ask(clients: list[Client], workload: Workload, requests: int) -> None:
    """Send on all connections at once, and again when all have their response, so that the work
    that several requests share is the same in each run."""
    for _ in range(requests // len(clients)):
        for client in clients:
            client.send(workload.path, method=workload.method, body=workload.body)
        for client in clients:
            if fault := client.receive().fault:
                raise ServerError(f"{workload.path}: {fault}")


def _control(pid: int, *order: str) -> None:
    done = subprocess.run(
        ["callgrind_control", *order, str(pid)],
        capture_output=True,
        text=True,
        timeout=CONTROL_TIMEOUT_S,
    )
    if done.returncode:
        raise ServerError(f"callgrind_control {order[0]}: {(done.stderr or done.stdout).strip()}")


def _read(dumped: Path, requests: int) -> tuple[float, Mapping[tuple[str, str], float]]:
    """The total and the functions, each for one request."""
    found = _TOTAL.findall(dumped.read_text())
    if not found:
        raise ServerError("callgrind has counted nothing")
    listed = subprocess.run(
        ["callgrind_annotate", "--auto=no", "--threshold=100", str(dumped)],
        capture_output=True,
        text=True,
    )
    lines = [(_INNER.sub("", name), n, file) for n, name, file in _LINE.findall(listed.stdout)]
    # Code that was inlined into a function has lines of its own, which name no file.
    files = {name: Path(file).name for name, _, file in lines if file}
    functions: Counter[tuple[str, str]] = Counter()
    for name, count, file in lines:
        key = (name, Path(file).name if file else files.get(name, "?"))
        functions[key] += int(count.replace(",", ""))
    return int(found[-1]) / requests, {key: own / requests for key, own in functions.items()}


def _markdown(counts: list[Count], top: int) -> str:
    files = [file for file, _ in sum((c.by_file() for c in counts), Counter()).most_common(FILES)]
    rows = [["request", "instructions", *(f"in {file}" for file in files)]]
    for count in counts:
        parts = count.by_file()
        rows.append([count.workload, f"{count.total:,.0f}", *(f"{parts[f]:,}" for f in files)])
    tables = [table(rows)]
    for count in filter(lambda count: count.functions, counts):
        rows = [["function", "instructions", "%", "file"]]
        largest = sorted(count.functions.items(), key=lambda item: -item[1])
        for (name, file), own in largest[:top]:
            rows.append([f"`{name}`", f"{own:,.0f}", f"{own / count.total * 100:.1f}", file])
        tables.append(f"### {count.workload}\n\n{table(rows)}")
    return "\n\n".join(tables)


if __name__ == "__main__":
    sys.exit(main())
