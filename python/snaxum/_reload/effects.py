"""What a module changes outside itself while it runs, so that it can be taken back.

Owns the record of a run's effects on `sys.path`, `os.environ`, `warnings.filters`, loggers'
handlers, signal handlers, `atexit` and the registry of prometheus_client. A rejected run is undone
as a whole; what a module did is undone when its next run takes its place. Never touches what the
user's code did not do.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from .. import state
from .graph import Node

_log = logging.getLogger("snaxum")


@dataclass(eq=False)
class Effect:
    """A change of `subject` from `before` to `after`; `put(value, unless)` makes it so."""

    kind: str
    subject: Any
    before: Any
    after: Any
    put: Callable[[Any, Any], None]

    def undo(self) -> None:
        _quietly(self.put, self.before, self.after)

    def redo(self) -> None:
        _quietly(self.put, self.after, self.before)


# What is there once, so that the next run takes it over; the others are added to a list, and a
# second run would add a second one.
_SETTINGS = ("environ", "signal")


def install() -> None:
    """Note effects from now on: the functions that have them are wrapped once."""
    os.environ.__class__ = _Environ
    logging.Logger.addHandler = _add_handler  # type: ignore[method-assign]
    atexit.register = _register_atexit
    atexit.unregister = _unregister_atexit
    signal.signal = _set_signal
    os._exit = _exit


def lists() -> list[tuple[str, list[Any]]]:
    """Give copies of the lists that a run may add to; `note_additions` finds what it did."""
    return [(kind, list(target)) for kind, target, _ in _targets()]


def note_additions(node: Node, before: list[tuple[str, list[Any]]]) -> None:
    """Note what the run of `node` added, without what the modules did that it imported."""
    noted = [
        effect.subject
        for other in _staged_nodes()
        for effect in other.effects
        if effect.kind not in _SETTINGS
    ]
    was = dict(before)
    for kind, target, put in _targets():
        for entry in target:
            if not _is_in(entry, was.get(kind, ())) and not _is_in(entry, noted):
                node.effects.append(Effect(kind, entry, False, True, put(entry)))


def make_room(nodes: Iterable[Node]) -> None:
    """Take what the last runs added to lists away, before the next runs add it again."""
    for node in nodes:
        for effect in reversed(node.effects):
            if effect.kind not in _SETTINGS:
                effect.undo()
    _filters_changed()


def restore(nodes: Iterable[Node]) -> None:
    """Bring back what `make_room` took away."""
    for node in nodes:
        for effect in node.effects:
            if effect.kind not in _SETTINGS:
                effect.redo()
    _filters_changed()


def undo(nodes: Iterable[Node]) -> None:
    """Take back all that runs did which are rejected, newest first."""
    for node in reversed(list(nodes)):
        for effect in reversed(node.effects):
            effect.undo()
    _filters_changed()


def take_over(old: Iterable[Node], new: Iterable[Node]) -> None:
    """Undo the settings of old runs that no new run has made again."""
    made: dict[tuple[str, Any], Effect] = {}
    for node in new:
        for effect in node.effects:
            if effect.kind in _SETTINGS:
                made.setdefault((effect.kind, effect.subject), effect)
    for node in reversed(list(old)):
        for effect in reversed(node.effects):
            if effect.kind in _SETTINGS:
                again = made.get((effect.kind, effect.subject))
                if again is None:
                    effect.undo()
                else:
                    again.before = effect.before


def run_at_exit(nodes: Iterable[Node]) -> None:
    """Run what modules gave to `atexit`, newest first."""
    for node in reversed(list(nodes)):
        for effect in reversed(node.effects):
            if effect.kind == "atexit":
                function, args, kwargs = effect.subject
                try:
                    function(*args, **kwargs)
                except BaseException:
                    _log.exception("in a function that was registered with atexit")


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


def _filters_changed() -> None:
    changed = getattr(warnings, "_filters_mutated", None)
    if changed is not None:
        changed()


def _quietly(put: Callable[[Any, Any], None], value: Any, unless: Any) -> None:
    try:
        put(value, unless)
    except Exception:
        _log.exception("while an effect of a module was taken back")


class _Environ(type(os.environ)):  # type: ignore[misc]
    """`os.environ`, which notes what modules set while they are loaded."""

    def __setitem__(self, key: str, value: str) -> None:
        before = self.get(key)
        super().__setitem__(key, value)
        self._note(key, before, value)

    def __delitem__(self, key: str) -> None:
        before = self.get(key)
        super().__delitem__(key)
        self._note(key, before, None)

    def setdefault(self, key: str, default: str) -> str:
        staging = state.staging()
        if staging is not None and state.executing() is not None and key in staging.environ:
            # It is there from the last run, and to this one it is not.
            before = staging.environ.pop(key)
            if before is None:
                self[key] = default
                return default
        value: str = super().setdefault(key, default)
        return value

    def _note(self, key: str, before: str | None, after: str | None) -> None:
        node = state.executing()
        if node is None:
            return

        def put(value: str | None, unless: str | None) -> None:
            if self.get(key) != unless:
                return  # somebody else has set it since
            if value is None:
                self.pop(key, None)
            else:
                self[key] = value

        node.effects.append(Effect("environ", key, before, after, put))


_original_add_handler = logging.Logger.addHandler
_original_signal = signal.signal
_original_register = atexit.register
_original_unregister = atexit.unregister
_original_exit = os._exit
_server = os.getpid()


def _add_handler(self: logging.Logger, hdlr: logging.Handler) -> None:
    known = hdlr in self.handlers
    _original_add_handler(self, hdlr)
    node = state.executing()
    if node is None or known:
        return

    def put(there: bool, _: bool) -> None:
        if there:
            _original_add_handler(self, hdlr)
        else:
            self.removeHandler(hdlr)

    node.effects.append(Effect("handler", hdlr, False, True, put))


def _set_signal(signalnum: Any, handler: Any) -> Any:
    before = _original_signal(signalnum, handler)
    node = state.executing()
    if node is not None:

        def put(value: Any, unless: Any) -> None:
            if signal.getsignal(signalnum) == unless:
                _original_signal(signalnum, value)

        node.effects.append(Effect("signal", int(signalnum), before, handler, put))
    return before


def _exit(status: int) -> NoReturn:
    """End the process as `os._exit` does, but say first who did it: nothing else will."""
    if os.getpid() == _server:  # and no child that the user's code has forked
        frame = sys._getframe(1)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        message = f"error: {place} called os._exit({status}), which ends the whole server at once\n"
        os.write(2, message.encode("utf-8", "replace"))
    _original_exit(status)


def _register_atexit(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    node = state.executing()
    if node is None:
        return _original_register(func, *args, **kwargs)
    # Not with Python: it belongs to this run of the module, and goes with it.
    node.effects.append(Effect("atexit", (func, args, kwargs), False, True, lambda *_: None))
    return func


def _unregister_atexit(func: Callable[..., Any], /) -> None:
    _original_unregister(func)
    generation = state.here()
    for node in generation.graph.nodes.values() if generation else ():
        node.effects[:] = [e for e in node.effects if e.kind != "atexit" or e.subject[0] != func]
