"""What modules put in the place of a library's: `time.sleep = mine`, `patch("x.y").start()`.

Owns the comparison of such attributes before and after a run. The text of a module says which:
those it assigns to, or names in `setattr`, `patch` or `patch.object`, of modules that it imports
and of classes in them. All others cost nothing, and are not seen: a name that is put together at
run time, `vars(time)["sleep"] = mine`, `patch.multiple`, what a library's function patches for the
module, and whatever happens in a pool worker.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from ..._runtime import generations as state
from ..model import MARK, Effect, Node, Source

_MISSING = object()
# Who imports a module that is named in a text.
_IMPORTERS = ("unittest.mock", "mock", "mock.mock", "pkgutil", "importlib")

# Begins with the dot, for which the search is fast.
_ASSIGNED = re.compile(rb"\.(?<!\bself\.)(?<!\bcls\.)([A-Za-z_]\w*)\s*=(?!=)")
_BEFORE_DOT = re.compile(rb"[A-Za-z_][\w.]*$")
_MAX_CHAIN = 80
_NAMED = re.compile(rb"(?:setattr|object)\(\s*([A-Za-z_][\w.]*)\s*,\s*[\"'](\w+)[\"']")
_PATCHED = re.compile(rb"(?:setattr|patch)\(\s*[\"']([A-Za-z_][\w.]*)\.(\w+)[\"']")


@dataclass(frozen=True)
class Targets:
    """The attributes that a text may assign to: chains of names, from a global or from the top."""

    local: tuple[tuple[str, ...], ...] = ()
    absolute: tuple[tuple[str, ...], ...] = ()


_NONE = Targets()


@dataclass(eq=False)
class _Run:
    """A module that runs, and what its targets held when it came by them."""

    node: Node
    targets: Targets
    seen: dict[tuple[int, str], tuple[Any, Any]] = field(default_factory=dict)

    def look(self, root: object, chain: Sequence[str]) -> None:
        """Note what the attribute at the end of `chain` is, if it is a library's."""
        owner, name = root, chain[-1]
        for step in chain[:-1]:
            if not isinstance(owner, (ModuleType, type)):
                return
            owner = vars(owner).get(step)
        if isinstance(owner, (ModuleType, type)) and not _is_users(owner):
            before = vars(owner).get(name, _MISSING)
            self.seen.setdefault((id(owner), name), (owner, before))

    def look_at_absolute(self) -> None:
        for chain in self.targets.absolute:
            for count in range(len(chain) - 1, 0, -1):
                module = sys.modules.get(".".join(chain[:count]))
                if module is not None:
                    self.look(module, chain[count:])
                    break


_runs: list[_Run] = []


def begin(node: Node, source: Source) -> None:
    """Look from now on at what the run of `node` may replace."""
    if source.targets is None:
        source.targets = targets_of(source.content)
    run = _Run(node, source.targets)
    run.look_at_absolute()
    _runs.append(run)


def see(
    full: str, module: Any, fromlist: Sequence[str] | None, importer: Mapping[str, Any] | None
) -> None:
    """Look at a library that has just been imported."""
    run = _runs[-1] if _runs else None
    if run is None or run.targets is _NONE:
        return
    name = (importer or {}).get("__name__")
    if name == run.node.name:
        roots = [getattr(module, item, None) for item in fromlist or ()]
        for root in roots or [module, sys.modules.get(full)]:
            for chain in run.targets.local:
                run.look(root, chain[1:])
    if name == run.node.name or name in _IMPORTERS:
        run.look_at_absolute()


def settle(node: Node) -> None:
    """Note what the run of `node`, which has ended, has replaced."""
    run = _runs.pop()
    for owner, before, name, now in [
        (owner, before, name, vars(owner).get(name, _MISSING))
        for (_, name), (owner, before) in run.seen.items()
    ]:
        if now is before:
            continue
        staging = state.staging()
        for other in staging.nodes.values() if staging else ():
            for effect in other.effects:
                if effect.kind == "patch" and effect.subject == (owner, name):
                    before = effect.after  # by a module that this one has imported
        if now is not before:
            put = functools.partial(_put, owner, name)
            forget = functools.partial(_forget, _patchers(owner, name))
            node.effects.append(Effect("patch", (owner, name), before, now, put, (), forget))


def replaced(node: Node) -> list[str]:
    """Name the functions and classes of libraries that a module has replaced."""
    return [
        f"{_path_of(effect.subject[0])}.{effect.subject[1]}"
        for effect in node.effects
        # `sys.excepthook` and its like are there to be replaced.
        if effect.kind == "patch"
        and (callable(effect.before) or isinstance(effect.before, (staticmethod, classmethod)))
        and not effect.subject[1].endswith("hook")
    ]


def targets_of(content: bytes) -> Targets:
    """Find what a text assigns to, as far as its words show it."""
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


def _is_users(owner: ModuleType | type) -> bool:
    home = owner if isinstance(owner, ModuleType) else sys.modules.get(owner.__module__)
    return home is not None and MARK in vars(home)


def _path_of(owner: ModuleType | type) -> str:
    if isinstance(owner, ModuleType):
        return owner.__name__
    return f"{owner.__module__}.{owner.__qualname__}"


def _put(owner: Any, name: str, value: Any, unless: Any) -> None:
    if vars(owner).get(name, _MISSING) is not unless:
        return  # somebody else has replaced it since
    if value is _MISSING:
        delattr(owner, name)
    else:
        setattr(owner, name, value)


def _active_patches() -> list[Any]:
    patch = getattr(sys.modules.get("unittest.mock"), "_patch", None)
    return getattr(patch, "_active_patches", [])


def _patchers(owner: Any, name: str) -> list[Any]:
    return [p for p in _active_patches() if p.attribute == name and p.target is owner]


def _forget(patchers: list[Any], _: Effect) -> None:
    """Let `mock` forget what was started, which holds the old code for the sake of `stopall`."""
    active = _active_patches()
    active[:] = [one for one in active if not any(one is old for old in patchers)]
