"""The journal of effects: what a run did, taken back as a whole or one by one.

Owns the rules of what is undone when. Knows no kind of effect but by its name.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from ..._runtime import generations as state
from ..graph import MARK, Node

_log = logging.getLogger("snaxum")

# What is there once, so that the next run takes it over; the others are added to something, and a
# second run would add a second one.
SETTINGS = ("abc", "environ", "generic", "signal")


@dataclass(eq=False)
class Effect:
    """A change of `subject` from `before` to `after`; `put(value, unless)` makes it so.

    `homes` names the modules of the classes and functions that it is about: it goes with them.
    `end` is called when no request can be on the code any more.
    """

    kind: str
    subject: Any
    before: Any
    after: Any
    put: Callable[[Any, Any], None]
    homes: tuple[str, ...] = ()
    end: Callable[[Effect], None] | None = None
    # Whether it was undone for good, or another run has made it again.
    is_over: bool = False

    def undo(self) -> None:
        _quietly(self.put, self.before, self.after)

    def redo(self) -> None:
        _quietly(self.put, self.after, self.before)


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
                _quietly(effect.end, effect)


def _filters_changed() -> None:
    changed = getattr(warnings, "_filters_mutated", None)
    if changed is not None:
        changed()


def _quietly(function: Callable[..., None], *args: Any) -> None:
    try:
        function(*args)
    except Exception:
        _log.exception("while an effect of a module was taken back")
