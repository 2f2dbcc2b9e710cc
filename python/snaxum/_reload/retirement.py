"""Ends old generations: their hooks, tasks and kept values, and checks that they are freed.

Owns the queue of replaced generations. A generation ends when no request is on it or on an older
one: the hooks of its replaced modules run, and it is dropped. After the next full garbage
collection, a weak reference shows whether its code is freed; if not, the object that refers to it
is reported. Never waits for a request.
"""

from __future__ import annotations

import gc
import threading
import typing
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from types import FrameType
from typing import TYPE_CHECKING, Any

from .._core.late_log import late_log
from .._core.late_module import late_module
from .._core.limited_calls import call_within
from .._core.objects import attribute, is_awaitable, module_of, type_name, type_qualname
from .._runtime import leases
from .._runtime.generations import Generation, current, loading_node
from .model import MARK, Hook, Kept, Node

if TYPE_CHECKING:
    import asyncio
    import queue

    from . import effects
else:
    queue, effects = late_module("queue"), late_module("snaxum._reload.effects")

_log = late_log()

# The longest wait for a hook, and for a cancelled task.
HOOK_TIMEOUT_S = 5.0
# The number of ended generations after which a full collection runs even if the server is never
# idle. With large libraries loaded, it blocks the interpreter for tens of milliseconds.
COLLECT_EVERY = 200
# The number after which freed memory is returned: this takes milliseconds, without the interpreter.
RETURN_EVERY = 20
# The most objects that are searched for a reference, and the most leaks that are reported.
MAX_SEARCHED = 500
MAX_LEAKS = 100
# After this time without an ended generation, the server counts as idle: a collection runs.
IDLE_S = 5.0


class Retirement:
    """Ends old generations in a background thread."""

    def __init__(
        self,
        loop: Callable[[], asyncio.AbstractEventLoop],
        return_memory: Callable[[], None],
        *,
        counts: bool = True,
    ) -> None:
        self.loop = loop
        self._return_memory = return_memory
        self._retired: deque[tuple[Generation, list[tuple[str, Kept]]]] = deque()
        # Without it, no generation is ever replaced.
        self._wake: queue.SimpleQueue[bool] | None = None
        self._suspects: list[tuple[int, weakref.ref[Node]]] = []
        # The leaks found since the last report, and the keys of all reported leaks.
        self._leaks: list[str] = []
        self._reported: set[str] = set()
        self._ended = 0
        if counts:
            self._wake = queue.SimpleQueue()
            leases.track(self._on_drained)
            args = (self._wake,)
            threading.Thread(target=self._run, args=args, name="retirement", daemon=True).start()

    def retire(self, generation: Generation, kept: list[tuple[str, Kept]]) -> None:
        """Add a replaced generation to the queue, with the kept values that end with it.

        It ends after the next `wake`.
        """
        self._retired.append((generation, kept))

    def wake(self) -> None:
        """Let the thread end generations; during a reload it would compete for the interpreter."""
        if self._retired:
            self._on_drained()

    def release(self, kept: Iterable[tuple[str, Kept]]) -> None:
        """Unload kept values that no generation uses."""
        for key, value in kept:
            what = f"unloading the kept value {key!r}"
            _call_with_timeout(what, HOOK_TIMEOUT_S, value.release, key)

    def reject(self, nodes: list[Node]) -> None:
        """End the tasks of runs that will never serve. Does not wait for them."""
        if any(node.tasks for node in nodes):
            args = (nodes, "a rejected load")
            threading.Thread(
                target=self._end_tasks, args=args, name="retirement", daemon=True
            ).start()

    def end_now(self, generation: Generation, timeout: float) -> None:
        """End all generations, at a clean stop."""
        call_within(timeout, lambda: self._end_all(generation))

    def run_at_exit(self, generation: Generation) -> None:
        """Call the functions that modules have registered with `atexit`, at a clean stop."""
        nodes = generation.graph.nodes.values()
        if any(node.effects for node in nodes):
            effects.run_at_exit(nodes)

    def run_hook(self, node: Node, hook: Hook) -> BaseException | None:
        """Call a hook and wait a limited time; log and return the exception that it raised."""
        what = f"the {hook.when} hook {hook.name or _name_of(hook.function)}"
        limit = HOOK_TIMEOUT_S if hook.timeout_s is None else hook.timeout_s
        what = f"{what} of module `{node.name}`"
        # The exception of a start-up rejects the load, and is reported with it.
        logs = hook.when != "startup"
        return _call_with_timeout(what, limit, call_hook, node, hook, self.loop, logs=logs)

    def take_leaks(self) -> list[str]:
        """Return the leaks that were found since the last call."""
        leaks, self._leaks = self._leaks, []
        return leaks

    def _on_drained(self) -> None:
        if self._wake is not None:
            self._wake.put(True)

    def _run(self, wake: queue.SimpleQueue[bool]) -> None:
        while True:
            try:
                self._end_drained(wake)
            except Exception:  # later generations must end too
                _log.exception("internal error; please report this")

    def _end_drained(self, wake: queue.SimpleQueue[bool]) -> None:
        """End drained generations once there are some, and check the ended ones when idle."""
        try:
            wake.get(timeout=IDLE_S if self._suspects else None)
        except queue.Empty:
            self._check_suspects()
            return
        while self._retired and not leases.is_in_use(self._retired[0][0]):
            old, kept = self._retired.popleft()
            self._end(old.number, old.leaving, kept)
            effects.release(old.leaving)
            self._suspects += [(old.number, weakref.ref(node)) for node in old.leaving]
            del old, kept
            self._ended += 1
            if self._ended % COLLECT_EVERY == 0:
                self._check_suspects()
            elif self._ended % RETURN_EVERY == 0:
                self._return_memory()

    def _end_all(self, generation: Generation) -> None:
        while self._retired:
            old, kept = self._retired.popleft()
            self._end(old.number, old.leaving, kept)
        nodes = list(generation.graph.nodes.values())
        self._end(generation.number, nodes, list(generation.kept.items()))

    def _end(self, number: int, nodes: list[Node], kept: Iterable[tuple[str, Kept]]) -> None:
        for when in ("shutdown", "unload"):
            for node in reversed(nodes):
                for hook in reversed(node.hooks):
                    if hook.when == when and not (hook.exclusive and node.released_exclusive):
                        self.run_hook(node, hook)
        self._end_tasks(nodes, f"version {number}")
        self.release(kept)

    def _end_tasks(self, nodes: list[Node], owner: str) -> None:
        if not any(node.tasks for node in nodes):
            return
        from .background_tasks import describe, end, started_by  # import asyncio, which is large

        for node in end(nodes, self.loop(), HOOK_TIMEOUT_S):
            tasks = started_by(node)
            what = f"from module `{node.name}` in {owner} did not stop when cancelled"
            self._report(describe(tasks, node.name), describe(tasks, what))

    def _check_suspects(self) -> None:
        """Run a full collection, return the memory, and report the code that was not freed."""
        from .background_tasks import describe, in_code_of, started_by  # likewise

        # Its caches have the parts of `Optional[Model]` and `Annotated[Model, ...]`.
        for clear in getattr(typing, "_cleanups", ()):
            clear()
        gc.collect()
        self._return_memory()
        suspects, self._suspects = self._suspects, []
        for number, reference in suspects:
            node = reference()
            if node is None or started_by(node):
                continue  # freed, or already reported for its tasks
            tasks = in_code_of(node, self.loop())
            holder = describe(tasks, "running it") if tasks else describe_holder(node)
            code = f"the code of module `{node.name}` in version {number}"
            text = f"{code} is still referenced by {holder}"
            self._report(f"{node.name} {holder}", text)
            del node, tasks

    def _report(self, key: str, text: str) -> None:
        """Report a leak of old code, in the log and in the next report; once for each `key`."""
        if key not in self._reported and len(self._reported) < MAX_LEAKS:
            self._reported.add(key)
            self._leaks.append(text)
            _log.warning(text)


