"""Receives what `@route`, the hooks and `keep` declare, for the module that is being loaded.

Owns the sink of `_registry`. Never loads a module, and never calls a hook.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from types import CodeType
from typing import TYPE_CHECKING, Any

from .. import _registry
from .._core.hooks import RequestHook, Scope
from .._reload.model import Hook, Kept, Node
from ..routing import Route
from . import generations, leases
from .generations import Generation, Staging

if TYPE_CHECKING:
    from ..mounts import Mount
    from ..static_files import StaticMount


def install(host: Callable[[Mount, Node], None] | None = None) -> None:
    """Direct the decorators of this process here; `host` prepares applications."""
    _registry.sink = Registration(host)


class Registration:
    """Adds each declaration to the node of its module."""

    def __init__(self, host: Callable[[Mount, Node], None] | None) -> None:
        self._host = host

    def add_route(self, route: Route) -> None:
        """Take a route from its decorator.

        Raises RuntimeError while the calling thread loads no module: such a route would belong to
        no generation.
        """
        staging = _staging(f"@route({route.pattern!r})")
        staging.add_route(route)
        served, node = route.served, staging.node_of(route.module)
        if served is not None and served.workers is not None and node is not None:
            name = f"the workers of {served.name}"
            node.hooks.append(Hook("unload", served.close, name=name))

    def add_request_hook(self, hook: RequestHook) -> None:
        """Take a hook around handlers. Raises RuntimeError as `add_route` does."""
        node = _staging(f"@{hook.label}").node_of(hook.module)
        if node is not None:
            node.request_hooks.append(hook)

    def add_scope(self, scope: Scope) -> None:
        """Take a blueprint, unless it was made while no module is being loaded."""
        node = generations.executing()
        if node is not None:
            node.scopes.append(scope)

    def routes(self) -> Sequence[Route]:
        """Return the routes of the caller's generation."""
        generation = leases.for_caller()
        return generation.routes if generation is not None else ()

    def static_mounts(self) -> Sequence[StaticMount]:
        """Return the static directories of the caller's generation."""
        generation = leases.for_caller()
        return generation.static_mounts if generation is not None else ()

    def add_static(self, mount: StaticMount) -> None:
        """Take a static directory. Raises RuntimeError while the calling thread loads no module."""
        staging = generations.staging()
        if staging is None or not staging.is_here():
            raise RuntimeError(
                f"static({mount.path!r}) ran while no module was being loaded; "
                "declare static directories at the top level of a module"
            )
        staging.add_static(mount)

    def add_mount(self, mount: Mount) -> None:
        """Take the mount of an application. Raises RuntimeError as `add_route` does."""
        staging = _staging(f"mount({mount.prefix or '/'!r})")
        node = staging.node_of(mount.module)
        if node is None:
            return
        assert self._host is not None, "a server hosts applications"
        self._host(mount, node)
        node.routes.append(mount)

    def add_input(self, path: str) -> None:
        """Count a file that the framework has read as an input of the module that is loading."""
        node = generations.executing()
        if node is not None:
            node.files.setdefault(path, b"")

    def add_hook(self, hook: Hook) -> None:
        """Take a hook, unless it was declared while no module is being loaded."""
        node = generations.executing()
        if node is not None:
            node.hooks.append(hook)

    def keep(
        self,
        key: str,
        factory: Callable[[], Any],
        version: Hashable,
        unload: Callable[[Any], object] | None,
        *,
        migrate: bool,
    ) -> Any:
        """Return the kept value of `key`, made by `factory` if there is none to reuse."""
        made_by = _fingerprint(factory)
        staging, node = generations.staging(), generations.executing()
        places: list[Generation | Staging] = []
        if staging is not None and staging.is_here():
            places.append(staging)
        generation = leases.for_caller()
        if generation is not None:
            places.append(generation)
        kept = _find(places, key, version, made_by)
        if kept is None:
            # A factory may take long; the values of other generations are there meanwhile.
            with places[0].keeping if places else nullcontext():
                kept = _find(places, key, version, made_by)
                kept = kept or Kept(_call(factory), version, made_by, unload)
                if places:
                    places[0].kept[key] = kept
        elif places[0].kept.get(key) is not kept:
            places[0].kept[key] = kept
        if node is not None:
            node.kept[key] = migrate
        else:
            kept.migrate = migrate
        return kept.value


def _find(
    places: Sequence[Generation | Staging], key: str, version: Hashable, made_by: object
) -> Kept | None:
    """Return the kept value of `key`, unless it was made in another way."""
    for place in places:
        kept = place.kept.get(key)
        if kept is not None and (kept.version, kept.factory) == (version, made_by):
            return kept
    return None


def _staging(declaration: str) -> generations.Staging:
    """Return the staging that the calling thread loads a module for."""
    staging = generations.staging()
    if staging is None or not staging.is_here():
        raise RuntimeError(
            f"{declaration} ran while no module was being loaded; "
            "declare routes and hooks at the top level of a module"
        )
    return staging


def _call(factory: Callable[[], Any]) -> Any:
    """Call a factory; the tasks that it starts end with the value, not with the module."""
    token = generations.loading_node.set(None)
    try:
        return factory()
    finally:
        generations.loading_node.reset(token)


def _fingerprint(factory: object) -> object:
    """Return a value that is equal for factories of equal source."""
    if isinstance(factory, functools.partial):
        return (_fingerprint(factory.func), repr(factory.args), repr(factory.keywords))
    target = getattr(factory, "__func__", factory)
    code = getattr(target, "__code__", None)
    if isinstance(code, CodeType):
        return (_code_key(code), repr(getattr(target, "__defaults__", None)))
    return (getattr(target, "__module__", ""), getattr(target, "__qualname__", repr(target)))


def _code_key(code: CodeType) -> tuple[object, ...]:
    constants = tuple(
        _code_key(c) if isinstance(c, CodeType) else (type(c).__name__, repr(c))
        for c in code.co_consts
    )
    return (code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants)
