"""Registrations of a module with classes and functions of other modules: `abc`, `singledispatch`.

Owns the wrappers around `ABCMeta.register` and the `register` of each generic function. An ABC has
weak references to its registered classes: the class of a replaced module dies with that module, so
only other classes are ever removed. A generic function has strong references to classes and
functions, in its registry and in its cache. Records nothing in pool workers: there the newest
registration wins, and old entries stay.
"""

from __future__ import annotations

import abc
import functools
import gc
import threading
from collections.abc import Callable
from types import CodeType, FunctionType, MappingProxyType
from typing import Any

from ..model import Effect
from .undo_log import current_owner

_MISSING = object()
_original_register = abc.ABCMeta.register
_original_singledispatch: Callable[..., Any] = functools.singledispatch
# Removing an entry replaces the registry by a copy; no entry may be added meanwhile.
_registering = threading.RLock()


def install() -> None:
    """Record registrations from now on, also with generic functions that already exist."""
    abc.ABCMeta.register = _register_class  # type: ignore[method-assign]
    functools.singledispatch = _singledispatch
    inner = _original_singledispatch.__code__.co_consts
    codes = [c for c in inner if isinstance(c, CodeType) and c.co_name == "wrapper"]
    for generic in gc.get_referrers(*codes):
        if isinstance(generic, FunctionType) and hasattr(generic, "_clear_cache"):
            _wrap_register(generic)


def _register_class(cls: abc.ABCMeta, subclass: type) -> type:
    node = current_owner()
    known = node is not None and _is_registered(cls, subclass)
    _original_register(cls, subclass)
    if node is not None:

        def put(present: bool, _: bool) -> None:
            if present:
                _original_register(cls, subclass)
            elif _is_registered(cls, subclass):
                _unregister(cls, subclass)

        homes = (cls.__module__, subclass.__module__)
        node.effects.append(Effect("abc", (cls, subclass), known, True, put, homes))
    return subclass


def _registered(cls: abc.ABCMeta) -> list[type]:
    dump: Callable[[type], tuple[set[Any], ...]] = abc._get_dump  # type: ignore[attr-defined]
    return [known for ref in dump(cls)[0] if (known := ref()) is not None]


def _is_registered(cls: abc.ABCMeta, subclass: type) -> bool:
    return any(known is subclass for known in _registered(cls))


def _unregister(cls: abc.ABCMeta, subclass: type) -> None:
    """Remove one class: `abc` can only clear all, so clear and register the others again."""
    others = [known for known in _registered(cls) if known is not subclass]
    cls._abc_registry_clear()  # type: ignore[attr-defined]
    for base in cls.__mro__:
        if isinstance(base, abc.ABCMeta):
            base._abc_caches_clear()  # type: ignore[attr-defined]
    # A registration invalidates all other caches; a throwaway class makes sure that one happens.
    for other in (*others, type("Throwaway", (), {})):
        _original_register(cls, other)


@functools.wraps(_original_singledispatch)
def _singledispatch(func: Callable[..., Any]) -> Any:
    generic = _original_singledispatch(func)
    _wrap_register(generic)
    return generic


def _wrap_register(generic: Any) -> None:
    """Record the registrations of modules with a generic function."""
    original: Any = generic.register
    names, cells = original.__code__.co_freevars, original.__closure__
    registry = dict(zip(names, cells))["registry"]

    @functools.wraps(original)
    def register(cls: Any, func: Any = None) -> Any:
        node = current_owner()
        with _registering:
            before = dict(generic.registry)
            done = original(cls, func)
            if func is None and done is not cls:
                return lambda function: register(cls, function)  # `@f.register(int)`
            if node is None:
                return done
            for key, function in generic.registry.items():
                if function is done:
                    put = functools.partial(_put, generic, registry, key)
                    was, homes = before.get(key, _MISSING), (generic.__module__, key.__module__)
                    node.effects.append(
                        Effect("generic", (generic, key), was, done, put, homes, _release)
                    )
        return done

    generic.register = register


def _put(generic: Any, registry: Any, key: type, value: Any, unless: Any) -> None:
    with _registering:
        entries = dict(registry.cell_contents)
        if entries.get(key, _MISSING) is not unless:
            return  # other code has registered since
        if value is _MISSING:
            del entries[key]
        else:
            entries[key] = value
        # A new registry, not a change of this one: a running request may iterate over it.
        registry.cell_contents, generic.registry = entries, MappingProxyType(entries)
    generic._clear_cache()


def _release(effect: Effect) -> None:
    """Remove the entry for an old class, now that no request uses it."""
    if not effect.is_over:
        effect.undo()
    # A request on the old code may have filled the cache since.
    effect.subject[0]._clear_cache()
