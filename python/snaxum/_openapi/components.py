"""Components: the schemas with a name, and the references to them.

Owns the names, and the order: a component is described after the type that refers to it, so that no
chain of classes is too deep for Python's stack. A class is described as it is received and as it is
sent; where both are equal, they are one component. Never describes a type.
"""

from __future__ import annotations

import re
import typing
from collections import deque
from collections.abc import Callable, Container
from typing import Any, Literal

from .._validation.hints import is_class, name_of, unwrap

Schema = dict[str, Any]
# A value in a JSON body, as a text of its own, in a response, or in a field of a Struct in one.
Mode = Literal["input", "text", "output", "struct"]

PREFIX = "#/components/schemas/"


class Pending(Schema):
    """A schema that is complete in the end; until then only one of the same subject is equal."""

    __hash__ = None

    def __init__(self, subject: object) -> None:
        super().__init__()
        self._subject = subject
        self._is_complete = False

    def complete(self, schema: Schema) -> None:
        """Add the entries that were missing."""
        self.update(schema)
        self._is_complete = True

    def __eq__(self, other: object) -> bool:
        if self._is_complete:
            return dict.__eq__(self, other)
        if not isinstance(other, Pending) or other._subject is not self._subject:
            return False
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other


class Reference(Pending):
    """A schema that refers to a component, whose name is known in the end."""

    def __init__(self, component: Component) -> None:
        super().__init__(component)
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
        # The components without a schema, each with the function that makes it.
        self._waiting: deque[tuple[Component, Callable[[], Schema]]] = deque()

    def refer(self, kind: Any, mode: Mode, make: Callable[[], Schema]) -> Schema:
        """Return a reference to the component of a type, which `make` describes in `describe`."""
        key = (kind, mode)
        try:
            component = self._known.get(key)
        except TypeError:  # its metadata have no hash
            return make()
        if component is None:
            component = self._known[key] = Component(kind, mode)
            self._waiting.append((component, make))
        reference = Reference(component)
        component.references.append(reference)
        return reference

    def describe(self) -> None:
        """Describe the components that are referred to, by other components too.

        Raises what the functions raise; their components stay without a schema.
        """
        while self._waiting:
            component, make = self._waiting.popleft()
            component.schema = make()

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
                    reference.complete({"$ref": PREFIX + name})
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
    kind = unwrap(kind, keeps_aliases=True)[0]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is None:
        return name_of(kind).rpartition(".")[2]
    return "_".join([_written(origin), *map(_written, args)])


def _module(kind: Any) -> str:
    return str(getattr(typing.get_origin(kind) or kind, "__module__", ""))


def _clean(name: str) -> str:
    """Leave the characters that the name of a component may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_") or "Model"
