"""Kept values whose class has been replaced under them.

Owns the look at what `keep` carries over a reload: instances of classes, and members of enums, of
modules that ran again. Tells of each once, or gives it the new class where `migrate=True` asks for
that. Looks no deeper than the items of a container.
"""

from __future__ import annotations

import enum
import logging
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Iterable
from itertools import islice
from types import ModuleType
from typing import Any

from .._runtime import generations as state

_log = logging.getLogger("snaxum")

# How many items of a container are looked at that is not to migrate.
MAX_ITEMS = 1000

# Exactly these: to go through them runs none of the user's code.
_MAPPINGS = (dict, defaultdict, OrderedDict)
_SEQUENCES = (list, deque, tuple)
_SETS = (set, frozenset)


def meet(
    serving: state.Generation, generation: state.Generation, leaving: Collection[str]
) -> list[str]:
    """Look at the values that go on from `serving`, of which the modules `leaving` are replaced.

    Gives what is to be told.
    """
    told: list[str] = []
    # Without those that were made just now.
    going_on = [(k, v) for k, v in generation.kept.items() if serving.kept.get(k) is v]
    keeping = [n for n in generation.graph.nodes.values() if n.kept] if going_on else []
    old = _Old(serving, generation, leaving)
    for key, kept in going_on:
        nodes = [node for node in keeping if key in node.kept]
        migrates = kept.migrate or any(node.kept[key] for node in nodes)
        counted = old.count(kept.value, None if migrates else MAX_ITEMS)
        if not counted:
            continue
        failures: dict[type, str] = {}
        if migrates:
            before = kept.value
            try:
                kept.value = old.migrate(before, failures)
            except Exception:
                _log.exception("while the kept value %r got its new classes", key)
            for node in nodes if kept.value is not before else ():
                _exchange(generation.modules[node.name], before, kept.value)
        for cls, count in counted.items():
            if migrates and cls not in failures:
                continue
            why = old.explain(cls, failures.get(cls))
            if (_name(cls), why) not in kept.told:
                kept.told.add((_name(cls), why))
                told.append(f"`keep({key!r})` holds {old.describe(cls, count)}{why}")
    return told


class _Old:
    """What classes were before a reload, and what they are after it."""

    def __init__(
        self, serving: state.Generation, generation: state.Generation, leaving: Collection[str]
    ) -> None:
        self.serving = serving
        self.generation = generation
        self.leaving = leaving

    def is_old(self, cls: type) -> bool:
        module = cls.__module__
        return (
            isinstance(module, str)
            and module in self.leaving
            and _find(self.generation.modules.get(module), cls) is not cls
        )

    def successor(self, cls: type) -> type | None:
        return _find(self.generation.modules.get(cls.__module__), cls)

    def count(self, value: object, limit: int | None) -> Counter[type]:
        """Count instances of old classes: the value itself, and its items."""
        types = [type(value), *map(type, _items(value, limit))]
        old = {cls for cls in set(types) if self.is_old(cls)}
        return Counter(cls for cls in types if cls in old) if old else Counter()

    def migrate(self, value: Any, failures: dict[type, str]) -> Any:
        """Give a value, or one in its place, the classes of now, as far as they fit."""

        def new(item: Any) -> Any:
            return self._renew(item, failures) if self.is_old(type(item)) else item

        # Only what changes is written, and only if it is still there: handlers may be at it too.
        kind = type(value)
        if kind in _MAPPINGS:
            for key, item in list(value.items()):
                there, after = new(key), new(item)
                if (there is not key or after is not item) and value.get(key) is item:
                    if there is not key:
                        del value[key]  # first: the two may be equal
                    value[there] = after
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
            failures[cls] = "it is gone"
        elif isinstance(item, enum.Enum) and issubclass(into, enum.Enum):
            member = into.__members__.get(item._name_)
            if member is not None:
                return member
            failures[cls] = f"it has no member `{item._name_}`"
        else:
            try:
                # Past a `__setattr__` of its own, as a frozen dataclass has it.
                object.__setattr__(item, "__class__", into)
            except TypeError as error:
                failures[cls] = str(error)
        return item

    def describe(self, cls: type, count: int) -> str:
        number = self.serving.ran.get(cls.__module__)
        known = _find(self.serving.modules.get(cls.__module__), cls) is cls
        age = f"G{number}" if known and number else "an older generation"
        what = "member" if issubclass(cls, enum.Enum) else "instance"
        return f"{count} {what}{'' if count == 1 else 's'} of `{_name(cls)}` of {age}"

    def explain(self, cls: type, failure: str | None) -> str:
        """Say what is wrong with an old class, and the way out."""
        if self.successor(cls) is None:
            return ", which the new code does not have; give `keep` another `version`"
        if failure is not None:
            return f", which cannot migrate: {failure}; give `keep` another `version`"
        if not issubclass(cls, enum.Enum):
            sign = "`isinstance` with the new class is False, and its methods are the old ones"
        elif cls.__eq__ is object.__eq__:
            sign = "`is` and `==` with those of the new one are False"
        else:
            sign = "`is` with those of the new one is False"
        return f": {sign}; give `keep` another `version` or `migrate=True`"


def _items(value: Any, limit: int | None) -> Iterable[object]:
    kind = type(value)
    if kind in _MAPPINGS:
        return [*islice(value, limit), *islice(value.values(), limit)]
    return list(islice(value, limit)) if kind in _SEQUENCES or kind in _SETS else ()


def _find(module: ModuleType | None, cls: type) -> type | None:
    """Find the class of the same name in a run of its module."""
    found: Any = module
    for part in cls.__qualname__.split("."):
        # Not `getattr`, which may run code of theirs.
        found = getattr(found, "__dict__", {}).get(part)
    return found if isinstance(found, type) else None


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _exchange(module: ModuleType, before: object, after: object) -> None:
    """Put a value that could not change in place where a module has the one before."""
    for name, value in list(vars(module).items()):
        if value is before:
            setattr(module, name, after)
