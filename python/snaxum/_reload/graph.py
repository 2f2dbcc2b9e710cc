"""The import graph of the user's modules: it decides which modules a change reaches.

Owns the edges between nodes and the search along them. Edges of imports are recorded while modules
run; edges of the functions, which have not run yet, come from their code. Never loads a module and
never reads a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import CodeType
from typing import TYPE_CHECKING

from .._core.late_module import late_module
from .model import Node

if TYPE_CHECKING:
    import dis
    import opcode
else:
    dis, opcode = map(late_module, ("dis", "opcode"))


class Graph:
    """The nodes of one generation, in the order in which their runs ended."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self.nodes = {node.name: node for node in nodes}

    def dependents(self, seeds: Iterable[str]) -> list[str]:
        """List the seeds and all direct and indirect importers of them, in recorded order."""
        importers: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for name in node.imports | node.deferred_imports:
                importers.setdefault(name, []).append(node.name)
        reached = set(seeds)
        waiting = list(reached)
        while waiting:
            for importer in importers.get(waiting.pop(), ()):
                if importer not in reached:
                    reached.add(importer)
                    waiting.append(importer)
        return [name for name in self.nodes if name in reached]

    def reachable(self, roots: Iterable[str]) -> set[str]:
        """Return the modules that a new process would load: `roots` and all their imports."""
        found: set[str] = set()
        waiting = [name for name in roots if name in self.nodes]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            parent, node = name.rpartition(".")[0], self.nodes[name]
            edges = node.imports | ({parent} if parent else set())
            edges |= {other for other in node.deferred_imports if self._is_lazy(other)}
            waiting.extend(other for other in edges if other in self.nodes)
        return found

    def _is_lazy(self, name: str) -> bool:
        return name in self.nodes and self.nodes[name].imported_lazily


def imports_of(code: CodeType, module: str, is_package: bool) -> Iterator[str]:
    """Yield all names that a module's code imports, whether that code runs or not."""
    yield from _imports_in(code, module if is_package else module.rpartition(".")[0])


def imports_of_functions(code: CodeType, module: str, is_package: bool) -> Iterator[str]:
    """Yield the names that functions of a module import when they are called."""
    package = module if is_package else module.rpartition(".")[0]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imports_in(constant, package)


def _imports_in(code: CodeType, package: str) -> Iterator[str]:
    import_name = opcode.opmap["IMPORT_NAME"]
    # Most functions import nothing, and a search of the bytes is fast.
    if import_name in code.co_code[::2]:
        before: list[object] = []
        for instruction in dis.get_instructions(code):
            if instruction.opcode == import_name and len(before) >= 2:
                level, items = before[-2:]
                yield from _targets(str(instruction.argval), level, items, package)
            if instruction.opname.startswith(("LOAD_CONST", "LOAD_SMALL_INT")):
                before.append(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _imports_in(constant, package)


def _targets(name: str, level: object, items: object, package: str) -> Iterator[str]:
    if isinstance(level, int) and level > 0:
        base = package.rsplit(".", level - 1)[0] if level > 1 else package
        name = f"{base}.{name}" if name else base
    if isinstance(items, tuple):
        yield name
        yield from (f"{name}.{item}" for item in items if item != "*")
        return
    parts = name.split(".")
    yield from (".".join(parts[: count + 1]) for count in range(len(parts)))
