"""How much a reload of a Django project must do: Django stores its models and URLs in registries.

Owns the choice between a reload in this process and a new process, the load of the URLs, which
Django leaves to the first request, and their caches. A change reloads here if only the URL
configuration leads to it. Never imports Django.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from .._core.foreign_routes import is_of_django
from .._core.objects import namespace
from ..mounts import Mount
from .model import Node

# Modules of these names register with Django, or are loaded by it.
_REGISTERED = frozenset(
    ("admin", "apps", "checks", "models", "receivers", "signals", "templatetags", "wsgi", "asgi")
)


def restart_reason(
    affected: Iterable[str] | None, nodes: Mapping[str, Node], modules: Mapping[str, ModuleType]
) -> str:
    """Return why these modules need a new process; "" if they can run again here. None is all."""
    registry = sys.modules.get("django.apps")
    if registry is None or not namespace(registry)["apps"].ready:
        return ""
    names = set(nodes if affected is None else affected)
    settings: Any = namespace(sys.modules["django.conf"])["settings"]
    if any(_is_registered(name, modules, settings) for name in names):
        return "Django stores models, settings and applications for the life of a process"
    urls = getattr(settings, "ROOT_URLCONF", None)
    has_routes = any(nodes[name].routes for name in names if name in nodes)
    if names and urls is not None and urls not in names and not has_routes:
        return "the URLs of Django do not lead to the change"
    return ""


def url_modules(nodes: Iterable[Node]) -> list[str]:
    """Name the module of the URLs if an application of Django is mounted: it is an entry module.

    With its mistakes the load fails, and not the first request.
    """
    if next(_mounts(nodes), None) is None:
        return []
    urls = getattr(namespace(sys.modules["django.conf"])["settings"], "ROOT_URLCONF", None)
    return [urls] if isinstance(urls, str) else []


def after_reload(nodes: Iterable[Node]) -> None:
    """Let Django, and the list of routes, read the URLs of the new code."""
    urls = sys.modules.get("django.urls")
    if urls is not None:
        urls.clear_url_caches()
    for mount in _mounts(nodes):
        mount.inner = None


def _mounts(nodes: Iterable[Node]) -> Iterator[Mount]:
    """Yield the mounts of Django's applications."""
    if "django.urls" in sys.modules:
        mounts = (route for node in nodes for route in node.routes if isinstance(route, Mount))
        yield from (mount for mount in mounts if is_of_django(mount.app))


def _is_registered(name: str, modules: Mapping[str, ModuleType], settings: Any) -> bool:
    if not _REGISTERED.isdisjoint(name.split(".")) or name == settings.SETTINGS_MODULE:
        return True
    if any(path.startswith(f"{name}.") for path in settings.MIDDLEWARE):
        return True
    members = namespace(modules[name]).values() if name in modules else ()
    return any(
        isinstance(each, type) and each.__module__ == name and hasattr(each, "_meta")
        for each in members
    )
