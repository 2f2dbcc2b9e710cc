"""Channels: broadcast to every subscriber in this process.

Owns `Channel` and its subscriptions. A channel is found by its name, so it is the same one after a
reload. Never waits for a subscriber: a slow one loses its oldest messages.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .websockets import WebSocket, WebSocketClosed, current

if TYPE_CHECKING:
    import asyncio

# The messages that wait for a subscriber, unless it asks for another number.
MAX_WAITING = 1000

_lock = threading.RLock()
_channels: weakref.WeakValueDictionary[str, Channel] = weakref.WeakValueDictionary()


class Channel:
    """Passes each published message to every subscriber in this process.

    `Channel("room")` is the same object everywhere in the process, and after a reload; it ends with
    the last reference to it and its last subscriber. A message is any object; subscribers share it.
    """

    __slots__ = ("__weakref__", "_lock", "_subscribers", "name")

    name: str

    def __new__(cls, name: str) -> Channel:
        if not isinstance(name, str):
            raise TypeError(f"the name of a channel is a str such as 'news', not {name!r}")
        with _lock:
            found = _channels.get(name)
            if found is None:
                found = super().__new__(cls)
                found.name = name
                found._lock = threading.RLock()
                found._subscribers = weakref.WeakSet()
                _channels[name] = found
        return found

    if TYPE_CHECKING:
        _lock: threading.RLock
        _subscribers: weakref.WeakSet[Subscription]

    def publish(self, message: Any) -> int:
        """Pass a message to every subscriber; return their number. Never waits.

        May be called from anywhere: `async def` and `def` handlers, and any thread.
        """
        woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        with self._lock:
            subscribers = list(self._subscribers)
            for each in subscribers:
                each._add(message, woken)
        _wake(woken)
        return len(subscribers)

    def subscribe(self, *, max_waiting: int = MAX_WAITING) -> Subscription:
        """Receive every message that is published from now on.

        At most `max_waiting` messages wait for the subscriber; then the oldest are dropped, and
        counted in `Subscription.dropped`. Within the handler of a WebSocket, the subscription ends
        when that is closed.
        """
        if max_waiting < 1:
            raise ValueError(f"max_waiting is {max_waiting}; use a number from 1 on")
        made = Subscription(self, max_waiting)
        with self._lock:
            self._subscribers.add(made)
        return made

    def forward_to(self, ws: WebSocket, *, max_waiting: int = MAX_WAITING) -> Forwarding:
        """Send every message to a client while an `async with` block runs.

        A str or bytes is sent as it is, any other value as JSON.
        """
        return Forwarding(self.subscribe(max_waiting=max_waiting), ws)

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        with self._lock:
            return len(self._subscribers)

    def __repr__(self) -> str:
        return f"<Channel {self.name!r}: {self.subscribers} subscribers>"


class Subscription:
    """The messages of a channel for one subscriber: `async for` or, in a thread, `for`.

    It ends with `close()`, with the WebSocket of its handler, or when nothing refers to it.
    """

    __slots__ = (
        "__weakref__",
        "_channel",
        "_is_bound",
        "_is_closed",
        "_max_waiting",
        "_messages",
        "_ready",
        "_waiting",
        "dropped",
    )

    dropped: int
    """The number of messages that were dropped because this subscriber was too slow."""

    def __init__(self, channel: Channel, max_waiting: int) -> None:
        self._channel = channel
        self._max_waiting = max_waiting
        self._messages: deque[Any] = deque()
        self._is_closed = self._is_bound = False
        # The tasks and the threads that wait for a message.
        self._waiting: list[asyncio.Future[None]] = []
        self._ready: threading.Condition | None = None
        self.dropped = 0

    def close(self) -> None:
        """End the subscription; messages that wait are discarded."""
        woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        with self._channel._lock:
            self._channel._subscribers.discard(self)
            self._is_closed = True
            self._messages.clear()
            self._notify(woken)
        _wake(woken)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        import asyncio

        lock = self._channel._lock
        while True:
            with lock:
                if self._messages:
                    return self._messages.popleft()
                if self._is_closed:
                    raise StopAsyncIteration
                if self._is_bound:
                    future = asyncio.get_running_loop().create_future()
                    self._waiting.append(future)
            if not self._is_bound:
                self._bind()
                continue
            try:
                await future
            finally:
                with lock:
                    if future in self._waiting:
                        self._waiting.remove(future)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self._bind()
        with self._channel._lock:
            if self._ready is None:
                self._ready = threading.Condition(self._channel._lock)
            while not self._messages:
                if self._is_closed:
                    raise StopIteration
                self._ready.wait()
            return self._messages.popleft()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(
        self,
        message: Any,
        woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]],
    ) -> None:
        """Add a message; the caller has the lock, and wakes."""
        if len(self._messages) >= self._max_waiting:
            self._messages.popleft()
            self.dropped += 1
        self._messages.append(message)
        self._notify(woken)

    def _notify(self, woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]]) -> None:
        for future in self._waiting:
            woken.setdefault(future.get_loop(), []).append(future)
        self._waiting.clear()
        if self._ready is not None:
            self._ready.notify_all()

    def _bind(self) -> None:
        """End with the WebSocket of the handler that waits, if it is one."""
        if not self._is_bound:
            self._is_bound = True
            socket = current.get()
            if socket is not None:
                close = weakref.WeakMethod(self.close)

                def end() -> None:
                    bound = close()
                    if bound is not None:
                        bound()

                socket._on_close(end)


class Forwarding:
    """Sends the messages of a subscription to a client, within an `async with` block."""

    __slots__ = ("_task", "_ws", "subscription")

    subscription: Subscription

    def __init__(self, subscription: Subscription, ws: WebSocket) -> None:
        self.subscription = subscription
        self._ws = ws
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Subscription:
        import asyncio

        self._task = asyncio.create_task(self._forward())
        return self.subscription

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import asyncio

        assert self._task is not None
        self.subscription.close()
        self._task.cancel()
        await asyncio.wait([self._task])
        failure = None if self._task.cancelled() else self._task.exception()
        if failure is not None and error is None:
            raise failure

    async def _forward(self) -> None:
        try:
            async for message in self.subscription:
                if isinstance(message, (str, bytes)):
                    await self._ws.send(message)
                else:
                    await self._ws.send_json(message)
        except WebSocketClosed:
            pass  # the handler learns it from its own side
        except Exception:
            self._ws.close(1011, "internal error")
            raise


def _wake(woken: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]]) -> None:
    """Resume tasks, each on its own loop."""
    if not woken:
        return
    running = sys.modules["asyncio"]._get_running_loop()
    for loop, futures in woken.items():
        if loop is running:
            _resume(futures)
        else:
            try:
                loop.call_soon_threadsafe(_resume, futures)
            except RuntimeError:
                pass  # the loop has ended


def _resume(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
