"""Entries that modules add to lists: `sys.path`, `warnings.filters`, prometheus_client's registry.

Owns the comparison of these lists before and after a run. Never changes a list during a run.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ..._core.objects import attribute, namespace
from ..._runtime import child_imports, generations
from ..model import Effect, Node
from .undo_log import SETTINGS


def snapshot_lists() -> list[tuple[str, list[Any]]]:
    """Copy the lists that a run may add to, for `record_additions`."""
    return [(kind, list(target)) for kind, target, _ in _targets()]


def record_additions(node: Node, before: list[tuple[str, list[Any]]]) -> None:
    """Record the entries that the run of `node` itself added, but not its imported modules."""
    recorded = [
        effect.subject
        for other in _staged_nodes()
        for effect in other.effects
        if effect.kind not in SETTINGS
    ]
    old = dict(before)
    for kind, target, put in _targets():
        for entry in target:
            if entry is child_imports.directory and entry is not None:
                continue  # a module was the first to import `multiprocessing`
            if not _is_in(entry, old.get(kind, ())) and not _is_in(entry, recorded):
                node.effects.append(Effect(kind, entry, False, True, put(entry)))


def _targets() -> list[tuple[str, Iterable[Any], Callable[[Any], Callable[[Any, Any], None]]]]:
    found: list[tuple[str, Iterable[Any], Callable[[Any], Callable[[Any, Any], None]]]] = [
        ("path", sys.path, lambda entry: _put_in_list(sys.path, entry)),
        ("filter", warnings.filters, lambda entry: _put_in_list(warnings.filters, entry)),
    ]
    registry = namespace(sys.modules.get("prometheus_client")).get("REGISTRY")
    collectors = attribute(registry, "_collector_to_names")
    if type(collectors) is dict:
        found.append(("metrics", list(collectors), lambda entry: _put_collector(registry, entry)))
    return found


def _is_in(entry: Any, items: Iterable[Any]) -> bool:
    return any(
        entry is item or (type(entry) is str and type(item) is str and entry == item)
        for item in items
    )


def _staged_nodes() -> list[Node]:
    staging = generations.staging()
    return list(staging.nodes.values()) if staging else []


def _put_in_list(target: Any, entry: Any) -> Callable[[Any, Any], None]:
    def find() -> int | None:
        return next((place for place, item in enumerate(target) if _is_in(entry, [item])), None)

    position = find() or 0

    def put(present: bool, _: bool) -> None:
        place = find()
        if present:
            target.insert(min(position, len(target)), entry)
        elif place is not None:
            del target[place]

    return put


def _put_collector(registry: Any, entry: Any) -> Callable[[Any, Any], None]:
    def put(present: bool, _: bool) -> None:
        if present:
            registry.register(entry)
        else:
            registry.unregister(entry)

    return put
