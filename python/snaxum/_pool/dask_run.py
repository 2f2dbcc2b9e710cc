"""One task on its way through a Dask cluster: sent, perhaps again with its code, and ended.

Owns what the task has in the cluster. Never sets its result (`dask_pool`).
"""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from .._runtime.generations import Generation
from . import dask_messages
from .dask_connection import ClusterConnection
from .dask_messages import Messages
from .task import Task


class Run:
    """A task, and what the cluster knows of it; all of it in the thread of the client's loop."""

    def __init__(self, task: Task, generation: Generation, retries: int) -> None:
        """The task runs on the code of `generation`; it may begin again after `retries` losses."""
        self.task = task
        self.generation = generation
        self.id = uuid.uuid4().hex
        # One for each time that it may begin; set at the scheduler when it does.
        self._claims = [f"snaxum-{self.id}-{attempt}" for attempt in range(retries + 1)]
        # How many times it has begun, and when it did last.
        self.begun = 0
        self.since = 0.0
        self.worker: str | None = None
        self.pid: int | None = None
        self.is_sent = False
        # Whether a worker has died while it ran it, for the last time.
        self.is_lost = False
        self._has_ended = asyncio.Event()
        self._future: Any = None

    @property
    def may_begin_again(self) -> bool:
        """Whether another worker may run it after its worker has died."""
        return self.begun < len(self._claims)

    async def reply(
        self, connection: ClusterConnection, messages: Messages, **more: Any
    ) -> tuple[Any, ...]:
        """Send it, again with what its worker asks for; return the reply of the worker."""
        message = messages.first(
            self.generation,
            task=self.id,
            payload=self.task.payload,
            request=self.task.request,
            claims=self._claims,
            **more,
        )
        while True:
            if self.task.future.done():  # its worker died, and the next one asks for its code
                raise CancelledError
            self._future = connection.client.submit(
                eval,
                dask_messages.EXPRESSION,
                {"program": dask_messages.PROGRAM, "call": message},
                key=f"{self.task.name}-{uuid.uuid4().hex}",  # the dashboard shows the name
                pure=False,
            )
            reply: tuple[Any, ...] = await self._future
            if reply[0] not in ("framework", "version"):
                return reply
            message = messages.again(message, self.generation, reply[0])

    async def end(self, connection: ClusterConnection) -> None:
        """Remove the remains of the task in the cluster: it has ended, or never will."""
        self._has_ended.set()
        self._future = None  # the client forgets it
        for claim in self._claims[: self.begun]:
            with suppress(Exception):
                await connection.client.scheduler.event_clear(name=claim)

    async def cancel(self, connection: ClusterConnection) -> None:
        """End it in the cluster: nothing waits for it.

        A lost task is left to the next worker, which finds its claims and ends it: without them, a
        worker that has it already would begin.
        """
        future = self._future
        if future is None or self._has_ended.is_set() or self.is_lost:
            return
        if self.worker is not None:
            call = (eval, dask_messages.INTERRUPT, {"task": self.id})
            await connection.end_task(self.worker, call, self._has_ended)
        if not self._has_ended.is_set():
            with suppress(Exception):
                await future.cancel()
