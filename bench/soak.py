#!/usr/bin/env python3
"""`python3 bench/soak.py`: random edits under load, for as long as you like, each response checked.

Every save is logged with its time, so for every response it is known which versions of the
code may have given it. Exits with 1 if a request failed or a response was from no such version.
With `--serve` it is `soak_serve.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import edits
import machine
import soak_serve
from client import connected
from options import at_least_one
from peers import SOAK
from reload_latency import wait_until_ready
from servers import Server, ServerError, running
from setup import SetupError, frozen, install_for_soak
from traffic import Reply, traffic
from trends import Trend, listed, minutes
from visitors import fill_with_failures, fill_with_uploads, left_open, visits

# Requests wait so long for a slow reload, counted from the first save that is not yet handled, and
# then the code before serves them.
HELD_S = 0.14
# More late responses than this part are not the machine's doing.
MOST_LATE = 0.01
# By then the slowest reload has been made.
LATE_S = 2.0
SETTLE_S = 2.0
DEALT_WITH_S = 0.5
BETWEEN_EDITS_S = (0.0, 0.3)
SHOWN_COMPLAINTS = 10
ALLOWED = ("right", "late", "killed")
MODULES = ("alpha", "beta", "gamma", "delta")
# These must not grow: open files and, by more than this, the memory and the threads of the server.
MORE_MB = 16.0
MORE_THREADS = 8.0
SAMPLE_S = 1.0
FILLING_UPLOADS = 5000
# Each has a type of its own.
FILLING_FAILURES = 400
# A task that runs in a worker when that is killed fails; its request may have come so long before.
KILL_EVERY_S = 2.0
KILLED_S = 1.0
MOST_KILLED = 2
POOL = "/soak/pool"
# Paths of the file that is not edited.
STEADY = ("/soak/async", "/soak/stream")

_MODULE = '''"""One of the modules that are edited."""

from snaxum import route


@route("{path}")
def respond(request):
    return {{"message": "{value}"}}
'''
_TASKS = '''"""The task of the pool."""


def task():
    return {{"message": "{value}"}}
'''


@dataclass
class Version:
    """The value of a path from one save to the next; None is a 404."""

    value: str | None
    began: float
    # When the next one had been saved, and when the saves in a row began to which that belongs.
    ended: float | None = None
    row_began: float = 0.0


@dataclass
class Page:
    """A path, the file that makes it, and its values over time."""

    path: str
    file: Path
    template: str = _MODULE
    versions: list[Version] = field(default_factory=list)

    def change(self, value: str | None, began: float, closed: float, row_began: float) -> None:
        if self.versions:
            self.versions[-1].ended = closed
            self.versions[-1].row_began = row_began
        self.versions.append(Version(value, began))

    def verdict(self, reply: Reply, value: str | None) -> str:
        """Whether this was `right`, `late` or `wrong`."""
        kind = "wrong"
        for version in reversed(self.versions):
            if version.value != value or version.began > reply.received:
                continue
            if version.ended is None or reply.sent <= version.ended:
                return "right"
            was_held = reply.received - version.row_began >= HELD_S
            if was_held and reply.sent - version.ended <= LATE_S:
                kind = "late"
        return kind

    @property
    def is_there(self) -> bool:
        return self.versions[-1].value is not None


class Ledger:
    """Counts responses by their verdict, and remembers the first complaints."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self._pages = pages
        self.verdicts: Counter[str] = Counter()
        self.visits: Counter[str] = Counter()
        self.kills: list[float] = []
        # When the last request was sent to which the pool has responded.
        self.pool_sent = 0.0
        self.complaints: list[str] = []

    def note(self, reply: Reply) -> None:
        verdict = reply.fault or self._judge(reply)
        self.verdicts[verdict] += 1
        if reply.path == POOL and verdict in ("right", "late"):
            self.pool_sent = max(self.pool_sent, reply.sent)
        if verdict not in ALLOWED and len(self.complaints) < SHOWN_COMPLAINTS:
            page = self._pages[reply.path]
            recent = [f"{v.value}@{v.began - reply.sent:+.3f}" for v in page.versions[-3:]]
            rows = [f"{v.row_began - reply.sent:+.3f}" for v in page.versions[-3:-1]]
            took = f"{reply.received - reply.sent:.3f} s"
            text = reply.body[:200].decode(errors="replace")
            self.complaints.append(
                f"{verdict}: {reply.path} {reply.status} after {took}: {text!r}; saved: {recent},"
                f" in rows from {rows}"
            )

    def visit(self, name: str, fault: str) -> None:
        """Count a visit; `fault` is empty if its outcome was the right one."""
        self.visits[f"{name}: wrong" if fault else name] += 1
        if fault and len(self.complaints) < SHOWN_COMPLAINTS:
            self.complaints.append(f"{name}: {fault}")

    def has_recovered(self) -> bool:
        """Whether the pool has responded to a request that was sent after the last kill."""
        return self.pool_sent > max(self.kills, default=0.0)

    def failed(self) -> int:
        visits = sum(n for name, n in self.visits.items() if name.endswith(": wrong"))
        return visits + sum(n for kind, n in self.verdicts.items() if kind not in ALLOWED)

    def _judge(self, reply: Reply) -> str:
        kills = [kill for kill in self.kills if reply.sent - KILLED_S <= kill <= reply.received]
        if kills and reply.status == 500 and reply.path == POOL:
            return "killed"
        if reply.status not in (200, 404):
            return f"status {reply.status}"
        value = edits.message(reply.body) if reply.status == 200 else None
        return self._pages[reply.path].verdict(reply, value)


