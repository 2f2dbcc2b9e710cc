"""The journal of effects: what a run did, taken back as a whole or one by one.

Owns the rules of what is undone when. Knows no kind of effect but by its name.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

from ..._runtime import generations as state
from ..model import MARK, Effect, Node, quietly

# What is there once, so that the next run takes it over; the others are added to something, and a
# second run would add a second one.
SETTINGS = ("abc", "environ", "generic", "signal")


def owner() -> Node | None:
    """Give the module whose run an effect belongs to, if it is one that is being loaded.

    What a library does while a module imports it for the first time is the library's: it does not
    run again.
    """
    node = state.executing()
    frame: FrameType | None = sys._getframe(1) if node is not None else None
    while frame is not None:
        if frame.f_code.co_name == "<module>" and "__spec__" in frame.f_globals:
            return node if frame.f_globals.get(MARK) is node else None
        frame = frame.f_back
    return node


def make_room(nodes: Sequence[Node]) -> None:
    """Take what the last runs added away, before the next runs add it again."""
    for node in reversed(nodes):
        for effect in reversed(node.effects):
            if effect.kind not in SETTINGS:
                effect.undo()
    _filters_changed()


def restore(nodes: Iterable[Node]) -> None:
    """Bring back what `make_room` took away."""
    for node in nodes:
        for effect in node.effects:
            if effect.kind not in SETTINGS:
                effect.redo()
    _filters_changed()


def undo(nodes: Sequence[Node]) -> None:
    """Take back all that runs did which are rejected or dropped, newest first."""
    for node in reversed(nodes):
        for effect in reversed(node.effects):
            effect.undo()
            effect.is_over = True
    _filters_changed()
    end(nodes)


def take_over(old: Sequence[Node], new: Iterable[Node]) -> None:
    """Undo the settings of old runs that no new run has made again.

    What is about their own classes stays until `end`: running requests use it, new ones cannot.
    """
    made: dict[tuple[str, Any], Effect] = {}
    for node in new:
        for effect in node.effects:
            if effect.kind in SETTINGS:
                made.setdefault((effect.kind, effect.subject), effect)
    gone = {node.name for node in old}
    for node in reversed(old):
        for effect in reversed(node.effects):
            if effect.kind in SETTINGS:
                again = made.get((effect.kind, effect.subject))
                if again is not None:
                    again.before = effect.before
                elif gone.intersection(effect.homes):
                    continue
                else:
                    effect.undo()
                effect.is_over = True


def end(nodes: Iterable[Node]) -> None:
    """Drop what was left to the requests on the code of old runs."""
    for node in nodes:
        for effect in node.effects:
            if effect.end is not None:
                quietly(effect.end, effect)


def _filters_changed() -> None:
    changed = getattr(warnings, "_filters_mutated", None)
    if changed is not None:
        changed()
