"""The undo log: the rules by which the effects of a run are undone, as a whole or one by one.

Owns when an effect is undone. Knows each kind of effect by its name only.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

from ..._runtime import generations
from ..model import MARK, Effect, Node

# Settings exist once, so the next run of a module replaces them. All other kinds are entries: a
# second run would add a second entry.
SETTINGS = ("abc", "environ", "generic", "signal")


def current_owner() -> Node | None:
    """Return the module that is loading, if its own run causes the current effect.

    Effects of a library that a module imports for the first time belong to the library: it does
    not run again.
    """
    node = generations.executing()
    frame: FrameType | None = sys._getframe(1) if node is not None else None
    while frame is not None:
        if frame.f_code.co_name == "<module>" and "__spec__" in frame.f_globals:
            return node if frame.f_globals.get(MARK) is node else None
        frame = frame.f_back
    return node


def suspend(nodes: Sequence[Node]) -> None:
    """Remove the entries of old runs, before the next runs add them again."""
    for node in reversed(nodes):
        for effect in reversed(node.effects):
            if effect.kind not in SETTINGS:
                effect.undo()
    _invalidate_filters()


def resume(nodes: Iterable[Node]) -> None:
    """Add the entries again that `suspend` removed."""
    for node in nodes:
        for effect in node.effects:
            if effect.kind not in SETTINGS:
                effect.redo()
    _invalidate_filters()


def undo(nodes: Sequence[Node]) -> None:
    """Undo all effects of runs that are rejected or dropped, newest first."""
    for node in reversed(nodes):
        for effect in reversed(node.effects):
            effect.undo()
            effect.is_over = True
    _invalidate_filters()
    release(nodes)


def transfer(old: Sequence[Node], new: Iterable[Node]) -> None:
    """Pass settings from old runs to the new runs that made them again; undo all others.

    A setting for a class of an old run stays until `release`: running requests use it, and new
    requests cannot.
    """
    repeated: dict[tuple[str, Any], Effect] = {}
    for node in new:
        for effect in node.effects:
            if effect.kind in SETTINGS:
                repeated.setdefault((effect.kind, effect.subject), effect)
    gone = {node.name for node in old}
    for node in reversed(old):
        for effect in reversed(node.effects):
            if effect.kind in SETTINGS:
                successor = repeated.get((effect.kind, effect.subject))
                if successor is not None:
                    successor.before = effect.before
                elif gone.intersection(effect.homes):
                    continue
                else:
                    effect.undo()
                effect.is_over = True


def release(nodes: Iterable[Node]) -> None:
    """Drop the effects that stayed for requests on old runs, once those requests have ended."""
    for node in nodes:
        for effect in node.effects:
            effect.release()


def _invalidate_filters() -> None:
    invalidate = getattr(warnings, "_filters_mutated", None)
    if invalidate is not None:
        invalidate()