class Editor:
    """Makes random edits, and logs the value of each path over time."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self._directory, self._chance = directory, chance
        self._number = 0
        self._row_began = self._last_change = float("-inf")
        self.done: Counter[str] = Counter()
        self.pages = {
            f"/soak/{name}": Page(f"/soak/{name}", directory / f"{name}.py") for name in MODULES
        }
        pooled = Page(POOL, directory / "tasks.py", _TASKS)
        self.pages[pooled.path] = pooled
        for page in self.pages.values():
            self._save(page)
        self.edited = list(self.pages.values())
        for path in STEADY:
            page = Page(path, directory / "pooled.py", versions=[Version("steady", float("-inf"))])
            self.pages[path] = page

    async def edit(self) -> None:
        """One of the things that happen to files, or two at once."""
        page = self._chance.choice(self.edited)
        is_module = page.template is _MODULE
        if not page.is_there:
            self._count("new file", partial(self._save, page))
            return
        kind = self._chance.random()
        if kind < 0.5 or not is_module:
            self._count("edit", partial(self._save, page))
        elif kind < 0.6:
            others = [other for other in self.edited if other.is_there]
            for other in self._chance.sample(others, min(2, len(others))):
                self._count("one of two edits at once", partial(self._save, other))
        elif kind < 0.75:
            await self._break(page)
        elif kind < 0.85:
            self._count("delete", partial(self._delete, page))
        else:
            self._count("rename", partial(self._rename, page))

    def _save(self, page: Page) -> None:
        value = self._next()
        began = time.perf_counter()
        self._write(page, page.template.format(path=page.path, value=value))
        self._note(page, value, began)

    async def _break(self, page: Page) -> None:
        """Nothing changes while it is broken, and then it is mended."""
        # A change that is still waited for, a deletion above all, would fail together with it.
        await asyncio.sleep(DEALT_WITH_S)
        self._begin(time.perf_counter())
        broken = page.template.format(path=page.path, value=self._next()) + "\ndef broken(:\n"
        self._count("broken edit", partial(self._write, page, broken))
        await asyncio.sleep(self._chance.uniform(*BETWEEN_EDITS_S))
        self._save(page)

    def _delete(self, page: Page) -> None:
        began = time.perf_counter()
        page.file.unlink()
        self._note(page, None, began)

    def _rename(self, page: Page) -> None:
        """The same route from another module: nothing that is asked for changes."""
        name = page.path.rpartition("/")[2]
        self._begin(time.perf_counter())
        page.file = page.file.rename(self._directory / f"{name}_{self._number}.py")
        self._number += 1

    def _note(self, page: Page, value: str | None, began: float) -> None:
        self._begin(began)
        page.change(value, began, time.perf_counter(), self._row_began)

    def _begin(self, now: float) -> None:
        """Report whether this belongs to the changes before, whose reload may still be running."""
        if now - self._last_change >= HELD_S:
            self._row_began = now
        self._last_change = now

    def _next(self) -> str:
        self._number += 1
        return f"v{self._number}" + "-" * (self._number % 7)

    def _write(self, page: Page, text: str) -> None:
        with open(page.file, "w") as file:
            file.write(text)

    def _count(self, what: str, act: Callable[[], None]) -> None:
        act()
        self.done[what] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Edit at random under load; check each response.")
    parser.add_argument("--minutes", type=minutes, default=2.0, metavar="N", help="how long [2]")
    parser.add_argument(
        "--connections", type=at_least_one, default=32, metavar="N", help="under load [32]"
    )
    parser.add_argument(
        "--visitors",
        type=at_least_one,
        default=16,
        metavar="N",
        help="that upload, read events, talk over WebSockets and leave [16]",
    )
    parser.add_argument("--seed", type=int, help="repeat the edits of an earlier run")
    parser.add_argument("--snaxum", type=Path, metavar="FILE", help="this binary")
    parser.add_argument(
        "--serve", action="store_true", help="`snaxum serve`: reloads, kills and clients that leave"
    )
    parser.add_argument(
        "--preload", action="store_true", help="with --serve: processes that share memory"
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return soak_serve.soak(options) if options.serve else _soak(options)
    except (SetupError, ServerError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the server has been ended", file=sys.stderr)
        return 130


def _soak(options: argparse.Namespace) -> int:
    seed = random.randrange(2**32) if options.seed is None else options.seed
    print(f"{options.minutes:g} minutes, --seed {seed}", file=sys.stderr, flush=True)
    editors: list[Editor] = []

    def prepare(app: Path) -> None:
        editors.append(Editor(app / "python", random.Random(seed)))

    cores = machine.choose_cores()
    with frozen(install_for_soak(options.snaxum)) as installation:
        if cores.load is not None:
            os.sched_setaffinity(0, {cores.load})
        with running(SOAK, installation, cores.server, prepare) as server:
            wait_until_ready(server, "/soak/alpha")
            run = _run(server, editors[0], options)
            return asyncio.run(run)


async def _run(server: Server, editor: Editor, options: argparse.Namespace) -> int:
    seconds = options.minutes * 60
    ledger = Ledger(editor.pages)
    began = time.monotonic()
    files_before: int | None = None
    memory, threads = Trend(), Trend()
    # The newest bodies, errors and lines are stored, up to limits: these need no more from now on.
    await fill_with_uploads(server.port, FILLING_UPLOADS)
    await fill_with_failures(server.port, FILLING_FAILURES)
    async with (
        traffic(server.port, list(editor.pages), options.connections, ledger.note),
        visits(server.port, options.visitors, ledger.visit),
    ):
        # Figures of /proc are read in a thread: the clients must not wait for them.
        while (passed := time.monotonic() - began) < seconds:
            if not await asyncio.to_thread(server.is_alive):
                break
            await editor.edit()
            await asyncio.sleep(random.uniform(*BETWEEN_EDITS_S))
            # Not before the last one has been replaced: on a busy machine a start takes seconds.
            if passed > KILL_EVERY_S * (len(ledger.kills) + 1) and ledger.has_recovered():
                await asyncio.to_thread(_kill_worker, server, ledger)
            # Connections and caches, which fill once, are full after a quarter.
            if passed > seconds / 4 and passed - memory.last >= SAMPLE_S:
                own = await asyncio.to_thread(server.figures)
                files_before = files_before or own.open_files
                memory.add(passed, own.rss_mb)
                threads.add(passed, own.threads)
    await asyncio.sleep(SETTLE_S)
    files = server.figures().open_files
    print(f"edits: {listed(editor.done)}, {len(ledger.kills)} workers killed")
    print(f"responses: {listed(ledger.verdicts)}\nvisits: {listed(ledger.visits)}")
    complaints = [*ledger.complaints, *_final(server, editor)]
    if any((left := await left_open(server.port)).values()):
        complaints.append(f"open without a client: {left}")
    if ledger.verdicts["killed"] > len(ledger.kills) * MOST_KILLED:
        complaints.append("more requests failed than were in the killed workers")
    if ledger.verdicts["late"] > ledger.verdicts.total() * MOST_LATE:
        complaints.append(f"more than {MOST_LATE:.0%} of the responses were late")
    if files_before is not None:
        print(f"open files: {files_before}, then {files}")
        if files > files_before:
            complaints.append(f"{files - files_before} more open files")
    for name, trend, most in (("memory (MB)", memory, MORE_MB), ("threads", threads, MORE_THREADS)):
        if len(trend.values) > 1:
            print(f"{name}: {trend}")
            if trend.growth() > most:
                complaints.append(f"{name}: {trend.growth():.1f} more by the slope")
    for complaint in complaints:
        print(complaint)
    failed = bool(complaints) or ledger.failed() > 0
    print("failed" if failed else "passed")
    return int(failed)


def _kill_worker(server: Server, ledger: Ledger) -> None:
    """Kill a worker of the pool, if there is one."""
    workers = server.workers()
    # Also without one, so that the next is not sought at once.
    ledger.kills.append(time.perf_counter())
    if workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(workers), signal.SIGKILL)


def _final(server: Server, editor: Editor) -> list[str]:
    """The faults once everything is at rest: then only the last version is right."""
    wrong = []
    with connected(server.port, keep=False) as client:
        for page in editor.edited:
            response, wanted = client.get(page.path), page.versions[-1].value
            found = None if response.fault == "status 404" else edits.message(response.body)
            if response.fault not in ("", "status 404") or found != wanted:
                wrong.append(f"at the end {page.path} is {response}, wanted {wanted}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
