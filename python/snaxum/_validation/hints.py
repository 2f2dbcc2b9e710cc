"""Hints: types without their quotes, their `Annotated` and their aliases.

Owns the way from an annotation in a module to a type, and the parts of a type. An alias (`type X =
...`) that is a part of itself stays an alias; any other one is read as its value. Never converts a
value.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Union

from .faults import Unresolved, Unsupported

NONE = type(None)
_UNIONS = (Union, types.UnionType)


def resolve(annotation: Any, globals_: Mapping[str, Any], locals_: Mapping[str, Any]) -> Any:
    """Return an annotation without quotes, at any depth.

    Raises Unresolved for a name that is not defined, and Unsupported without a type.
    """
    if is_class(annotation) or is_of_builtins(annotation):
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


def is_of_builtins(annotation: Any) -> bool:
    """Report whether a type consists of Python's own classes and `Any`, as `dict[str, Any]`."""
    kind = type(annotation)
    if kind is type:
        return bool(annotation.__module__ == "builtins")
    if kind is types.GenericAlias:
        parts = (annotation.__origin__, *annotation.__args__)
        return all(each is Ellipsis or is_of_builtins(each) for each in parts)
    return annotation is Any


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
    """Return a type without `Annotated`, aliases, `NewType` and `Required`; and the metadata.

    An alias that contains itself stays. A union is without the type of `msgspec.UNSET`, which
    stands for a field that is not sent. Raises Unresolved or Unsupported for an alias.
    """
    metadata: list[Any] = []
    if type(annotation) is type:
        return annotation, metadata  # the usual one
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            metadata = [*annotation.__metadata__, *metadata]
            annotation = annotation.__origin__
        elif _name(origin) in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar"):
            (annotation,) = typing.get_args(annotation)
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif origin in _UNIONS and any(map(is_unset, typing.get_args(annotation))):
            annotation = union([e for e in typing.get_args(annotation) if not is_unset(e)])
        elif not keeps_aliases and is_alias(annotation) and not _is_recursive(annotation):
            annotation = value_of(annotation)
        elif not keeps_aliases and is_alias(origin) and not _is_recursive(origin):
            arguments = dict(zip(origin.__type_params__, typing.get_args(annotation)))
            annotation = with_arguments(value_of(origin), arguments)
        else:
            return annotation, metadata


def is_alias(kind: Any) -> bool:
    """Report whether a type is an alias, of `typing` or of `typing_extensions`."""
    return type(kind).__name__ == "TypeAliasType"


def value_of(alias: Any) -> Any:
    """Return the type of an alias, without quotes. Raises Unresolved or Unsupported."""
    try:
        value = alias.__value__  # `type` evaluates it here
    except RecursionError:
        raise
    except NameError as error:
        name = error.name or str(error)
        raise Unresolved(f"`{name}`, in the type `{alias.__name__}`, is not defined") from None
    except Exception as error:
        raise Unsupported(f"the type `{alias.__name__}` has no value: {error}") from None
    return resolve(value, getattr(sys.modules.get(alias.__module__), "__dict__", {}), {})


def parts(annotation: Any) -> Iterator[Any]:
    """Yield a type and its parts at any depth; it does not search the fields of models.

    Raises Unresolved or Unsupported for an alias.
    """
    waiting, seen = [annotation], set[int]()
    while waiting:
        each = waiting.pop()
        yield each
        origin = typing.get_origin(each)
        if origin is Annotated:
            waiting.append(each.__origin__)
        elif isinstance(each, typing.NewType):
            waiting.append(each.__supertype__)
        elif is_alias(each):
            if id(each) not in seen:
                seen.add(id(each))
                waiting.append(value_of(each))
        elif isinstance(each, list):  # the parameters of a `Callable`
            waiting += each
        else:
            waiting += typing.get_args(each)
            if is_alias(origin):
                waiting.append(origin)


def _is_recursive(alias: Any) -> bool:
    """Report whether an alias is a part of its own value."""
    return any(each is alias for each in parts(value_of(alias)))


def is_unset(kind: Any) -> bool:
    """Report whether a type is that of `msgspec.UNSET`, a field that is not sent."""
    return getattr(kind, "__name__", "") == "UnsetType" and is_class(kind)


def union(members: Sequence[Any]) -> Any:
    """Return the union of types."""
    try:
        return Union[tuple(members)]  # noqa: UP007
    except TypeError:  # not hashable, as some metadata
        return functools.reduce(operator.or_, members)


def key_of(annotation: Any) -> Any:
    """Return a key of a dict for a type, whose metadata may not be hashable."""
    try:
        hash(annotation)
    except TypeError:
        return typing.get_origin(annotation), repr(annotation)
    return annotation


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
    if type(annotation) is not type and typing.get_origin(annotation) in _UNIONS:
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
