#!/usr/bin/env python3
"""`python3 bench/console_page.py`: the cost of the console, in its browser and in the server.

Owns the command line, and judges the figures. The browser is in `console_page.js`, the profiler in
`profiler_cost.py`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import dev_api
import load
import machine
import peers
import rates
import shown_bodies
from load import PACED_HELLO, WORKLOADS, LoadError
from options import at_least_one
from servers import Server, ServerError, running
from setup import BENCH, ROOT, Installation, SetupError, frozen, install_for_console
from targets import Target, judged

HELLO = WORKLOADS[0]
CONNECTIONS = 64
# For the whole run in the browser.
BROWSER_TIMEOUT_S = 400
_SERVE, _DEV = (replace(peer, dot_venv="bare") for peer in (peers.SERVE, peers.DEV))
# The figures of the browser: what they are, and the most that is good.
_BROWSER = {
    "paint": ("first paint of the console", 200, "ms"),
    "open": ("opening one of 10,000 requests", 100, "ms"),
    "sort": ("sorting 10,000 requests", 100, "ms"),
    "filter": ("filtering 10,000 requests", 100, "ms"),
    "idle": ("CPU time of an idle tab", 2, "% core"),
    "busy": ("CPU of the tab at 250 requests a second", 25, "% core"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the console of snaxum.")
    parser.add_argument("--snaxum", type=Path, metavar="FILE", help="measure this binary")
    parser.add_argument(
        "--rounds", type=at_least_one, default=5, help="how often the server is measured [5]"
    )
    options = parser.parse_args()
    try:
        with frozen(install_for_console(options.snaxum)) as installation:
            print(judged(_targets(installation, options.rounds)))
    except (SetupError, ServerError, LoadError, subprocess.SubprocessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _targets(installation: Installation, rounds: int) -> Iterator[Target]:
    cores = machine.choose_cores()
    yield from _in_browser(installation, cores)
    yield from _beside_bodies(installation, cores, rounds)
    _progress("the recorder")
    added = {number: _recorder_us(installation, cores) for number in range(rounds)}
    yield Target("CPU that dev mode adds to a request", 2.6, "µs", added, at_most=True)
    _progress("the profiler")
    for interval_ms, costs in _profiler(rounds).items():
        what = f"CPU of a profile, a sample every {interval_ms} ms"
        yield Target(what, 2, "%", costs, at_most=True)


def _in_browser(installation: Installation, cores: machine.Cores) -> Iterator[Target]:
    _progress("the browser")
    with running(_DEV, installation, cores.server) as server:
        load.check(server.port, HELLO)
        root = f"http://127.0.0.1:{server.port}"
        script = str(BENCH / "console_page.js")
        link = f"{root}/__snaxum/?t={dev_api.token(server.app)}"
        done = subprocess.run(
            ["node", script, link, root + HELLO.path],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=BROWSER_TIMEOUT_S,
        )
    for line in done.stdout.splitlines():
        figure: dict[str, Any] = json.loads(line)
        name, values = figure["what"], figure["values"]
        if "browser" in figure:
            _progress(f"{name}: the whole browser {figure['browser']:.1f} % of a core")
        if name in _BROWSER:
            what, bound, unit = _BROWSER[name]
            yield Target(what, bound, unit, dict(enumerate(values)), at_most=True)
        else:
            _progress(f"{name}: {median(values) / 1000:.0f} kB")


def _beside_bodies(
    installation: Installation, cores: machine.Cores, rounds: int
) -> Iterator[Target]:
    """The p99 of the app while the console shows a body, against a plain one in the same round."""

    def p99_us(body: str) -> float:
        def meanwhile(server: Server) -> AbstractContextManager[None]:
            return shown_bodies.shown(server, body)

        record = rates.measure(
            _DEV,
            PACED_HELLO,
            CONNECTIONS,
            installation,
            cores,
            seconds=3,
            prepare=shown_bodies.write,
            meanwhile=meanwhile,
        )
        return float(record["p99_us"])

    by_round: list[dict[str, float]] = []
    for number in range(rounds):
        _progress(f"the app while a body is shown, round {number + 1} of {rounds}")
        by_round.append({body: p99_us(body) for body in shown_bodies.BODIES})
        _progress(
            "p99 in µs: " + ", ".join(f"{body} {us:.0f}" for body, us in by_round[-1].items())
        )
    plain, *hard = shown_bodies.BODIES
    for body in hard:
        found = {number: each[body] / each[plain] for number, each in enumerate(by_round)}
        what = f"p99 of the app, paced, while the console shows {body!r}, against a plain body"
        yield Target(what, 1.1, "×", found, at_most=True)


def _recorder_us(installation: Installation, cores: machine.Cores) -> float:
    """CPU time of a request in dev mode, more than in production."""
    dev, serve = (
        rates.measure(peer, HELLO, CONNECTIONS, installation, cores, seconds=3)
        for peer in (_DEV, _SERVE)
    )
    spent = [each["cpu_s"] / each["requests"] * 1e6 for each in (dev, serve)]
    return float(spent[0] - spent[1])


def _profiler(rounds: int) -> dict[int, dict[int, float]]:
    """CPU time that samples add to a handler that computes, in percent, by interval."""
    sys.path.insert(0, str(ROOT / "python"))
    import profiler_cost

    intervals = (5, 2)
    ways: dict[str, profiler_cost.Way] = {
        "nothing": profiler_cost.unobserved,
        **{f"{ms} ms": profiler_cost.samples_every(ms / 1000) for ms in intervals},
    }
    cpu, _ = profiler_cost.times(profiler_cost.mixed, ways, rounds)
    return {
        ms: {
            number: (sampled / alone - 1) * 100
            for number, (sampled, alone) in enumerate(zip(cpu[f"{ms} ms"], cpu["nothing"]))
        }
        for ms in intervals
    }


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
