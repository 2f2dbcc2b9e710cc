"""The generations: the user code that serves now, and the user code that is being loaded.

Owns the pointer that a reload swaps. A `Generation` is everything that belongs to one version of
the user's code. Never loads code (`_reload`), never counts requests (`leases`).
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._reload.graph import Graph
from .._reload.model import Node

if TYPE_CHECKING:
    from .._reload.broken_routes import BrokenRoutes
    from .._reload.model import Kept
    from .._reload.source_cache import Sources
    from ..routing import Route, RouteTable


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


class NullStaging(Staging):
    """Takes routes and forgets them: a pool worker serves none."""

    def is_here(self) -> bool:
        return True

    def register(self, route: Route) -> None:
        pass


# One more than the last number of the process that this one has replaced, or 1.
first_number = 1

# The generation that new requests start on; `publish` sets it.
serving: Generation | None = None
_staging: Staging | None = None
# Routes of a module imported outside the server (a unit test, a notebook): kept, never served.
_unserved: list[Route] = []
# The run of a module for which the caller works: it loads, or this is one of its start-up hooks, or
# a task of those.
starter: ContextVar[Node | None] = ContextVar("snaxum_starter", default=None)


def current() -> Generation:
    """Return the generation that new requests start on."""
    assert serving is not None, "the runtime publishes a generation before the first request"
    return serving


def current_or_none() -> Generation | None:
    """Return the same, or None in a process that serves nothing."""
    return serving


def publish(generation: Generation) -> None:
    """Make `generation` the one that new requests start on."""
    global serving
    serving = generation


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
    return serving is None or serving.graph.nodes.get(node.name) is not node


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
    elif serving is None:
        _unserved.append(route)
    else:
        raise RuntimeError(
            f"@route({route.pattern!r}) ran while no module was being loaded; "
            "declare routes at the top level of a module"
        )
