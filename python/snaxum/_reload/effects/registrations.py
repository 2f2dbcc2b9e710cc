"""What modules register with classes and functions that stay: `abc` and `singledispatch`.

Owns the wrappers around `ABCMeta.register` and the `register` of each generic function. An ABC
holds its registered classes weakly: an old one dies with its module, and only one that stays is
ever taken out. A generic function holds classes and functions strongly, in its registry and in its
cache. Nothing is noted in pool workers: there the newest wins, and old entries stay.
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
from .undo_log import owner

_MISSING = object()
_original_register = abc.ABCMeta.register
_original_singledispatch: Callable[..., Any] = functools.singledispatch
# A registry is copied when something is taken out of it, and nothing may come in meanwhile.
_registering = threading.RLock()


def install() -> None:
    """Note registrations from now on, with generic functions that are there too."""
    abc.ABCMeta.register = _register_class  # type: ignore[method-assign]
    functools.singledispatch = _singledispatch
    inner = _original_singledispatch.__code__.co_consts
    codes = [c for c in inner if isinstance(c, CodeType) and c.co_name == "wrapper"]
    for generic in gc.get_referrers(*codes):
        if isinstance(generic, FunctionType) and hasattr(generic, "_clear_cache"):
            _watch(generic)


def _register_class(cls: abc.ABCMeta, subclass: type) -> type:
    node = owner()
    known = node is not None and _is_registered(cls, subclass)
    _original_register(cls, subclass)
    if node is not None:

        def put(there: bool, _: bool) -> None:
            if there:
                _original_register(cls, subclass)
            elif _is_registered(cls, subclass):
                _unregister(cls, subclass)

        homes = (cls.__module__, subclass.__module__)
        node.effects.append(Effect("abc", (cls, subclass), known, True, put, homes))
    return subclass


def _registered(cls: abc.ABCMeta) -> list[type]:
    dump: Callable[[type], tuple[set[Any], ...]] = abc._get_dump  # type: ignore[attr-defined]
    return [there for ref in dump(cls)[0] if (there := ref()) is not None]


def _is_registered(cls: abc.ABCMeta, subclass: type) -> bool:
    return any(there is subclass for there in _registered(cls))


def _unregister(cls: abc.ABCMeta, subclass: type) -> None:
    """Take one class out, which `abc` has no way for: all go, and the others come again."""
    others = [there for there in _registered(cls) if there is not subclass]
    cls._abc_registry_clear()  # type: ignore[attr-defined]
    for base in cls.__mro__:
        if isinstance(base, abc.ABCMeta):
            base._abc_caches_clear()  # type: ignore[attr-defined]
    # A registration, of nobody if need be, tells all other caches that something is different.
    for other in (*others, type("Nobody", (), {})):
        _original_register(cls, other)


@functools.wraps(_original_singledispatch)
def _singledispatch(func: Callable[..., Any]) -> Any:
    generic = _original_singledispatch(func)
    _watch(generic)
    return generic


def _watch(generic: Any) -> None:
    """Note what modules register with a generic function."""
    original: Any = generic.register
    names, cells = original.__code__.co_freevars, original.__closure__
    registry = dict(zip(names, cells))["registry"]

    @functools.wraps(original)
    def register(cls: Any, func: Any = None) -> Any:
        node = owner()
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
                        Effect("generic", (generic, key), was, done, put, homes, _drop)
                    )
        return done

    generic.register = register


def _put(generic: Any, registry: Any, key: type, value: Any, unless: Any) -> None:
    with _registering:
        entries = dict(registry.cell_contents)
        if entries.get(key, _MISSING) is not unless:
            return  # somebody else has registered since
        if value is _MISSING:
            del entries[key]
        else:
            entries[key] = value
        # Another registry, and not this one changed: a running request may go through it.
        registry.cell_contents, generic.registry = entries, MappingProxyType(entries)
    generic._clear_cache()


def _drop(effect: Effect) -> None:
    """Forget an old class, now that no request has it."""
    if not effect.is_over:
        effect.undo()
    # A request on the old code may have put something into the cache since.
    effect.subject[0]._clear_cache()
