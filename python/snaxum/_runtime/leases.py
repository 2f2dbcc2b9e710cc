"""Counts which requests are on which generation, and reports when an old one has none left.

Owns the thread contexts and the leases: a request enters the current generation once and stays on
it to its end, by a `Lease` where it leaves the thread in which it began. Never replaces a
generation (`generations`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from threading import get_ident

from . import generations
from .generations import Generation, current


class _ThreadContext:
    """The request that a thread works for, and its generation; or the request that it helps."""

    __slots__ = ("generation", "helped", "request")

    def __init__(self) -> None:
        self.generation: Generation | None = None
        self.request: int | None = None
        # The request whose code has started this work, in dev mode.
        self.helped: int | None = None


# By thread id, which the system may give to a later thread. Cheaper than a `threading.local`, and
# readable from other threads.
_contexts: dict[int, _ThreadContext] = {}
# The same for a task: a thread's own context is cheaper to change.
_generation_of_task: ContextVar[Generation | None] = ContextVar("snaxum_generation", default=None)
# The request that a task works for.
request_of_task: ContextVar[int | None] = ContextVar("snaxum_request", default=None)
# Reentrant: a garbage collection may end one lease while another one begins.
_lock = threading.RLock()
# Set in dev mode only: without reloads, nothing waits for a generation to drain.
_on_drained: Callable[[], None] | None = None
# The lease of all requests outside dev mode.
_shared: Lease | None = None
# In dev mode, by the `id` of each lease: its request, and the number of its generation.
_leases: dict[int, tuple[int, int]] = {}


def track(on_drained: Callable[[], None]) -> None:
    """Count requests from now on; call `on_drained` when an old generation has none left."""
    global _on_drained
    _on_drained = on_drained


def is_in_use(generation: Generation) -> bool:
    """Report whether requests, streams or tasks that began on it are unfinished, in dev mode."""
    # In this order: a request that moves from its thread to a lease has both for a moment.
    contexts = list(_contexts.values())
    return any(context.generation is generation for context in contexts) or generation.leases > 0


def for_caller() -> Generation | None:
    """Return the generation of the request that the caller works for, or else the current one."""
    context = _contexts.get(get_ident())
    return (
        _generation_of_task.get()
        or (context.generation if context is not None else None)
        or generations.serving
    )


def request_id() -> int | None:
    """Return the id of the request that the caller works for; outside dev mode, not on a worker."""
    context = _contexts.get(get_ident())
    return request_of_task.get() or (context.request if context is not None else None)


def attributed_request() -> int | None:
    """Return the request that the caller works for, or helps, to show it in dev mode."""
    context = _contexts.get(get_ident())
    if context is None:
        return request_of_task.get()
    return request_of_task.get() or context.request or context.helped


def generation_numbers() -> dict[int, int]:
    """Return the number of the generation that each request is on, in dev mode."""
    found = dict(list(_leases.values()))
    for context in list(_contexts.values()):
        generation, request = context.generation, context.request
        if generation is not None and request is not None:
            found[request] = generation.number
    return found


def threads() -> dict[int, int]:
    """Return the thread that works for each request, in dev mode."""
    contexts = list(_contexts.items())
    return {context.request: thread for thread, context in contexts if context.request is not None}


class Lease:
    """Marks a generation as in use after the calling thread has left it; ends once."""

    __slots__ = ("_is_open", "generation")

    def __init__(self, generation: Generation, request: int | None = None) -> None:
        """Begin it for `request`, or that of the caller, while that is on `generation` itself."""
        self.generation = generation
        self._is_open = _on_drained is not None
        if self._is_open:
            request = request_id() if request is None else request
            with _lock:
                generation.leases += 1
                if request is not None:
                    _leases[id(self)] = (request, generation.number)

    def end(self) -> None:
        """End the lease; a second call does nothing."""
        if self._is_open:
            self._is_open = False
            with _lock:
                self.generation.leases -= 1
                _leases.pop(id(self), None)
            if self.generation is not generations.serving:
                _report_if_drained(self.generation)

    def __del__(self) -> None:
        # A task that was cancelled before its first step has run no `finally`.
        self.end()


def lease_of(generation: Generation) -> Lease:
    """Return a lease of it for a request that goes to the loop, while the caller is on it itself.

    Outside dev mode nothing counts leases, and all requests share one.
    """
    global _shared
    if _on_drained is not None:
        return Lease(generation)
    if _shared is None or _shared.generation is not generation:
        _shared = Lease(generation)
    return _shared


def enter(request: int) -> Generation:
    """Put the calling thread on the current generation, for a request."""
    if _on_drained is None and generations.serving is not None:
        return generations.serving  # each call would cost as much as the rest
    generation = current()
    context = _contexts.get(get_ident()) or _add_context()
    context.request = request
    # Without a lock: `publish` comes before the reload's `is_in_use`, so that either this function
    # sees the new generation, or the reload sees this context.
    while True:
        context.generation = generation
        if generation is generations.serving:
            return generation
        # A reload that has called `is_in_use` meanwhile took the old generation for one in use.
        context.generation = None
        _report_if_drained(generation)
        generation = current()


def leave(generation: Generation) -> None:
    """Undo `enter`; a `Lease` made in between stays open."""
    if _on_drained is not None:
        unpin_thread()
        if generation is not generations.serving:
            _report_if_drained(generation)


def pin_thread(generation: Generation, request: int) -> None:
    """Make the calling thread work for a request on `generation`, until `unpin_thread`."""
    context = _contexts.get(get_ident()) or _add_context()
    context.generation, context.request = generation, request


def unpin_thread() -> None:
    """Detach the calling thread from its request."""
    context = _contexts.get(get_ident())
    if context is not None:
        context.generation = context.request = None


def speak_for(request: int | None) -> None:
    """Attribute what the calling thread prints to a request, without working for it."""
    context = _contexts.get(get_ident()) or _add_context()
    context.request = request


def help_request(request: int | None) -> int | None:
    """Attribute the calling thread to a request that is not its own; return the one before."""
    context = _contexts.get(get_ident()) or _add_context()
    before, context.helped = context.helped, request
    if request is None and context.request is None and context.generation is None:
        _contexts.pop(get_ident(), None)  # a thread of the user's, which ends
    return before


def pin_task(generation: Generation, request: int) -> None:
    """Make the calling task work for a request on `generation`."""
    request_of_task.set(request)
    if _on_drained is not None:
        _generation_of_task.set(generation)


def prepare_for(generation: Generation) -> None:
    """Make the calling thread, or task, work for a generation that does not serve yet.

    For a thread or a task that ends soon: there is no way back.
    """
    _generation_of_task.set(generation)


def _add_context() -> _ThreadContext:
    return _contexts.setdefault(get_ident(), _ThreadContext())


def _report_if_drained(generation: Generation) -> None:
    if _on_drained is not None and not is_in_use(generation):
        _on_drained()