def call_hook(node: Node, hook: Hook, loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Call a hook; an async hook runs on the server's loop."""
    if hook.when in ("startup", "resume"):
        loading_node.set(node)  # this thread calls no other hook
    result = hook.function()
    if is_awaitable(result):
        import asyncio  # large, and not every server needs it

        async def wait() -> None:
            await result

        asyncio.run_coroutine_threadsafe(wait(), loop()).result(HOOK_TIMEOUT_S)


def _call_with_timeout(
    what: str, limit: float, function: Callable[..., None], *args: Any, logs: bool = True
) -> BaseException | None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function(*args)
        except BaseException as error:
            raised.append(error)

    if not call_within(limit, run, "hook"):
        _log.error("%s did not finish within %g s; continuing without it", what, limit)
    elif raised:
        if logs:
            _log.error("%s raised", what, exc_info=raised[0])
        return raised[0]
    return None


def describe_holder(node: Node) -> str:
    """Describe the object outside of a module's run that refers to its code."""
    homes = [d for d in gc.get_referrers(node) if type(d) is dict and d.get(MARK) is node]
    seen = {id(node), *map(id, homes)}
    # Objects on the way to the code, each with the instance of an old class on that way.
    waiting: deque[tuple[object, str]] = deque((home, "") for home in homes)
    for _ in range(MAX_SEARCHED):
        if not waiting:
            break
        target, instance = waiting.popleft()
        for key, kept in current().kept.items():
            if kept.value is target:
                return f"the kept value {key!r}"
        for holder in gc.get_referrers(target):
            if id(holder) in seen or type(holder) is FrameType or holder is homes:
                continue
            seen.add(id(holder))
            if type(holder) is dict and "__builtins__" in holder:
                names = [name for name, value in holder.items() if value is target]
                return f"`{holder.get('__name__')}.{names[0] if names else '?'}`{instance}"
            kind = type_name(type(holder))
            if kind in ("coroutine", "generator", "async_generator", "Task", "Thread", "_Timer"):
                return f"a {kind}, `{_name_of(holder)}`"
            waiting.append((holder, instance or _describe_instance(holder, node)))
    return "an object that Python cannot name"


def _name_of(value: object) -> str:
    name = attribute(value, "__qualname__")
    if type(name) is str:
        return name
    try:
        return str(value)
    except BaseException:  # code of the user
        return type_name(type(value))


def _describe_instance(holder: object, node: Node) -> str:
    cls = type(holder)
    if module_of(cls) != node.name:
        return ""
    return (
        f": an instance of `{module_of(cls)}.{type_qualname(cls)}`, and `isinstance` with the new "
        "class is False; release it in an `on_unload` hook"
    )
