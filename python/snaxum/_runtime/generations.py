"""The generations: the user code that serves now, and the user code that is being loaded.

Owns the pointer that a reload swaps. A `Generation` is everything that belongs to one version of
the user's code. Never loads code (`_reload`), never counts requests (`leases`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .._core.hooks import HookSet
from .._core.records import field, record
from .._reload.graph import Graph
from .._reload.model import Node

if TYPE_CHECKING:
    from .._reload.model import Kept
    from .._reload.source_cache import SourceCache
    from ..routing import Route, RouteTable
    from ..static_files import StaticMount


@record(eq=False, repr=False)
class Generation:
    """One version of the user's code, whole.

    `number` starts at 1 and is 0 until code has loaded. `broken` maps the name of a module that did
    not load at the first start to its failure, as `traceback.capture` describes it.
    """

    number: int
    table: RouteTable
    modules: dict[str, ModuleType] = field(default_factory=dict)
    broken: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: SourceCache | None = None
    graph: Graph = field(default_factory=Graph)
    kept: dict[str, Kept] = field(default_factory=dict)
    # By module, the number of the generation that has run it last.
    ran: dict[str, int] = field(default_factory=dict)
    # The part of `os.environ` that comes from the project's file of variables.
    variables: dict[str, str] = field(default_factory=dict)
    # The directories of static files.
    static_mounts: list[StaticMount] = field(default_factory=list)
    # Returns the module that did not load and has a route for a method and a path, if there is one.
    broken_routes: Callable[[str, str], str | None] | None = None
    # The hooks of a request that no route matches.
    hooks: HookSet = field(default_factory=HookSet)
    # The description of its routes as JSON, once something has asked for it.
    openapi: str | None = None
    # The functions that Rust has called, by `module:function`.
    called: dict[str, Route] = field(default_factory=dict)
    # The number of open leases of it.
    leases: int = 0
    # Locked while the factory of a kept value runs; reentrant: it may keep values of its own.
    keeping: threading.RLock = field(default_factory=threading.RLock)
    # Nodes that end with it: its successor has replaced or dropped their modules.
    leaving: list[Node] = field(default_factory=list)

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.table.routes


@record(eq=False, repr=False)
class Staging:
    """The declarations of user modules while they load, before any request can see them."""

    thread: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    executing: list[Node] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    # As in `Generation`.
    keeping: threading.RLock = field(default_factory=threading.RLock)
    # The variables that the replaced runs have set in `os.environ`, with their values before.
    environ: dict[str, str | None] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def is_here(self) -> bool:
        """Report whether the load runs in the calling thread."""
        return self.thread == threading.get_ident()

    def add_route(self, route: Route) -> None:
        node = self.node_of(route.module)
        if node is not None:
            node.routes.append(route)

    def add_static(self, mount: StaticMount) -> None:
        node = self.executing[-1] if self.executing else self.nodes.get(mount.module)
        if node is not None:
            node.static_mounts.append(mount)

    def node_of(self, module: str) -> Node | None:
        """Return the node for a declaration: that of the running module, or else of `module`."""
        return self.executing[-1] if self.executing else self.nodes.get(module)


class NullStaging(Staging):
    """Discards routes and static directories: a pool worker serves none."""

    def is_here(self) -> bool:
        return True

    def add_route(self, route: Route) -> None:
        pass

    def add_static(self, mount: StaticMount) -> None:
        pass

    def node_of(self, module: str) -> None:
        return None


# The number of the first generation of this process; a restarted process continues the numbers.
first_number = 1
# The routes of the framework itself, by path: for requests that no route of the user matches.
framework_routes: dict[str, Route] = {}
# The generation that new requests start on; `publish` sets it.
serving: Generation | None = None
# Called with a generation that serves from now on; None in dev mode, where requests have leases.
on_publish: Callable[[Generation], None] | None = None
_staging: Staging | None = None
# The node that the caller works for: it is loading, or a start-up hook of it runs, or a task that
# one of those has started.
loading_node: ContextVar[Node | None] = ContextVar("snaxum_loading_node", default=None)


def current() -> Generation:
    """Return the generation that new requests start on."""
    assert serving is not None, "the runtime publishes a generation before the first request"
    return serving


def current_or_none() -> Generation | None:
    """Return the same, or None in a process that serves no requests."""
    return serving


def publish(generation: Generation) -> None:
    """Start new requests on `generation` from now on."""
    global serving
    serving = generation
    if on_publish is not None:
        on_publish(generation)


def staging() -> Staging | None:
    """Return the staging of the running reload, if there is one."""
    return _staging


def stage(target: Staging | None) -> None:
    """Direct declarations to `target` from now on; None ends the staging."""
    global _staging
    _staging = target


def is_loading() -> bool:
    """Report whether the caller works for the current load: a module, or a start-up hook."""
    target = _staging
    if target is None or target.is_here():
        return target is not None
    node = loading_node.get()
    if node is None or target.nodes.get(node.name) is not node:
        return False
    # Tasks of earlier loads have a loading node, too.
    return serving is None or serving.graph.nodes.get(node.name) is not node


def executing() -> Node | None:
    """Return the node of the module that the calling thread is loading, if there is one."""
    target = _staging
    if target is None or not target.executing or not target.is_here():
        return None
    return target.executing[-1]
