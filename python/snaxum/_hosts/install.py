"""Gives each mount the host that runs its application, and Rust the mounts of a project.

Owns the choice, and the hooks of the lifespan. Imports a host with the first mount that needs it:
asyncio is large.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from .._reload import loader
from .._reload.model import Hook, Node
from .._runtime import respond, trace_context
from .._runtime.generations import Generation

if TYPE_CHECKING:
    from ..mounts import Mount

# More than a lifespan takes: it has limits of its own.
LIFESPAN_S = 90.0


def host(mount: Mount, node: Node) -> None:
    """Prepare a mount of the module `node`, before its code serves."""
    if respond.is_observed:
        from . import fresh_templates

        fresh_templates.read_again(mount.app)
    if mount.interface == "wsgi":
        from .wsgi import WsgiHost

        of_wsgi = WsgiHost(mount)
        mount.call, mount.direct = of_wsgi.respond, of_wsgi.direct
        return
    from .asgi import AsgiHost

    mount.hosted = application = AsgiHost(mount)
    mount.call, mount.direct = application.respond, application.direct
    lifespan = application.lifespan
    for when, function in (("startup", lifespan.start), ("shutdown", lifespan.stop)):
        name = f"for the lifespan at `{mount.prefix or '/'}`"
        node.hooks.append(Hook(when, function, name=name, timeout_s=LIFESPAN_S))


def rows(generation: Generation) -> list[tuple[str, bool, str, Any]]:
    """Return each prefix, the longest first, with what Rust finds a request's application by.

    That is whether it is of ASGI, the id of its route, and what a request needs.

    It is empty if there are other routes, or hooks: they come first. With a trace, a dispatch
    worker makes its context.
    """
    if trace_context.is_on or not all(route.is_mount for route in generation.routes):
        return []
    mounts = cast("list[Mount]", generation.routes)
    found = [
        (mount.prefix, mount.is_async, mount.id, mount.direct(generation))
        for mount in mounts
        if mount.direct is not None
    ]
    return sorted(found, key=lambda row: -len(row[0]))


def serve_target(options: dict[str, Any] | None) -> None:
    """Mount the application that the options name, with each run of its module."""
    if options is None:
        return
    from .target import Target

    module, _, attribute = options["target"].partition(":")
    target = Target(module, attribute, options["factory"], options["interface"])

    def mount(module: ModuleType, node: Node) -> None:
        if node.name == target.module:
            declared = target.mount(module, node)
            host(declared, node)
            node.routes.append(declared)

    loader.after_run = mount
