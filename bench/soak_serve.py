"""`python3 bench/soak.py --serve`: a server of two processes under load, each response checked.

Meanwhile its code is reloaded, broken and mended, processes are killed, and clients leave. For each
response it is known which versions of the code may have given it: a version that was saved before,
unless a reload had replaced it before the request. Only requests that a killed process was running
may fail. Exits with 1 if another one failed, or if memory, open files or threads have grown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import machine
from peers import SERVE_SOAK
from reload_latency import wait_until_ready
from servers import ProcessFigures, Server, figures, running
from setup import frozen, install_for_soak
from traffic import Reply, traffic
from trends import Trend, listed
from visitors import leave_a_request, leave_an_upload, raw_upload

PATHS = ("/soak/plain", "/soak/async", "/soak/computing", "/soak/stream")
PROCESSES = 2
BETWEEN_EVENTS_S = (0.5, 2.5)
THINK_S = (0.05, 0.2)
# A killed process resets its connections at once; the client may learn it a little later.
RESET_S = 0.2
# New processes load within this time, on a busy machine too.
PATIENCE_S = 60.0
# Longer than the drain timeout.
REST_S = 15.0
SAMPLE_S = 1.0
SHOWN_COMPLAINTS = 10
ALLOWED = ("right", "killed")
# The most that the line through the figures may rise, from the first quarter of the run to its end.
MORE_MB = 8.0
MORE_FILES = 2.0
MORE_THREADS = 2.0


@dataclass
class ServedVersion:
    """A version of the code: when it was saved, and when a reload had replaced it."""

    name: str
    saved: float
    replaced: float = float("inf")


@dataclass
class Account:
    """The versions, the kills, and the verdicts on responses and visits."""

    versions: list[ServedVersion] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    visits: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def note(self, reply: Reply) -> None:
        verdict = self._judge(reply)
        self.verdicts[verdict] += 1
        if verdict not in ALLOWED:
            recent = [f"{v.name}@{v.saved - reply.sent:+.3f}" for v in self.versions[-3:]]
            took = f"{reply.received - reply.sent:.3f} s"
            self.complain(f"{verdict}: {reply.path} after {took}: {reply.body[:99]!r}; {recent}")

    def visit(self, name: str, fault: str, began: float) -> None:
        if fault and self._was_killed(began, time.perf_counter()):
            name += ": killed"
        elif fault:
            self.complain(f"{name}: {fault}")
        self.visits[name] += 1

    def complain(self, text: str) -> None:
        self.events["faults"] += 1
        if len(self.complaints) < SHOWN_COMPLAINTS:
            self.complaints.append(text)

    def _judge(self, reply: Reply) -> str:
        if reply.fault:
            # A new connection waits while there is no process: it is neither refused nor late.
            is_reset = reply.fault == "reset" and self._was_killed(reply.sent, reply.received)
            return "killed" if is_reset else reply.fault
        if reply.status != 200:
            return f"status {reply.status}"
        name = json.loads(reply.body)["version"]
        for version in self.versions:
            if version.name == name and version.saved <= reply.received:
                return "right" if reply.sent <= version.replaced else "replaced version"
        return "unknown version"

    def _was_killed(self, began: float, ended: float) -> bool:
        return any(began - RESET_S <= kill <= ended for kill in self.kills)


class Operator:
    """Reloads the server, breaks its code, and kills processes."""

    def __init__(
        self, server: Server, snaxum: Path, account: Account, chance: random.Random
    ) -> None:
        self._server, self._snaxum = server, snaxum
        self._account, self._chance = account, chance
        self._file = server.app / "python" / "app.py"
        self._number = 0

    async def act(self) -> None:
        kind = self._chance.random()
        if kind < 0.35:
            await self._reload()
        elif kind < 0.5:
            await self._reload_broken()
        elif kind < 0.6:
            await asyncio.gather(self._reload(), self._kill_soon())
        else:
            await self._kill()

    async def _reload(self) -> None:
        """Save a version, and reload until it is live: a killed new process rejects it."""
        self._number += 1
        name, text = f"v{self._number}", self._file.read_text()
        before = self._account.versions[-1]
        self._account.versions.append(ServedVersion(name, time.perf_counter()))
        self._save(text.replace(f'"{before.name}"', f'"{name}"'))
        while True:
            began = time.perf_counter()
            code, output = await self._run_reload()
            if code == 0:
                break
            if not any(kill >= began for kill in self._account.kills):
                self._account.complain(f"a reload was rejected: {output}")
                return
            self._account.events["reloads of which a process was killed"] += 1
        before.replaced = time.perf_counter()
        self._account.events["reloads"] += 1

    async def _reload_broken(self) -> None:
        text = self._file.read_text()
        broken = self._chance.choice(["def broken(:\n", "1 / 0\n", "import missing_module\n"])
        self._save(text + broken)
        code, output = await self._run_reload()
        if code != 1 or "still serving" not in output:
            self._account.complain(f"broken code was not rejected: {code} {output}")
        self._save(text)
        self._account.events["broken reloads"] += 1

    async def _run_reload(self) -> tuple[int, str]:
        command = [str(self._snaxum), "reload", str(self._server.app)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode is not None, "it has been waited for"
        return process.returncode, output.decode(errors="replace").strip()

    async def _kill_soon(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 0.5))
        await self._kill()

    async def _kill(self) -> None:
        """Kill a process, and wait until the others are as many again."""
        found = await asyncio.to_thread(self._server.children)
        if len(await asyncio.to_thread(_serving, self._server)) < PROCESSES:
            return
        self._account.kills.append(time.perf_counter())
        stop = self._chance.choice([signal.SIGKILL, signal.SIGABRT])
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._chance.choice(found), stop)
        self._account.events[f"{stop.name}s"] += 1
        until = time.monotonic() + PATIENCE_S
        while len(await asyncio.to_thread(_serving, self._server)) < PROCESSES:
            if time.monotonic() > until:
                self._account.complain("a killed process was not replaced")
                return
            await asyncio.sleep(0.05)

    def _save(self, text: str) -> None:
        """Replace the file: a process that starts must not read half of it."""
        aside = self._file.with_suffix(".new")
        aside.write_text(text)
        aside.rename(self._file)


class Growth:
    """The figures of the parent, and of the processes together, once caches are full."""

    def __init__(self) -> None:
        self._limits = {"MB": MORE_MB, "open files": MORE_FILES, "threads": MORE_THREADS}
        self._trends = {
            (who, what): Trend() for who in ("parent", "processes") for what in self._limits
        }

    def sample(self, server: Server, now: float) -> None:
        if now - self._trends["parent", "MB"].last < SAMPLE_S:
            return
        own, found = figures(server.session), _serving(server)
        if len(found) != PROCESSES:
            return  # one is being replaced
        for who, each in (("parent", [own]), ("processes", found)):
            rows = [(one.rss_mb, one.open_files, one.threads) for one in each]
            for what, values in zip(self._limits, zip(*rows)):
                self._trends[who, what].add(now, sum(values) / len(values))

    def complaints(self) -> list[str]:
        """Print the figures; return the complaints."""
        grown = []
        for (who, what), trend in self._trends.items():
            if len(trend.values) < 2:
                continue
            print(f"{who}, {what}: {trend}")
            if trend.growth() > self._limits[what]:
                grown.append(f"{who}: {trend.growth():.1f} more {what} by the slope")
        return grown


def soak(options: argparse.Namespace) -> int:
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"{options.minutes:g} minutes, --seed {seed}", file=sys.stderr, flush=True)
    cores = machine.choose_cores()
    peer = SERVE_SOAK
    if options.preload:
        peer = replace(peer, command=f"{peer.command} --preload")
    with frozen(install_for_soak(options.snaxum)) as installation:
        if cores.load is not None:
            os.sched_setaffinity(0, {cores.load})
        with running(peer, installation, cores.server) as server:
            wait_until_ready(server, PATHS[0])
            account = Account([ServedVersion("v0", float("-inf"))])
            operator = Operator(server, installation.snaxum, account, random.Random(seed))
            return asyncio.run(_run(server, operator, account, options))


async def _run(
    server: Server, operator: Operator, account: Account, options: argparse.Namespace
) -> int:
    seconds = options.minutes * 60
    began = time.monotonic()
    growth = Growth()
    async with (
        traffic(server.port, PATHS, options.connections, account.note, may_close=True),
        _visits(server.port, options.visitors, account),
    ):
        while (passed := time.monotonic() - began) < seconds:
            if not await asyncio.to_thread(server.is_alive):
                account.complain("the server has ended")
                break
            await operator.act()
            await asyncio.sleep(random.uniform(*BETWEEN_EVENTS_S))
            if passed > seconds / 4:
                await asyncio.to_thread(growth.sample, server, passed)
    until = time.monotonic() + REST_S
    while len(await asyncio.to_thread(_serving, server)) > PROCESSES and time.monotonic() < until:
        await asyncio.sleep(0.1)  # one still finishes its requests
    print(f"events: {listed(account.events)}")
    print(f"responses: {listed(account.verdicts)}\nvisits: {listed(account.visits)}")
    complaints = [*account.complaints, *growth.complaints()]
    left = [pid for pid in server.pids() if pid not in (server.session, *server.children())]
    if left or len(_serving(server)) != PROCESSES:
        complaints.append(f"processes: {server.children()}, and left over: {left}")
    for complaint in complaints:
        print(complaint)
    failed = bool(complaints)
    print("failed" if failed else "passed")
    return int(failed)


def _serving(server: Server) -> list[ProcessFigures]:
    """The figures of the processes that serve; the preloader, which has one thread, does not."""
    found = []
    for pid in server.children():
        with contextlib.suppress(OSError):  # it has ended
            found.append(figures(pid))
    return [one for one in found if one.threads > 1]


@contextlib.asynccontextmanager
async def _visits(port: int, count: int, account: Account) -> AsyncIterator[None]:
    """Upload, and leave, while the block runs."""
    stop = asyncio.Event()

    async def visit() -> None:
        while not stop.is_set():
            began, fault = time.perf_counter(), ""
            choice = random.choice([raw_upload, leave_a_request, leave_an_upload])
            try:
                await asyncio.wait_for(choice(port), PATIENCE_S)
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"
            account.visit(choice.__name__.replace("_", " "), fault, began)
            await asyncio.sleep(random.uniform(*THINK_S))

    tasks = [asyncio.create_task(visit()) for _ in range(count)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)
