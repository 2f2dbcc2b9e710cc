"""Effects on the process: environment variables, handlers of loggers and signals, `atexit`.

Owns the wrappers around the functions that cause them, and the message before `os._exit`. Never
records an effect of a library or of a handler.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from ..._runtime import generations, leases
from ..model import Effect, Node
from .undo_log import current_owner

_log = logging.getLogger("snaxum")


def install() -> None:
    """Wrap the functions, once, and record their effects from now on."""
    os.environ.__class__ = _Environ
    logging.Logger.addHandler = _add_handler  # type: ignore[method-assign]
    atexit.register = _register_atexit
    atexit.unregister = _unregister_atexit
    signal.signal = _set_signal
    if os._exit is _original_exit:  # the supervisor reports more
        os._exit = _exit


def run_at_exit(nodes: Iterable[Node]) -> None:
    """Call the functions that modules registered with `atexit`, newest first."""
    for node in reversed(list(nodes)):
        for effect in reversed(node.effects):
            if effect.kind == "atexit":
                function, args, kwargs = effect.subject
                try:
                    function(*args, **kwargs)
                except BaseException:
                    _log.exception("a function registered with atexit failed")


class _Environ(type(os.environ)):  # type: ignore[misc]
    """`os.environ`, recording the variables that modules set while they load."""

    def __setitem__(self, key: str, value: str) -> None:
        before = self.get(key)
        super().__setitem__(key, value)
        self._record(key, before, value)

    def __delitem__(self, key: str) -> None:
        before = self.get(key)
        super().__delitem__(key)
        self._record(key, before, None)

    def setdefault(self, key: str, default: str) -> str:
        staging = generations.staging()
        if staging is not None and generations.executing() is not None and key in staging.environ:
            # The last run of the module set it; this run must not see that value.
            before = staging.environ.pop(key)
            if before is None:
                self[key] = default
                return default
        value: str = super().setdefault(key, default)
        return value

    def _record(self, key: str, before: str | None, after: str | None) -> None:
        node = current_owner()
        if node is None:
            return

        def put(value: str | None, unless: str | None) -> None:
            if self.get(key) != unless:
                return  # other code has set it since
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
    known = any(hdlr is handler for handler in self.handlers)
    _original_add_handler(self, hdlr)
    node = current_owner()
    if node is None or known:
        return

    def put(present: bool, _: bool) -> None:
        if present:
            _original_add_handler(self, hdlr)
        else:
            self.removeHandler(hdlr)

    node.effects.append(Effect("handler", hdlr, False, True, put))


def _set_signal(signalnum: Any, handler: Any) -> Any:
    before = _original_signal(signalnum, handler)
    node = current_owner()
    if node is not None:

        def put(value: Any, unless: Any) -> None:
            if signal.getsignal(signalnum) == unless:
                _original_signal(signalnum, value)

        node.effects.append(Effect("signal", int(signalnum), before, handler, put))
    return before


def _exit(status: int) -> NoReturn:
    """End the process as `os._exit` does, but print the caller first: no other trace remains."""
    if os.getpid() == _server:  # not in a child process that the user's code forked
        frame = sys._getframe(1)
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        message = f"error: {place} called os._exit({status}), which ends the whole server at once\n"
        os.write(2, message.encode("utf-8", "replace"))
    _original_exit(status)


def _register_atexit(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    node = current_owner()
    if node is None:
        return _original_register(func, *args, **kwargs)
    # Not registered with Python: it belongs to this run of the module and ends with it.
    node.effects.append(Effect("atexit", (func, args, kwargs), False, True, lambda *_: None))
    return func


def _unregister_atexit(func: Callable[..., Any], /) -> None:
    _original_unregister(func)
    generation = leases.for_caller()
    for node in generation.graph.nodes.values() if generation else ():
        node.effects[:] = [e for e in node.effects if e.kind != "atexit" or e.subject[0] != func]
