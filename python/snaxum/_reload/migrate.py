"""Kept values with instances of classes that a reload has replaced.

Owns the check of all values in `keep` at a commit: instances of classes, and members of enums, of
modules that ran again. Warns of each once, or gives it the new class with `migrate=True`. Never
checks deeper than the items of a container.
"""

from __future__ import annotations

import enum
import logging
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable
from itertools import islice
from types import ModuleType
from typing import Any

from .._core.objects import is_a, module_of, namespace, namespace_of, type_qualname
from .._runtime.generations import Generation

_log = logging.getLogger("snaxum")

# The most items that are checked in a container without `migrate=True`.
MAX_ITEMS = 1000

# Exactly these types, without subclasses: iterating over them runs no code of the user.
_MAPPINGS = (dict, defaultdict, OrderedDict)
_SEQUENCES = (list, deque, tuple)
_SETS = (set, frozenset)


def migrate_kept(
    serving: Generation, generation: Generation, leaving: Collection[str]
) -> list[str]:
    """Migrate the values that `generation` has from `serving`; `leaving` names replaced modules.

    Returns the warnings.
    """
    warnings: list[str] = []
    # Values made by this reload have no old class.
    old_values = [(k, v) for k, v in generation.kept.items() if serving.kept.get(k) is v]
    users = [n for n in generation.graph.nodes.values() if n.kept] if old_values else []
    changes = _ClassChanges(serving, generation, leaving)
    for key, kept in old_values:
        nodes = [node for node in users if key in node.kept]
        migrates = kept.migrate or any(node.kept[key] for node in nodes)
        counted = changes.count(kept.value, None if migrates else MAX_ITEMS)
        if not counted:
            continue
        failures: dict[type, str] = {}
        if migrates:
            before = kept.value
            try:
                kept.value = changes.migrate(before, failures)
            except BaseException:  # code of the user ran
                _log.exception("cannot migrate the kept value %r", key)
            for node in nodes if kept.value is not before else ():
                _rebind(generation.modules[node.name], before, kept.value)
        for cls, count in counted.items():
            if migrates and cls not in failures:
                continue
            why = changes.explain(cls, failures.get(cls))
            if (_name(cls), why) not in kept.reported:
                kept.reported.add((_name(cls), why))
                warnings.append(f"`keep({key!r})` contains {changes.describe(cls, count)}{why}")
    return warnings


class _ClassChanges:
    """The classes of replaced modules, and their successors in the new generation."""

    def __init__(
        self, serving: Generation, generation: Generation, leaving: Collection[str]
    ) -> None:
        self.serving = serving
        self.generation = generation
        self.leaving = leaving

    def is_old(self, cls: type) -> bool:
        module = module_of(cls)
        return module in self.leaving and _find(self.generation.modules.get(module), cls) is not cls

    def successor(self, cls: type) -> type | None:
        return _find(self.generation.modules.get(module_of(cls)), cls)

    def count(self, value: object, limit: int | None) -> Counter[type]:
        """Count the instances of old classes: the value itself, and its items."""
        types = [type(value), *map(type, _items(value, limit))]
        old = {cls for cls in set(types) if self.is_old(cls)}
        return Counter(cls for cls in types if cls in old) if old else Counter()

    def migrate(self, value: Any, failures: dict[type, str]) -> Any:
        """Return a value with the new classes, as far as possible; changes it in place if it can.

        A class that cannot migrate is added to `failures`, with the reason.
        """

        def new(item: Any) -> Any:
            return self._renew(item, failures) if self.is_old(type(item)) else item

        # Only changed items are written, and only if still there: handlers may change it too.
        kind = type(value)
        if kind in _MAPPINGS:
            for key, item in list(value.items()):
                new_key, after = new(key), new(item)
                if (new_key is not key or after is not item) and value.get(key) is item:
                    if new_key is not key:
                        del value[key]  # first, because the two may be equal
                    value[new_key] = after
        elif kind in (list, deque):
            for place, item in enumerate(list(value)):
                if (after := new(item)) is not item and value[place] is item:
                    value[place] = after
        elif kind is set:
            for item in list(value):
                if (after := new(item)) is not item and item in value:
                    value.discard(item)
                    value.add(after)
        elif kind in (tuple, frozenset):
            items = [(item, new(item)) for item in value]
            if any(before is not after for before, after in items):
                return kind(after for _, after in items)
        else:
            return new(value)
        return value

    def _renew(self, item: Any, failures: dict[type, str]) -> Any:
        cls = type(item)
        into = self.successor(cls)
        if into is None:
            failures[cls] = "the new code does not have it"
        elif is_a(item, enum.Enum) and issubclass(into, enum.Enum):
            member = into.__members__.get(item._name_)
            if member is not None:
                return member
            failures[cls] = f"the new class has no member `{item._name_}`"
        else:
            try:
                # Not by the `__setattr__` of the class: a frozen dataclass raises in it.
                object.__setattr__(item, "__class__", into)
            except TypeError as error:
                failures[cls] = str(error)
        return item

    def describe(self, cls: type, count: int) -> str:
        number = self.serving.ran.get(module_of(cls))
        known = _find(self.serving.modules.get(module_of(cls)), cls) is cls
        age = f"version {number}" if known and number else "an older version"
        what = "member" if issubclass(cls, enum.Enum) else "instance"
        return f"{count} {what}{'' if count == 1 else 's'} of `{_name(cls)}` of {age}"

    def explain(self, cls: type, failure: str | None) -> str:
        """Describe the problem with an old class, and the way out."""
        if self.successor(cls) is None:
            return ", which the new code does not have; pass another `version` to `keep`"
        if failure is not None:
            return f", which cannot migrate: {failure}; pass another `version` to `keep`"
        if not issubclass(cls, enum.Enum):
            effect = "`isinstance` with the new class is False, and calls run the old methods"
        elif cls.__eq__ is object.__eq__:
            effect = "`is` and `==` with members of the new class are False"
        else:
            effect = "`is` with members of the new class is False"
        return f": {effect}; pass another `version` or `migrate=True` to `keep`"


def _items(value: Any, limit: int | None) -> Iterable[object]:
    kind = type(value)
    if kind in _MAPPINGS:
        return [*islice(value, limit), *islice(value.values(), limit)]
    return list(islice(value, limit)) if kind in _SEQUENCES or kind in _SETS else ()


def _find(module: ModuleType | None, cls: type) -> type | None:
    """Return the class of the same name in a run of its module."""
    found: Any = module
    for part in type_qualname(cls).split("."):
        # Not by `getattr`, which may run code of the user.
        found = namespace_of(found).get(part)
    return found if is_a(found, type) else None


def _name(cls: type) -> str:
    return f"{module_of(cls)}.{type_qualname(cls)}"


def _rebind(module: ModuleType, before: object, after: object) -> None:
    """Replace a value that could not change in place in the globals of a module."""
    names = namespace(module)
    for name, value in list(names.items()):
        if value is before:
            names[name] = after
