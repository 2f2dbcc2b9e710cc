"""Gives each mount the host that runs its application.

Owns the choice, and the hooks of the lifespan. Imports a host with the first mount that needs it:
asyncio is large.
"""

from __future__ import annotations

from .._reload.model import Hook, Node
from ..mounts import Mount

# More than a lifespan takes: it has limits of its own.
LIFESPAN_S = 90.0


def host(mount: Mount, node: Node) -> None:
    """Prepare a mount of the module `node`, before its code serves."""
    if mount.interface == "wsgi":
        from .wsgi import WsgiHost

        mount.call = WsgiHost(mount).respond
        return
    from .asgi import AsgiHost

    mount.hosted = application = AsgiHost(mount)
    mount.call = application.respond
    lifespan = application.lifespan
    for when, function in (("startup", lifespan.start), ("shutdown", lifespan.stop)):
        name = f"of the lifespan at `{mount.prefix or '/'}`"
        node.hooks.append(Hook(when, function, name=name, timeout_s=LIFESPAN_S))
