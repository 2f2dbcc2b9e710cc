"""Hops between the loop and threads: several waits of one request."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from snaxum._runtime import leases
from snaxum._runtime.thread_hops import ThreadHops


class Threads:
    """Starts a thread for each job."""

    def start(self, number: int, name: str, job: Any) -> bool:
        threading.Thread(target=job, daemon=True).start()
        return True


def test_waits_may_end_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("for_caller", "Lease", "pin_thread", "unpin_thread"):
        monkeypatch.setattr(leases, name, lambda *args: SimpleNamespace(end=lambda: None))

    async def main() -> list[str]:
        hops = ThreadHops(
            SimpleNamespace(hook_threads=Threads(), pools={}),  # type: ignore[arg-type]
            SimpleNamespace(id=1),  # type: ignore[arg-type]
            "handler",
        )
        waits, ends = asyncio.Event(), asyncio.Event()
        second_waits = asyncio.Event()

        async def first() -> str:
            waits.set()
            await second_waits.wait()
            return "first"

        async def second() -> str:
            second_waits.set()
            await ends.wait()
            # The thread of the first has ended; this job is for that of the second.
            return await hops.hop(lambda: "second")

        one = asyncio.create_task(hops.hop(hops.wait, first()))
        await waits.wait()
        # In a thread of its own, and not as a job of the thread that waits.
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def other() -> None:
            result = hops.wait(second())
            loop.call_soon_threadsafe(ended.set_result, result)

        threading.Thread(target=other, daemon=True).start()
        results = [await one]
        ends.set()
        return [*results, await asyncio.wait_for(ended, 20)]

    assert asyncio.run(main()) == ["first", "second"]
