"""Components: the schemas with a name, and the references to them.

Owns the names. A class is described as it is received and as it is sent; where both are equal, they
are one component. Never describes a type.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Container
from typing import Any, Literal

from .._validation.hints import is_class, name_of, unwrap

Schema = dict[str, Any]
# A value in a JSON body, as a text of its own, in a response, or in a field of a Struct in one.
Mode = Literal["input", "text", "output", "struct"]

PREFIX = "#/components/schemas/"


class Reference(Schema):
    """A schema that refers to a component, whose name is known in the end."""

    def __init__(self, component: Component) -> None:
        super().__init__()
        self.component = component


class Component:
    """One class in one mode. Equal ones have one `group` in the end."""

    def __init__(self, kind: Any, mode: Mode) -> None:
        self.kind, self.mode = kind, mode
        self.schema: Schema = {}
        self.references: list[Reference] = []
        self.group: Any = kind


class Components:
    """The named schemas of one document."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, Mode], Component] = {}

    def refer(self, kind: Any, mode: Mode, make: Callable[[], Schema]) -> Schema:
        """Return a reference to the component of a type, which `make` describes the first time.

        Raises what `make` raises.
        """
        key = (kind, mode)
        try:
            component = self._known.get(key)
        except TypeError:  # its metadata have no hash
            return make()
        if component is None:
            component = self._known[key] = Component(kind, mode)
            try:
                component.schema = make()
            except BaseException:
                del self._known[key]
                raise
        reference = Reference(component)
        component.references.append(reference)
        return reference

    def finish(self, *taken: Container[str]) -> dict[str, Schema]:
        """Name the components, in the order of their names, and complete all references.

        No name is in one of `taken`.
        """
        self._merge()
        groups: dict[Any, dict[Any, list[Component]]] = {}
        for component in self._known.values():
            groups.setdefault(component.kind, {}).setdefault(component.group, []).append(component)
        short: dict[str, int] = {}
        for kind in groups:
            short[_short(kind)] = short.get(_short(kind), 0) + 1
        named: dict[str, Schema] = {}
        for kind, variants in groups.items():
            base = _short(kind)
            if short[base] > 1 or any(base in names for names in taken):
                base = _clean(f"{_module(kind)}.{base}")
            is_first = True
            for components in sorted(variants.values(), key=_rank):
                name = _free(base if is_first else f"{base}-Output", [named, *taken])
                is_first = False
                named[name] = components[0].schema
                for reference in (r for each in components for r in each.references):
                    reference["$ref"] = PREFIX + name
        return dict(sorted(named.items()))

    def _merge(self) -> None:
        """Give one group to equal components of a type, their references included."""
        count = 0
        while True:
            signatures = {
                component: (component.kind, _signature(component.schema))
                for component in self._known.values()
            }
            numbers: dict[Any, int] = {}
            for signature in signatures.values():
                numbers.setdefault(signature, len(numbers))
            for component, signature in signatures.items():
                component.group = numbers[signature]
            if len(numbers) == count:
                return
            count = len(numbers)


def _signature(value: Any) -> Any:
    """Return a hashable form of a schema, in which a reference is the group that it refers to."""
    if isinstance(value, Reference):
        own = tuple((name, _signature(item)) for name, item in value.items() if name != "$ref")
        return ("ref", value.component.group, own)
    if isinstance(value, dict):
        return tuple((name, _signature(item)) for name, item in value.items())
    if isinstance(value, list):
        return ("list", *map(_signature, value))
    return repr(value)


def _rank(components: list[Component]) -> int:
    modes = typing.get_args(Mode)
    return min(modes.index(each.mode) for each in components)


def _free(base: str, taken: list[Container[str]]) -> str:
    name, count = base, 1
    while any(name in names for names in taken):
        count += 1
        name = f"{base}.{count}"
    return name


def _short(kind: Any) -> str:
    return _clean(name_of(kind).rpartition(".")[2] if is_class(kind) else _written(kind))


def _written(kind: Any) -> str:
    """Write `Page[Item]` as `Page_Item`."""
    kind = unwrap(kind)[0]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is None:
        return name_of(kind).rpartition(".")[2]
    return "_".join([_written(origin), *map(_written, args)])


def _module(kind: Any) -> str:
    return str(getattr(typing.get_origin(kind) or kind, "__module__", ""))


def _clean(name: str) -> str:
    """Leave the characters that the name of a component may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_") or "Model"
