"""The generations: which user code serves now, and which is being loaded.

Owns the pointer that a reload swaps. A `Generation` is everything that belongs to one version of
the user's code; a request reads `current()` once and keeps it to its end. Never loads code
(`_reload`) and never answers a request (`_bridge`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._loader import Sources
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

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.table.routes


@dataclass(eq=False)
class Staging:
    """What registers while user modules run, before anybody else can see it."""

    routes: list[tuple[str, Route]] = field(default_factory=list)
    executing: list[str] = field(default_factory=list)

    def register(self, route: Route) -> None:
        owner = self.executing[-1] if self.executing else route.module
        self.routes.append((owner, route))


class Discarded(Staging):
    """Takes routes and forgets them: a pool worker serves none."""

    def register(self, route: Route) -> None:
        pass


_current: Generation | None = None
_staging: Staging | None = None
# Routes of a module imported outside the server (a unit test, a notebook): kept, never served.
_unserved = Staging()


def current() -> Generation:
    """Return the generation that new requests start on."""
    assert _current is not None, "the runtime publishes a generation before the first request"
    return _current


def publish(generation: Generation) -> None:
    """Make `generation` the one that new requests start on."""
    global _current
    _current = generation


def staging() -> Staging | None:
    """Return what the running reload fills, or None when none runs."""
    return _staging


def stage(target: Staging | None) -> None:
    """Direct registrations to `target` from now on; None ends the staging."""
    global _staging
    _staging = target


def register(route: Route) -> None:
    """Take a route from its decorator.

    Raises RuntimeError in a running server outside the loading of a module: such a route would
    belong to no generation.
    """
    target = _staging
    if target is None:
        if _current is not None:
            raise RuntimeError(
                f"@route({route.pattern!r}) ran while no module was being loaded; "
                "declare routes at the top level of a module"
            )
        target = _unserved
    target.register(route)
