"""The thread that samples requests while they run: slow ones, and requests that ask for it.

Owns the choice, the intervals and the reports to Rust. Takes the interpreter only for a sample;
while no request is to be sampled, it waits in Rust. Never delays a request for its own sake.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

from .._host import HostApi, to_json
from .._runtime import generations, leases
from . import stack_samples
from .profile_tree import CallStack, ProfileTree

if TYPE_CHECKING:
    from .._runtime.runtime import Runtime

_log = logging.getLogger("snaxum")

# The most requests that are sampled at a time.
MAX_PROFILES = 16
# The time between two samples, by the age of a request: the first that is not reached.
INTERVALS = ((1.0, 0.005), (10.0, 0.020), (60.0, 0.1), (float("inf"), 0.5))
# The same for a request that asks for a profile, and the longest that another thread then has the
# interpreter while the profiler waits for it.
DEMANDED_INTERVALS = ((1.0, 0.002), (5.0, 0.005), *INTERVALS[1:])
DEMANDED_SWITCH_S = 0.001
# The most of a processor that samples take: after each, the thread rests, at most for `MAX_REST_S`.
MAX_PART = 0.02
MAX_REST_S = 0.05
# A running request is reported after this time, and then after this part of its age.
REPORT_AFTER_S = 0.3
REPORT_PART = 0.2


class _Sampled:
    """A request that is sampled."""

    __slots__ = (
        "began",
        "from_s",
        "is_demanded",
        "next_at",
        "report_at",
        "sampled_at",
        "sources",
        "tree",
    )

    def __init__(self, age_s: float, now: float, *, is_demanded: bool) -> None:
        self.from_s = age_s
        self.is_demanded = is_demanded
        self.began = self.sampled_at = self.next_at = now
        self.report_at = now + REPORT_AFTER_S
        self.tree = ProfileTree()
        self.sources = generations.current().sources

    def interval(self, now: float) -> float:
        age = self.from_s + now - self.began
        intervals = DEMANDED_INTERVALS if self.is_demanded else INTERVALS
        return next(interval for until, interval in intervals if age < until)


class Profiler:
    """Samples the requests of a runtime, in a thread of its own."""

    def __init__(self, runtime: Runtime) -> None:
        """Make it without a thread."""
        self._runtime = runtime
        self._host: HostApi = runtime.host
        self._sampled: dict[int, _Sampled] = {}
        # Slow requests that are not sampled, because too many others are.
        self._skipped: set[int] = set()
        self._switch_s: float | None = None
        self._rests_until = 0.0

    def start(self) -> None:
        threading.Thread(target=self._run, name="profiler", daemon=True).start()

    def _run(self) -> None:
        try:
            while True:
                self._round()
        except Exception:
            self._sampled.clear()
            self._set_switch_interval()
            _log.exception("no request is profiled from now on; please report this internal error")

    def _round(self) -> None:
        wait_s = self._wait()
        known = [*self._sampled, *self._skipped]
        demanded, slow, ended = self._host.wait_for_profiled(wait_s, known)
        now, cpu_began = time.perf_counter(), time.thread_time()
        for request in ended:
            self._skipped.discard(request)
            sampled = self._sampled.pop(request, None)
            if sampled is not None:
                self._report(request, sampled, is_running=False)
        stacks = _Stacks(self._runtime)
        for request, age_s in demanded:
            self._begin(request, _Sampled(age_s, now, is_demanded=True))
        for request, age_s in slow:
            if stacks.has(request):  # else it waits for a thread
                self._begin(request, _Sampled(age_s, now, is_demanded=False))
        for request, sampled in self._sampled.items():
            if now >= sampled.next_at:
                self._sample(request, sampled, stacks)
        self._set_switch_interval()
        rest_s = (time.thread_time() - cpu_began) / MAX_PART
        self._rests_until = time.perf_counter() + min(rest_s, MAX_REST_S)

    def _wait(self) -> float | None:
        """Return the time until the next sample, if a request is sampled."""
        if not self._sampled:
            return None
        next_at = min(sampled.next_at for sampled in self._sampled.values())
        return max(0.0, max(next_at, self._rests_until) - time.perf_counter())

    def _begin(self, request: int, sampled: _Sampled) -> None:
        before = self._sampled.get(request)
        if before is not None:
            before.is_demanded |= sampled.is_demanded
            return
        if len(self._sampled) >= MAX_PROFILES:
            others = [id for id, each in self._sampled.items() if not each.is_demanded]
            if not sampled.is_demanded or not others:
                self._skipped.add(request)
                return
            # No later report follows.
            self._report(others[0], self._sampled.pop(others[0]), is_running=False)
            self._skipped.add(others[0])
        self._sampled[request] = sampled

    def _sample(self, request: int, sampled: _Sampled, stacks: _Stacks) -> None:
        stack, is_suspended = stacks.of(request)
        now = time.perf_counter()
        if stack:
            sampled.tree.add(stack, now - sampled.sampled_at, is_suspended=is_suspended)
        sampled.sampled_at = now
        sampled.next_at = now + sampled.interval(now)
        if now >= sampled.report_at:
            self._report(request, sampled, is_running=True)
            sampled.report_at = now + max(REPORT_AFTER_S, REPORT_PART * (now - sampled.began))

    def _report(self, request: int, sampled: _Sampled, *, is_running: bool) -> None:
        tree = sampled.tree
        if not tree.samples and not sampled.is_demanded:
            return
        profile = {
            "is_running": is_running,
            "is_demanded": sampled.is_demanded,
            "from_ms": round(sampled.from_s * 1e3, 2),
            "ms": round(tree.total * 1e3, 2),
            "suspended_ms": round(tree.suspended * 1e3, 2),
            "samples": tree.samples,
            "is_cut": tree.is_cut,
            "calls": tree.calls(),
            "sources": tree.sources(sampled.sources),
        }
        self._host.profiled(request, to_json(profile))

    def _set_switch_interval(self) -> None:
        """Let the threads switch faster while a request that asks for a profile is sampled."""
        is_demanded = any(sampled.is_demanded for sampled in self._sampled.values())
        if is_demanded and self._switch_s is None:
            self._switch_s = sys.getswitchinterval()
            sys.setswitchinterval(min(self._switch_s, DEMANDED_SWITCH_S))
        elif not is_demanded and self._switch_s is not None:
            sys.setswitchinterval(self._switch_s)
            self._switch_s = None


class _Stacks:
    """The stacks of all requests, at one moment."""

    def __init__(self, runtime: Runtime) -> None:
        self._loop, _ = runtime.made()
        self._threads = leases.threads()
        self._frames: dict[int, FrameType] | None = None

    def has(self, request: int) -> bool:
        """Report whether a request is on a thread or on the loop."""
        if request in self._threads:
            return True
        return self._loop is not None and self._loop.task_of(request) is not None

    def of(self, request: int) -> tuple[CallStack, bool]:
        """Return the stack of a request, and whether it is a suspended task."""
        thread = self._threads.get(request)
        if thread is not None:
            return self._of_thread(thread), False
        found = self._loop.task_of(request) if self._loop is not None else None
        if found is None:
            return [], False
        loop, task = found
        if loop.ident is not None and asyncio.current_task(loop.loop) is task:
            return self._of_thread(loop.ident), False
        return stack_samples.of_task(task), True

    def _of_thread(self, thread: int) -> CallStack:
        if self._frames is None:
            self._frames = sys._current_frames()
            # The frame of this call would be in a cycle with `self`: all frames would stay until
            # the next garbage collection, with the objects of requests that have ended.
            del self._frames[threading.get_ident()]
        frame = self._frames.get(thread)
        return [] if frame is None else stack_samples.of_thread(frame)


def start(runtime: Runtime) -> None:
    """Sample the requests of a runtime from now on."""
    Profiler(runtime).start()
