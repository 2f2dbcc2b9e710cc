"""What outlives a reload, and what is done when code comes and goes.

Owns `keep`, `on_unload`, `on_startup` and `on_shutdown`: what user code says of its state. Never
decides when a generation ends (`_reload.drain`).
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Hashable
from types import CodeType
from typing import Any, TypeVar, overload

from ._reload.model import Hook, Kept
from ._runtime import generations as state
from ._runtime import leases

_log = logging.getLogger("snaxum")
_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")

_building = threading.RLock()


def keep(
    key: str,
    factory: Callable[[], _T],
    version: Hashable = None,
    *,
    unload: Callable[[_T], object] | None = None,
    migrate: bool = False,
) -> _T:
    """Give the value that `factory()` made the first time, over all reloads.

    It is built again when `version` or the source of `factory` changes; the old value is then
    passed to `unload` (by default its `close()` is called, if it has one) when the last request
    that may use it has ended. A value that no module asks for any more ends in the same way.

    With `migrate=True` an instance of a class that a reload replaces gets the new class, and a
    member of an enum becomes the new one of its name, when the new code begins to serve. This goes
    for the value and for the items of a list, dict, set, tuple or deque, and not deeper. It calls
    no `__init__`: attributes stay what they are. What does not fit stays too, with a warning.

    Raises what `factory` raises, and TypeError for a key that is no str or a factory that cannot
    be called.
    """
    if not isinstance(key, str):
        raise TypeError(f"keep() got {key!r} as its key; use a str such as 'model'")
    if not callable(factory):
        kind = type(factory).__name__
        raise TypeError(f"keep({key!r}) got a {kind} as its factory; pass a function that makes it")
    made_by = _fingerprint(factory)
    with _building:
        generation, staging, node = leases.for_caller(), state.staging(), state.executing()
        if staging is not None and not staging.is_here():
            staging = None
        places = [staging.kept] if staging else []
        places += [generation.kept] if generation else []
        for place in places:
            known = place.get(key)
            if known is not None and (known.version, known.factory) == (version, made_by):
                break
        else:
            known = Kept(_make(factory), version, made_by, unload)
        if node is not None:
            node.kept[key] = migrate
        else:
            known.migrate = migrate
        if places:
            places[0][key] = known
    value: _T = known.value
    return value


def release(kept: Kept, key: str) -> None:
    """End a kept value; what its `unload` raises is logged."""
    try:
        if kept.unload is not None:
            kept.unload(kept.value)
        elif callable(close := getattr(kept.value, "close", None)):
            close()
    except BaseException:
        _log.exception("while the kept value %r was unloaded", key)


@overload
def on_unload(function: _F, /) -> _F: ...
@overload
def on_unload(*, exclusive: bool = ...) -> Callable[[_F], _F]: ...
def on_unload(function: Any = None, /, *, exclusive: bool = False) -> Any:
    """Call `function()` when this module's code is replaced or the server stops.

    It is called once, after the new code serves and the last request on the old code has ended,
    and not at all if the new code is rejected. With `exclusive=True` it is called before the new
    code is loaded, for what cannot be held twice (a port, a lock); `on_resume` then takes it again
    if the new code is rejected. What it raises is logged; after 5 s it is left behind.
    """
    if function is None:
        return functools.partial(_register, "unload", exclusive=exclusive)
    return _register("unload", function, exclusive=exclusive)


def on_resume(function: _F, /) -> _F:
    """Call `function()` when new code was rejected after `on_unload(exclusive=True)` had run."""
    return _register("resume", function)


def on_startup(function: _F, /) -> _F:
    """Call `function()`, which may be async, once this module has loaded, before it serves.

    What it raises rejects the reload.
    """
    return _register("startup", function)


def on_shutdown(function: _F, /) -> _F:
    """Call `function()`, which may be async, when this module's code ends: like `on_unload`."""
    return _register("shutdown", function)


def _register(when: str, function: _F, *, exclusive: bool = False) -> _F:
    if not callable(function):
        kind = type(function).__name__
        raise TypeError(f"on_{when} got a {kind}; pass a function that takes no argument")
    node = state.executing()
    if node is not None:
        node.hooks.append(Hook(when, function, exclusive))
    return function


def _make(factory: Callable[[], _T]) -> _T:
    """Call a factory; the tasks that it starts end with the value, not with the module."""
    token = state.starter.set(None)
    try:
        return factory()
    finally:
        state.starter.reset(token)


def _fingerprint(factory: object) -> object:
    """Give something that is equal for factories of equal source."""
    if isinstance(factory, functools.partial):
        return (_fingerprint(factory.func), repr(factory.args), repr(factory.keywords))
    target = getattr(factory, "__func__", factory)
    code = getattr(target, "__code__", None)
    if isinstance(code, CodeType):
        return (_code_key(code), repr(getattr(target, "__defaults__", None)))
    return (getattr(target, "__module__", ""), getattr(target, "__qualname__", repr(target)))


def _code_key(code: CodeType) -> tuple[object, ...]:
    constants = tuple(
        _code_key(c) if isinstance(c, CodeType) else (type(c).__name__, repr(c))
        for c in code.co_consts
    )
    return (code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants)
