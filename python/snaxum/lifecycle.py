"""Values that survive a reload, and functions to call when code starts or ends.

Owns the declarations `keep`, `on_unload`, `on_startup` and `on_shutdown`. Never decides when a
generation ends (`_reload.retirement`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, overload

from . import _registry
from ._reload.model import Hook

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def keep(
    key: str,
    factory: Callable[[], _T],
    version: Hashable = None,
    *,
    unload: Callable[[_T], object] | None = None,
    migrate: bool = False,
) -> _T:
    """Return the value that `factory()` made the first time, across all reloads.

    It is built again when `version` or the source of `factory` changes; the old value is then
    passed to `unload` (by default its `close()` is called, if it has one) when the last request
    that may use it has ended. A value that no module uses any more ends in the same way.

    With `migrate=True` an instance of a class that a reload replaces gets the new class, and a
    member of an enum becomes the new one of its name, when the new code begins to serve. This goes
    for the value and for the items of a list, dict, set, tuple or deque, and not deeper. It calls
    no `__init__`: attributes stay unchanged. A value that does not fit stays too, with a warning.

    Raises what `factory` raises, and TypeError for a key that is not a str or a factory that
    cannot be called.
    """
    if not isinstance(key, str):
        raise TypeError(f"`keep` got {key!r} as its key; use a str such as 'model'")
    if not callable(factory):
        kind = type(factory).__name__
        raise TypeError(
            f"`keep` got a {kind} as the factory of {key!r}; pass a function that makes it"
        )
    sink = _registry.sink
    if sink is None:
        return factory()
    value: _T = sink.keep(key, factory, version, unload, migrate=migrate)
    return value


@overload
def on_unload(function: _F, /) -> _F: ...
@overload
def on_unload(*, exclusive: bool = ...) -> Callable[[_F], _F]: ...
def on_unload(function: Any = None, /, *, exclusive: bool = False) -> Any:
    """Call `function()` when this module's code is replaced or the server stops.

    It is called once, after the new code serves and the last request on the old code has ended,
    and not at all if the new code is rejected. With `exclusive=True` it is called before the new
    code is loaded, for a resource that cannot be open twice (a port, a lock); if the new code is
    rejected, `on_resume` opens it again. Exceptions are logged; after 5 s the server continues
    without it.
    """
    if function is None:
        return functools.partial(_register, "unload", exclusive=exclusive)
    return _register("unload", function, exclusive=exclusive)


def on_resume(function: _F, /) -> _F:
    """Call `function()` when new code was rejected after `on_unload(exclusive=True)` had run."""
    return _register("resume", function)


def on_startup(function: _F, /) -> _F:
    """Call `function()`, which may be async, once this module has loaded, before it serves.

    An exception rejects the reload.
    """
    return _register("startup", function)


def on_shutdown(function: _F, /) -> _F:
    """Call `function()`, which may be async, when this module's code ends: like `on_unload`."""
    return _register("shutdown", function)


def _register(when: str, function: _F, *, exclusive: bool = False) -> _F:
    if not callable(function):
        kind = type(function).__name__
        raise TypeError(f"on_{when} got a {kind}; pass a function that takes no argument")
    if _registry.sink is not None:
        _registry.sink.add_hook(Hook(when, function, exclusive))
    return function
