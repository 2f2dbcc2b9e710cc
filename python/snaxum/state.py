"""The generations: which user code serves now, and which is being loaded.

Owns the pointer that a reload swaps, and the count of requests on each generation. A `Generation`
is everything that belongs to one version of the user's code; a request enters the current one once
and keeps it to its end, by a `Lease` where that is not in the thread in which it began. Never loads
code (`_reload`), never answers one (`_bridge`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import get_ident
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._reload.graph import Graph, Node

if TYPE_CHECKING:
    from ._reload.broken_routes import BrokenRoutes
    from ._reload.source_cache import Sources
    from .lifecycle import Kept
    from .routing import Route, RouteTable


@dataclass(eq=False)
class Generation:
    """One version of the user's code, whole.

    `number` starts at 1 and is 0 while nothing has ever loaded. `broken` maps the name of a module
    that did not load at the first start to its failure, as `_traceback.capture` gives it.
    """

    number: int
    table: RouteTable
    modules: dict[str, ModuleType] = field(default_factory=dict)
    broken: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: Sources | None = None
    graph: Graph = field(default_factory=Graph)
    kept: dict[str, Kept] = field(default_factory=dict)
    # When each module ran last, as the number of a generation.
    ran: dict[str, int] = field(default_factory=dict)
    # What `os.environ` holds from the project's file of variables.
    variables: dict[str, str] = field(default_factory=dict)
    # Which module that did not load would answer a request.
    broken_routes: BrokenRoutes | None = None
    # Leases of it that have not ended.
    leases: int = 0
    # What ends with it: nodes whose modules its successor has replaced or dropped.
    leaving: list[Node] = field(default_factory=list)

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.table.routes

    def is_in_use(self) -> bool:
        """Tell whether requests, streams or tasks that began on it have not ended, in dev mode."""
        # In this order: a stay that becomes a lease has both for a moment.
        stays = list(_stays_of_threads.values())
        return any(stay.generation is self for stay in stays) or self.leases > 0


@dataclass(eq=False)
class Staging:
    """What registers while user modules run, before anybody else can see it."""

    thread: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    executing: list[Node] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    # What the runs that are replaced had set in `os.environ`: key to the value before them.
    environ: dict[str, str | None] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def is_here(self) -> bool:
        """Tell whether the calling thread is the one that loads."""
        return self.thread == threading.get_ident()

    def register(self, route: Route) -> None:
        node = self.executing[-1] if self.executing else self.nodes.get(route.module)
        if node is not None:
            node.routes.append(route)


class Discarded(Staging):
    """Takes routes and forgets them: a pool worker serves none."""

    def is_here(self) -> bool:
        return True

    def register(self, route: Route) -> None:
        pass


# What a process before this one had counted to, when it made room for this one.
first_number = 1

_current: Generation | None = None
_staging: Staging | None = None
# Routes of a module imported outside the server (a unit test, a notebook): kept, never served.
_unserved: list[Route] = []
# The run of a module for which the caller works: it loads, or this is one of its start-up hooks, or
# a task of those.
starter: ContextVar[Node | None] = ContextVar("snaxum_starter", default=None)
# What a task, and what a thread works for: a thread is cheaper to change.
_of_task: ContextVar[Generation | None] = ContextVar("snaxum_generation", default=None)
_request_of_task: ContextVar[int | None] = ContextVar("snaxum_request", default=None)


class _Stay:
    """What a thread works for now."""

    __slots__ = ("generation", "request")

    def __init__(self) -> None:
        self.generation: Generation | None = None
        self.request: int | None = None


# By the number of the thread, which a later one may take over. Cheaper than a `threading.local`,
# and others can look.
_stays_of_threads: dict[int, _Stay] = {}
# Reentrant: a collection may end a lease in the middle of one that begins.
_lock = threading.RLock()
# Set in dev mode: without reloads nobody asks who is still on which generation.
_on_drained: Callable[[], None] | None = None
# Then also, by its `id`: what request each lease is of, and the number of its generation.
_leases: dict[int, tuple[int, int]] = {}


def current() -> Generation:
    """Return the generation that new requests start on."""
    assert _current is not None, "the runtime publishes a generation before the first request"
    return _current


def current_or_none() -> Generation | None:
    """Return the same, or None in a process that serves nothing."""
    return _current


def here() -> Generation | None:
    """Return the generation of the request that the caller works for, or else the current one."""
    stay = _stays_of_threads.get(get_ident())
    return _of_task.get() or (stay.generation if stay is not None else None) or _current


def request() -> int | None:
    """Return the id of the request that the caller works for, in dev mode."""
    stay = _stays_of_threads.get(get_ident())
    return _request_of_task.get() or (stay.request if stay is not None else None)


def count(on_drained: Callable[[], None]) -> None:
    """Count requests from now on; `on_drained` hears when an old generation has none left."""
    global _on_drained
    _on_drained = on_drained


def generations() -> dict[int, int]:
    """Return the number of the generation that each request is on, in dev mode."""
    found = dict(list(_leases.values()))
    for stay in list(_stays_of_threads.values()):
        generation, request = stay.generation, stay.request
        if generation is not None and request is not None:
            found[request] = generation.number
    return found


class Lease:
    """A longer stay on a generation; ends once, at the latest when nobody has it any more."""

    __slots__ = ("_is_open", "generation")

    def __init__(self, generation: Generation) -> None:
        """Begin it, while the caller is on `generation` itself."""
        self.generation = generation
        self._is_open = _on_drained is not None
        if self._is_open:
            of = request()
            with _lock:
                generation.leases += 1
                if of is not None:
                    _leases[id(self)] = (of, generation.number)

    def end(self) -> None:
        """End the stay; a second call does nothing."""
        if self._is_open:
            self._is_open = False
            with _lock:
                self.generation.leases -= 1
                _leases.pop(id(self), None)
            if self.generation is not _current:
                _look_whether_drained(self.generation)

    def __del__(self) -> None:
        # A task that was cancelled before its first step has run no `finally`.
        self.end()


def enter(request: int) -> Generation:
    """Begin a stay of the calling thread on the current generation, for a request."""
    generation = current()
    if _on_drained is None:
        return generation
    stay = _stays_of_threads.get(get_ident()) or _first_stay()
    stay.request = request
    # Without a lock: who publishes another one looks at the stays afterwards, so that either sees
    # this one, or is seen here.
    while True:
        stay.generation = generation
        if generation is _current:
            return generation
        # Who has looked meanwhile took it for one that is in use.
        stay.generation = None
        _look_whether_drained(generation)
        generation = current()


def leave(generation: Generation) -> None:
    """End what `enter` began; a `Lease` made in between goes on."""
    if _on_drained is not None:
        unpin_thread()
        if generation is not _current:
            _look_whether_drained(generation)


def pin_thread(generation: Generation, request: int) -> None:
    """Make the calling thread work for a request on `generation`, until `unpin_thread`."""
    stay = _stays_of_threads.get(get_ident()) or _first_stay()
    stay.generation, stay.request = generation, request


def unpin_thread() -> None:
    """Let the calling thread work for no request any more."""
    stay = _stays_of_threads.get(get_ident())
    if stay is not None:
        stay.generation = stay.request = None


def pin_task(generation: Generation, request: int) -> None:
    """Make the calling task one that works for a request on `generation`."""
    if _on_drained is not None:
        _of_task.set(generation)
        _request_of_task.set(request)


def _first_stay() -> _Stay:
    return _stays_of_threads.setdefault(get_ident(), _Stay())


def _look_whether_drained(generation: Generation) -> None:
    if _on_drained is not None and not generation.is_in_use():
        _on_drained()


def publish(generation: Generation) -> None:
    """Make `generation` the one that new requests start on."""
    global _current
    with _lock:
        _current = generation


def staging() -> Staging | None:
    """Return what the running reload fills, or None when none runs."""
    return _staging


def stage(target: Staging | None) -> None:
    """Direct registrations to `target` from now on; None ends the staging."""
    global _staging
    _staging = target


def is_loading() -> bool:
    """Tell whether the caller works for the load that goes on: a module, or a start-up hook."""
    target = _staging
    if target is None or target.is_here():
        return target is not None
    node = starter.get()
    if node is None or target.nodes.get(node.name) is not node:
        return False
    # What goes on from earlier loads has a starter, too.
    return _current is None or _current.graph.nodes.get(node.name) is not node


def executing() -> Node | None:
    """Return the node of the module that the calling thread is loading, if it is."""
    target = _staging
    if target is None or not target.executing or not target.is_here():
        return None
    return target.executing[-1]


def register(route: Route) -> None:
    """Take a route from its decorator.

    Raises RuntimeError in a running server outside the loading of a module: such a route would
    belong to no generation.
    """
    target = _staging
    if target is not None and target.is_here():
        target.register(route)
    elif _current is None:
        _unserved.append(route)
    else:
        raise RuntimeError(
            f"@route({route.pattern!r}) ran while no module was being loaded; "
            "declare routes at the top level of a module"
        )
