"""How a generation ends: its hooks, its tasks, its kept values, and the proof that it is gone.

Owns the line of old generations. One ends when no request is on it or on an older one; then what
its successor replaced is told so, and dropped. A weak reference tells, after the next full
collection, whether it is really gone; if not, whatever holds it is named. Never waits for a
request.
"""

from __future__ import annotations

import gc
import inspect
import logging
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

from .._runtime import generations as state
from .._runtime import leases
from . import effects
from .model import MARK, Hook, Kept, Node

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger("snaxum")

# How long a hook may take before it is left behind, and a task that was cancelled.
HOOK_TIMEOUT_S = 5.0
# Generations that ended, after which a full collection is asked for even if the server is never
# idle. With large libraries loaded one holds the interpreter for tens of milliseconds.
COLLECT_EVERY = 200
# How many objects are followed in search of a holder, and how many holders are told of.
MAX_LOOK = 500
MAX_LEAKS = 100
# How long no generation may have ended until one is made anyway.
IDLE_S = 5.0


class Drain:
    """Ends old generations, in a thread of its own."""

    def __init__(
        self, loop: Callable[[], asyncio.AbstractEventLoop], *, counts: bool = True
    ) -> None:
        self._loop = loop
        self._retired: deque[tuple[state.Generation, list[tuple[str, Kept]]]] = deque()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._suspects: list[tuple[int, weakref.ref[Node]]] = []
        # What did not go, as text: for the next report, and all that was said.
        self._leaks: list[str] = []
        self._told: set[str] = set()
        self._ended = 0
        if not counts:
            return  # nothing is ever replaced
        leases.track(self._on_drained)
        threading.Thread(target=self._run, name="drain", daemon=True).start()

    def retire(self, generation: state.Generation, kept: list[tuple[str, Kept]]) -> None:
        """Take a generation that has been replaced, and the kept values that ended with it."""
        self._retired.append((generation, kept))
        self._wake.put(True)

    def release(self, kept: list[tuple[str, Kept]]) -> None:
        """Unload kept values that no generation has."""
        for key, value in kept:
            _bounded(f"the unloading of the kept value {key!r}", value.release, key)

    def reject(self, nodes: list[Node]) -> None:
        """End what runs have begun that will never serve. Does not wait for it."""
        if any(node.tasks for node in nodes):
            args = (nodes, "a rejected load")
            threading.Thread(target=self._end_tasks, args=args, name="drain", daemon=True).start()

    def end_now(self, generation: state.Generation, timeout: float) -> None:
        """End everything, at a clean stop."""
        worker = threading.Thread(target=self._end_all, args=(generation,), daemon=True)
        worker.start()
        worker.join(timeout)

    def _on_drained(self) -> None:
        self._wake.put(True)

    def _end_all(self, generation: state.Generation) -> None:
        while self._retired:
            old, kept = self._retired.popleft()
            self._end(old.number, old.leaving, kept)
        nodes = list(generation.graph.nodes.values())
        self._end(generation.number, nodes, list(generation.kept.items()))

    def _run(self) -> None:
        while True:
            try:
                self._wake.get(timeout=IDLE_S if self._suspects else None)
            except queue.Empty:
                self._look_after()
                continue
            while self._retired and not leases.is_in_use(self._retired[0][0]):
                old, kept = self._retired.popleft()
                self._end(old.number, old.leaving, kept)
                effects.end(old.leaving)
                self._suspect(old)
                del old, kept
                self._ended += 1
                if self._ended % COLLECT_EVERY == 0:
                    self._look_after()

    def _end(self, number: int, nodes: list[Node], kept: Iterable[tuple[str, Kept]]) -> None:
        for when in ("shutdown", "unload"):
            for node in reversed(nodes):
                for hook in reversed(node.hooks):
                    if hook.when == when and not (hook.exclusive and node.has_let_go):
                        self.call(node, hook)
        self._end_tasks(nodes, f"G{number}")
        self.release(list(kept))

    def _end_tasks(self, nodes: list[Node], whose: str) -> None:
        if not any(node.tasks for node in nodes):
            return
        from . import background_tasks  # with asyncio, which not every server needs

        for node in background_tasks.end(nodes, self._loop(), HOOK_TIMEOUT_S):
            running = background_tasks.started_by(node)
            what = f"of module `{node.name}` in {whose} that go on after they were cancelled"
            self._tell(
                background_tasks.describe(running, node.name),
                background_tasks.describe(running, what),
            )

    def call(self, node: Node, hook: Hook) -> BaseException | None:
        """Call a hook, bounded in time; gives what it raised, which is logged."""
        what = f"the {hook.when} hook {getattr(hook.function, '__qualname__', hook.function)!s}"
        return _bounded(f"{what} of module `{node.name}`", call_hook, node, hook, self._loop)

    def take_leaks(self) -> list[str]:
        """Give what was found to be held since the last call."""
        leaks, self._leaks = self._leaks, []
        return leaks

    def _suspect(self, old: state.Generation) -> None:
        self._suspects += [(old.number, weakref.ref(node)) for node in old.leaving]

    def _look_after(self) -> None:
        """Collect, and see what is still there."""
        from . import background_tasks  # with asyncio, which not every server needs

        gc.collect()
        suspects, self._suspects = self._suspects, []
        for number, reference in suspects:
            node = reference()
            if node is None or background_tasks.started_by(node):
                continue  # the latter has been told
            running = background_tasks.in_code_of(node, self._loop())
            holder = (
                background_tasks.describe(running, "that go on") if running else holder_of(node)
            )
            text = f"the code of module `{node.name}` in G{number} is still held by {holder}"
            self._tell(f"{node.name} {holder}", text)
            del node, running

    def _tell(self, key: str, text: str) -> None:
        """Say what goes on of old code: now, and in the next report; once for one `key`."""
        if key not in self._told and len(self._told) < MAX_LEAKS:
            self._told.add(key)
            self._leaks.append(text)
            _log.warning(text)


