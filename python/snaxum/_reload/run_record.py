"""The record of one run of a module, for the reload that replaces or rejects the run.

Owns the comparison of before and after: effects, threads, the files that it read, its globals.
Production makes none at its start: there no run is ever replaced. Never runs a module.
"""

from __future__ import annotations

import threading
from types import CodeType, ModuleType

from .._runtime.generations import Staging
from . import effects, file_inputs, module_state
from .graph import imports_of_functions
from .model import Node, Source


class RunRecord:
    """The effects and the inputs of a module that runs, from the construction on."""

    def __init__(self, node: Node, source: Source, code: CodeType, *, is_package: bool) -> None:
        self._node = node
        node.deferred_imports.update(imports_of_functions(code, node.name, is_package))
        effects.patches.begin_run(node, source)
        self._lists = effects.snapshot_lists()
        self._threads = {id(thread): thread for thread in threading.enumerate()}

    def end(self, staging: Staging, *, has_failed: bool) -> None:
        """Record the effects, or undo the effects of a run that has failed."""
        node = self._node
        effects.record_additions(node, self._lists)
        effects.patches.end_run(node)
        if has_failed:
            # Another importer may run it again, and would take its effects for older ones.
            effects.undo([node])
            node.effects.clear()
        nested = {name for other in staging.nodes.values() for name in other.threads}
        started = [t.name for t in threading.enumerate() if id(t) not in self._threads]
        node.threads = [name for name in started if name not in nested]

    def complete(self, module: ModuleType) -> None:
        """Record the state at the end, once the module no longer counts as running."""
        file_inputs.digest_inputs(self._node)
        self._node.globals_seen = module_state.snapshot_globals(module)
