"""Asks objects of users and libraries for type and attributes without running their code.

Lazy loaders and stubs put objects into modules that raise, or import a library, on any attribute.
`isinstance` asks such an object for its `__class__`; these functions read the type itself. Never
calls a method of the object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CoroutineType, GeneratorType, ModuleType
from typing import Any

# A metaclass may override these attributes; these getters read the class itself.
type_name: Callable[[type], str] = type.__dict__["__name__"].__get__
type_qualname: Callable[[type], str] = type.__dict__["__qualname__"].__get__
type_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
type_namespace: Callable[[Any], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
_type_module: Callable[[type], object] = type.__dict__["__module__"].__get__
# None, in Python 3.10, for a module that `__init__` has not seen.
_module_namespace: Callable[[Any], dict[str, Any] | None] = vars(ModuleType)["__dict__"].__get__


def is_a(value: object, *kinds: type) -> bool:
    """Do what `isinstance` does, by the type alone."""
    return issubclass(type(value), kinds)


def namespace(module: object) -> dict[str, Any]:
    """Return the globals of a module; an empty dict for another object in its place."""
    found = _module_namespace(module) if issubclass(type(module), ModuleType) else None
    return {} if found is None else found


def namespace_of(owner: object) -> Mapping[str, Any]:
    """Return the attributes of a module or class itself; an empty dict for another object."""
    return type_namespace(owner) if issubclass(type(owner), type) else namespace(owner)


def own_attributes(value: object) -> dict[str, Any]:
    """Return the attributes of an object itself, without the attributes of its class."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except BaseException:
        return {}
    return found if type(found) is dict else {}


def module_of(cls: type) -> str:
    """Return the name of the module that defines a class."""
    try:
        name = _type_module(cls)
    except AttributeError:
        return ""
    return name if type(name) is str else ""


def attribute(value: object, name: str, default: Any = None) -> Any:
    """Return an attribute; `default` if it raises anything."""
    try:
        return getattr(value, name, default)
    except BaseException:
        return default


def is_awaitable(value: object) -> bool:
    """Do what `inspect.isawaitable` does, by the type alone."""
    kind = type(value)
    if kind is CoroutineType:
        return True
    if kind is GeneratorType:
        return bool(value.gi_code.co_flags & 0x100)  # type: ignore[attr-defined]  # types.coroutine
    return any("__await__" in type_namespace(each) for each in type_mro(kind))
