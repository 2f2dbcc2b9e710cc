"""What modules add to lists: `sys.path`, `warnings.filters`, the registry of prometheus_client.

Owns the comparison of those lists before and after a run.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from ..._runtime import generations as state
from ..model import Effect, Node
from .undo_log import SETTINGS


def lists() -> list[tuple[str, list[Any]]]:
    """Give copies of the lists that a run may add to; `note_additions` finds what it did."""
    return [(kind, list(target)) for kind, target, _ in _targets()]


def note_additions(node: Node, before: list[tuple[str, list[Any]]]) -> None:
    """Note what the run of `node` added, without what the modules did that it imported."""
    noted = [
        effect.subject
        for other in _staged_nodes()
        for effect in other.effects
        if effect.kind not in SETTINGS
    ]
    was = dict(before)
    for kind, target, put in _targets():
        for entry in target:
            if not _is_in(entry, was.get(kind, ())) and not _is_in(entry, noted):
                node.effects.append(Effect(kind, entry, False, True, put(entry)))


def _targets() -> list[tuple[str, Iterable[Any], Callable[[Any], Callable[[Any, Any], None]]]]:
    found: list[tuple[str, Iterable[Any], Callable[[Any], Callable[[Any, Any], None]]]] = [
        ("path", sys.path, lambda entry: _put_in_list(sys.path, entry)),
        ("filter", warnings.filters, lambda entry: _put_in_list(warnings.filters, entry)),
    ]
    registry = getattr(sys.modules.get("prometheus_client"), "REGISTRY", None)
    collectors = getattr(registry, "_collector_to_names", None)
    if collectors is not None:
        found.append(("metrics", list(collectors), lambda entry: _put_collector(registry, entry)))
    return found


def _is_in(entry: Any, items: Iterable[Any]) -> bool:
    return any(entry is item or (type(entry) is str and entry == item) for item in items)


def _staged_nodes() -> list[Node]:
    staging = state.staging()
    return list(staging.nodes.values()) if staging else []


def _put_in_list(target: Any, entry: Any) -> Callable[[Any, Any], None]:
    position = target.index(entry)

    def put(there: bool, _: bool) -> None:
        if there:
            target.insert(min(position, len(target)), entry)
        elif entry in target:
            target.remove(entry)

    return put


def _put_collector(registry: Any, entry: Any) -> Callable[[Any, Any], None]:
    def put(there: bool, _: bool) -> None:
        if there:
            registry.register(entry)
        else:
            registry.unregister(entry)

    return put
