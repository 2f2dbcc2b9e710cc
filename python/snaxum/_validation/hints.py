"""Hints: types without their quotes, their `Annotated` and their aliases.

Owns the way from an annotation in a module to a type. Never converts a value.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Union

from .faults import Unresolved, Unsupported

NONE = type(None)


def resolve(annotation: Any, globals_: Mapping[str, Any], locals_: Mapping[str, Any]) -> Any:
    """Return an annotation without quotes, at any depth.

    Raises Unresolved for a name that is not defined, and Unsupported without a type.
    """
    if is_class(annotation):
        return annotation
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        hints = typing.get_type_hints(holder, dict(globals_), dict(locals_), include_extras=True)
    except NameError as error:
        raise Unresolved(f"`{error.name or error}` is not defined") from None
    except Exception as error:
        shown = annotation if isinstance(annotation, str) else repr(annotation)
        raise Unsupported(f"the annotation `{shown}` is not a type: {error}") from None
    return hints["it"]


def is_class(value: Any) -> bool:
    """Report whether a value is a class; `list[int]` is one only to Python 3.10."""
    return isinstance(value, type) and not isinstance(value, types.GenericAlias)


def hints_of(kind: Any) -> dict[str, Any]:
    """Return the types of the fields of a class. Raises Unresolved or Unsupported."""
    try:
        return typing.get_type_hints(kind, include_extras=True)
    except NameError as error:
        name = error.name or str(error)
        raise Unresolved(f"`{name}`, in the fields of `{kind.__name__}`, is not defined") from None
    except Exception as error:
        raise Unsupported(f"the fields of `{kind.__name__}` have no types: {error}") from None


def unwrap(annotation: Any, *, keeps_aliases: bool = False) -> tuple[Any, list[Any]]:
    """Return a type without `Annotated`, aliases, `NewType` and `Required`; and the metadata."""
    metadata: list[Any] = []
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            metadata = [*annotation.__metadata__, *metadata]
            annotation = annotation.__origin__
        elif _name(origin) in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar"):
            (annotation,) = typing.get_args(annotation)
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif _name(type(annotation)) == "TypeAliasType" and not keeps_aliases:
            annotation = annotation.__value__
        else:
            return annotation, metadata


def annotated(annotation: Any, metadata: Iterable[Any]) -> Any:
    """Return a type with metadata in `Annotated`: the opposite of `unwrap`."""
    for each in metadata:
        annotation = Annotated[annotation, each]
    return annotation


def _name(value: Any) -> str:
    return getattr(value, "__name__", "") or getattr(value, "_name", "") or ""


def with_arguments(annotation: Any, arguments: Mapping[Any, Any]) -> Any:
    """Return the type of a field of a generic class, with the class's arguments in it."""
    if not arguments:
        return annotation
    if isinstance(annotation, typing.TypeVar):
        return arguments.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if is_class(annotation) or not parameters:
        return annotation
    return annotation[tuple(arguments.get(each, each) for each in parameters)]


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union; the type alone, if it is not one."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def name_of(annotation: Any) -> str:
    """Write a type as its source does."""
    if is_class(annotation):
        return str(annotation.__qualname__).rpartition("<locals>.")[2]
    origin = typing.get_origin(annotation)
    if is_class(origin) and not isinstance(annotation, types.UnionType):
        return f"{name_of(origin)}[{', '.join(map(_argument, typing.get_args(annotation)))}]"
    name = getattr(annotation, "__qualname__", None)  # a function has one
    return str(annotation if name is None else name).replace("typing.", "")


def _argument(argument: Any) -> str:
    if argument is NONE or argument is Ellipsis:
        return "None" if argument is NONE else "..."
    if isinstance(argument, list):  # the parameters of a `Callable`
        return f"[{', '.join(map(_argument, argument))}]"
    return " | ".join(name_of(each) if each is not NONE else "None" for each in members(argument))
