"""Measures the cost of a profile while it is on: the profiler's samples, and `sys.monitoring`.

Runs the same work in a thread without anything, with the samples of the dev server, and with the
callbacks that a profile by events needs, in turns; prints the least CPU time of each. Run it with
`PYTHONPATH=python python bench/profiler_cost.py`. Starts no server.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from snaxum._debug import stack_samples
from snaxum._debug.profile_tree import ProfileTree
from snaxum._reload import user_paths

# Runs the work, with something beside it or without.
Way = Callable[[Callable[[], None]], object]


def leaf(number: int) -> int:
    return number * number % 7


def rows(count: int) -> list[dict[str, int]]:
    return [{"id": number, "value": leaf(number)} for number in range(count)]


def descend(depth: int, count: int) -> int:
    if depth:
        return descend(depth - 1, count)
    total = 0
    for _ in range(10):
        total += len(json.dumps(rows(count)))
        for number in range(count * 20):
            total += number % 3
    return total


def calls_mostly() -> None:
    """Call short functions: the worst case of a profile by events."""
    total = 0
    for number in range(3_000_000):
        total += leaf(number)


def mixed() -> None:
    """Run loops, calls and a library below 20 frames."""
    for _ in range(24):
        descend(20, 900)


def unobserved(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def sampled(work: Callable[[], None], interval: float) -> int:
    tree, ended = ProfileTree(), threading.Event()

    def run() -> None:
        work()
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    last = time.perf_counter()
    while not ended.wait(interval):
        frame = sys._current_frames().get(thread.ident or 0)
        now = time.perf_counter()
        if frame is not None:
            tree.add(stack_samples.of_thread(frame), now - last, is_suspended=False)
        last = now
    thread.join()
    return tree.samples


def samples_every(interval: float) -> Way:
    return lambda work: sampled(work, interval)


def monitored(work: Callable[[], None], *, has_lines: bool) -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    tool, events = monitoring.PROFILER_ID, monitoring.events
    stack: list[tuple[Any, float]] = []
    times: dict[Any, float] = {}
    lines: dict[tuple[Any, int], int] = {}

    def on_start(code: Any, _: int) -> None:
        stack.append((code, time.perf_counter()))

    def on_return(code: Any, _: int, __: Any) -> None:
        if stack:
            code, began = stack.pop()
            times[code] = times.get(code, 0.0) + time.perf_counter() - began

    def on_line(code: Any, line: int) -> None:
        lines[code, line] = lines.get((code, line), 0) + 1

    monitoring.use_tool_id(tool, "cost")
    monitoring.register_callback(tool, events.PY_START, on_start)
    monitoring.register_callback(tool, events.PY_RETURN, on_return)
    wanted = events.PY_START | events.PY_RETURN
    if has_lines:
        monitoring.register_callback(tool, events.LINE, on_line)
        wanted |= events.LINE
    monitoring.set_events(tool, wanted)
    try:
        unobserved(work)
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


def times(
    work: Callable[[], None], ways: dict[str, Way], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """CPU time and duration of the work, each way in turn."""
    here = __file__.rpartition("/")[0]
    user_paths.configure([here], here)
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            way(work)
            cpu[name].append(time.process_time() - cpu_began)
            wall[name].append(time.perf_counter() - began)
    return cpu, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    ways: dict[str, Way] = {
        "nothing": unobserved,
        "samples every 5 ms": samples_every(0.005),
        "samples every 2 ms": samples_every(0.002),
    }
    if hasattr(sys, "monitoring"):
        ways["sys.monitoring, calls"] = lambda work: monitored(work, has_lines=False)
        ways["sys.monitoring, calls and lines"] = lambda work: monitored(work, has_lines=True)
    for work in (mixed, calls_mostly):
        cpu, wall = times(work, ways, rounds)
        print(f"{work.__name__}, Python {sys.version.split()[0]}")
        for name in ways:
            more = min(cpu[name]) / min(cpu["nothing"]) - 1
            print(
                f"  {name:<32} {min(cpu[name]) * 1e3:7.1f} ms CPU ({more:+.1%})"
                f"  {min(wall[name]) * 1e3:7.1f} ms"
            )


if __name__ == "__main__":
    main()