def call_hook(node: Node, hook: Hook, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Call a hook; one that is async runs on the server's loop."""
    if hook.when in ("startup", "resume"):
        state.starter.set(node)  # this thread is made for one hook
    result = hook.function()
    if inspect.isawaitable(result):
        import asyncio  # large; not every server needs it

        async def wait() -> None:
            await result

        asyncio.run_coroutine_threadsafe(wait(), loop()).result(HOOK_TIMEOUT_S)


def _bounded(what: str, function: Callable[..., None], *args: Any) -> BaseException | None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function(*args)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="hook", daemon=True)
    thread.start()
    thread.join(HOOK_TIMEOUT_S)
    if thread.is_alive():
        _log.error("%s still runs after %g s; it is left behind", what, HOOK_TIMEOUT_S)
    elif raised:
        _log.error("%s raised", what, exc_info=raised[0])
        return raised[0]
    return None


def holder_of(node: Node) -> str:
    """Name what refers to the code of a module's run from outside of it."""
    homes = [d for d in gc.get_referrers(node) if type(d) is dict and d.get(MARK) is node]
    seen = {id(node), *map(id, homes)}
    # What leads to it, and the instance of an old class that this goes through.
    waiting: deque[tuple[object, str]] = deque((home, "") for home in homes)
    for _ in range(MAX_LOOK):
        if not waiting:
            break
        target, instance = waiting.popleft()
        for key, kept in state.current().kept.items():
            if kept.value is target:
                return f"the kept value {key!r}"
        for holder in gc.get_referrers(target):
            if id(holder) in seen or isinstance(holder, FrameType) or holder is homes:
                continue
            seen.add(id(holder))
            if type(holder) is dict and "__builtins__" in holder:
                names = [name for name, value in holder.items() if value is target]
                return f"`{holder.get('__name__')}.{names[0] if names else '?'}`{instance}"
            kind = type(holder).__name__
            if kind in ("coroutine", "generator", "async_generator", "Task", "Thread", "_Timer"):
                return f"a {kind}, `{getattr(holder, '__qualname__', holder)!s}`"
            waiting.append((holder, instance or _as_instance(holder, node)))
    return "something that Python cannot name"


def _as_instance(holder: object, node: Node) -> str:
    cls = type(holder)
    if cls.__module__ != node.name:
        return ""
    return (
        f": an instance of `{cls.__module__}.{cls.__qualname__}`, and `isinstance` with the new "
        "class is False; an `on_unload` hook could let it go"
    )
