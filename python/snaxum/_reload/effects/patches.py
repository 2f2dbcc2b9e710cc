"""Replaced attributes of libraries: `time.sleep = mine`, `patch("x.y").start()`.

Owns the comparison of such attributes before and after a run. Which attributes are compared comes
from the module's text: targets of assignments, and names in `setattr`, `patch` or `patch.object`,
of modules that it imports and of their classes. Every other replacement costs nothing and is not
seen: a name computed at run time, `vars(time)["sleep"] = mine`, `patch.multiple`, a patch by a
library's function, and any patch in a pool worker.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from ..._core.late_regex import late
from ..._core.objects import attribute, is_a, module_of, namespace, namespace_of, type_qualname
from ..._core.records import field, record
from ..._runtime import generations
from ..model import MARK, Effect, Node, Source

_MISSING = object()
# Modules that import on behalf of a caller that passes a name.
_IMPORTERS = ("unittest.mock", "mock", "mock.mock", "pkgutil", "importlib")

# The search for a leading dot is fast.
_ASSIGNED = late(rb"\.(?<!\bself\.)(?<!\bcls\.)([A-Za-z_]\w*)\s*=(?!=)")
_BEFORE_DOT = late(rb"[A-Za-z_][\w.]*$")
_MAX_CHAIN = 80
_NAMED = late(rb"(?:setattr|object)\(\s*([A-Za-z_][\w.]*)\s*,\s*[\"'](\w+)[\"']")
_PATCHED = late(rb"(?:setattr|patch)\(\s*[\"']([A-Za-z_][\w.]*)\.(\w+)[\"']")


@record(eq=False, repr=False)
class Targets:
    """The attributes that a text may assign to, as chains of names.

    A `local` chain begins with a global of the module, an `absolute` chain with the full name of
    a module.
    """

    local: tuple[tuple[str, ...], ...] = ()
    absolute: tuple[tuple[str, ...], ...] = ()


_NONE = Targets()
# An entry ends with its source: the same text is searched once.
_targets: weakref.WeakKeyDictionary[Source, Targets] = weakref.WeakKeyDictionary()


@record(eq=False, repr=False)
class _ModuleRun:
    """A module that runs, and the values that its targets had when it imported them."""

    node: Node
    targets: Targets
    seen: dict[tuple[int, str], tuple[Any, Any]] = field(default_factory=dict)

    def record(self, root: object, chain: Sequence[str]) -> None:
        """Record the attribute at the end of `chain`, if it belongs to a library."""
        owner, name = root, chain[-1]
        for step in chain[:-1]:
            owner = namespace_of(owner).get(step)
        if is_a(owner, ModuleType, type) and not _is_user_owned(owner):
            before = namespace_of(owner).get(name, _MISSING)
            self.seen.setdefault((id(owner), name), (owner, before))

    def record_absolute(self) -> None:
        for chain in self.targets.absolute:
            for count in range(len(chain) - 1, 0, -1):
                module = sys.modules.get(".".join(chain[:count]))
                if module is not None:
                    self.record(module, chain[count:])
                    break


_runs: list[_ModuleRun] = []


def begin_run(node: Node, source: Source) -> None:
    """Record the attributes that the run of `node` may replace, until `end_run`."""
    targets = _targets.get(source)
    if targets is None:
        targets = _targets[source] = find_targets(source.content)
    run = _ModuleRun(node, targets)
    run.record_absolute()
    _runs.append(run)


def on_import(
    full: str, module: Any, fromlist: Sequence[str] | None, importer: Mapping[str, Any] | None
) -> None:
    """Record the targets in a library that has just been imported."""
    run = _runs[-1] if _runs else None
    if run is None or run.targets is _NONE:
        return
    name = (importer or {}).get("__name__")
    if name == run.node.name:
        roots = [attribute(module, item) for item in fromlist or ()]
        for root in roots or [module, sys.modules.get(full)]:
            for chain in run.targets.local:
                run.record(root, chain[1:])
    if name == run.node.name or name in _IMPORTERS:
        run.record_absolute()


def end_run(node: Node) -> None:
    """Add an effect to `node` for each attribute that its run has replaced."""
    run = _runs.pop()
    for owner, before, name, now in [
        (owner, before, name, namespace_of(owner).get(name, _MISSING))
        for (_, name), (owner, before) in run.seen.items()
    ]:
        if now is before:
            continue
        staging = generations.staging()
        for other in staging.nodes.values() if staging else ():
            for effect in other.effects:
                if effect.kind == "patch" and effect.subject == (owner, name):
                    before = effect.after  # by a module that this module has imported
        if now is not before:
            put = functools.partial(_put, owner, name)
            release = functools.partial(_release, _patchers(owner, name))
            node.effects.append(Effect("patch", (owner, name), before, now, put, (), release))


def replaced_names(node: Node) -> list[str]:
    """List the functions and classes of libraries that a module has replaced."""
    return [
        f"{_path_of(effect.subject[0])}.{effect.subject[1]}"
        for effect in node.effects
        # `sys.excepthook` and similar hooks are meant to be replaced.
        if effect.kind == "patch"
        and (callable(effect.before) or is_a(effect.before, staticmethod, classmethod))
        and not effect.subject[1].endswith("hook")
    ]


def find_targets(content: bytes) -> Targets:
    """Search a text for the attributes that it may assign to, without parsing it."""
    local: dict[tuple[str, ...], None] = {}
    for match in _ASSIGNED.finditer(content):
        end = match.start()
        chain = _BEFORE_DOT.search(content[max(0, end - _MAX_CHAIN) : end])
        if chain is not None:
            local[_split(chain[0], match[1])] = None
    absolute: dict[tuple[str, ...], None] = {}
    if b"setattr(" in content or b"object(" in content or b"patch(" in content:
        local.update((_split(*match.groups()), None) for match in _NAMED.finditer(content))
        absolute.update((_split(*match.groups()), None) for match in _PATCHED.finditer(content))
    return Targets(tuple(local), tuple(absolute)) if local or absolute else _NONE


def _split(chain: bytes, name: bytes) -> tuple[str, ...]:
    return (*chain.decode("ascii").split("."), name.decode("ascii"))


def _is_user_owned(owner: Any) -> bool:
    home = sys.modules.get(module_of(owner)) if is_a(owner, type) else owner
    return MARK in namespace(home)


def _path_of(owner: Any) -> str:
    if is_a(owner, type):
        return f"{module_of(owner)}.{type_qualname(owner)}"
    return str(namespace(owner).get("__name__"))


def _put(owner: Any, name: str, value: Any, unless: Any) -> None:
    if namespace_of(owner).get(name, _MISSING) is not unless:
        return  # other code has replaced it since
    if value is _MISSING:
        delattr(owner, name)
    else:
        setattr(owner, name, value)


def _active_patches() -> list[Any]:
    patch = namespace(sys.modules.get("unittest.mock")).get("_patch")
    active: list[Any] = attribute(patch, "_active_patches", [])
    return active


def _patchers(owner: Any, name: str) -> list[Any]:
    return [p for p in _active_patches() if p.attribute == name and p.target is owner]


def _release(patchers: list[Any], _: Effect) -> None:
    """Remove started patchers from `mock`, whose list for `stopall` refers to the old code."""
    active = _active_patches()
    active[:] = [patcher for patcher in active if not any(patcher is old for old in patchers)]
