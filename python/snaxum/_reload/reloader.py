"""Builds a new generation from what has changed and swaps it in whole, or not at all.

Owns the steps of a reload: compare, compile, stage, commit, roll back. Runs on the runtime thread
alone. Never watches files and never answers a request: what serves keeps serving until
`state.publish`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import ModuleType
from typing import Literal

from .._debug import traceback as _traceback
from .._runtime import generations as state
from . import effects, file_inputs, line_shift, loader, migrate
from .changes import Changes, Watch
from .discovery import discover
from .drain import Drain
from .env_file import EnvFile
from .model import Kept, Node, Source
from .report import Failure, Report, Rows, diff_routes, diff_rows
from .stage import Rejected, Stage, is_fatal
from .warnings import warnings
from .watchdog import Watchdog

# How long a reload waits for the end of an import in a running handler.
HANDLER_IMPORT_WAIT_S = 2.0


@dataclass
class Plan:
    """What an attempt is going to do."""

    report: Report
    changes: Changes
    # The modules that run again, in recorded order; None is all.
    cone: list[str] | None
    failures: dict[str, Failure] = field(default_factory=dict)


class Reloader:
    """Loads the user's modules, again and again.

    `modules` names what to load; empty means every module and package found in `root`.
    """

    def __init__(
        self,
        root: str,
        modules: Sequence[str],
        *,
        with_locals: bool,
        drain: Drain,
        watchdog: Watchdog | None = None,
        env_file: EnvFile | None = None,
    ) -> None:
        self.root = root
        self.modules = list(modules)
        self.with_locals = with_locals
        self.drain = drain
        self.watchdog = watchdog
        # Without dev mode nobody notes who imports whom.
        self.reloads = watchdog is not None
        self.finder: loader.UserFinder | None = None
        self.watch = Watch(root, loader.display_root(), env_file)
        self.rows = Rows()
        # What was found in `root`, until a file comes or goes.
        self._found: list[str] | None = None
        # Modules whose file is gone, with the file, for the explanation of failures.
        self.deleted: dict[str | None, str] = {}

    def reload(
        self,
        paths: Iterable[str] | None = None,
        *,
        is_partial: bool = False,
        extent: str = "new",
        on_begin: Callable[[], None] | None = None,
    ) -> Report | Literal["unchanged", "held"]:
        """Make one attempt: publish a new generation, or change nothing and report why.

        `paths` names the files that were written, made or removed; None compares all files. By
        `extent` an attempt is due if a file is `new` since the last one, also if it was tried and
        still is `differing` from the serving code, or in any case, and runs `all` modules. With
        none due, returns `unchanged`. With `is_partial`, a file may be half written: a syntax
        error returns `held`, and the attempt does not count. `on_begin` is called before the
        first module runs.
        """
        serving = state.current()
        plan = self._plan(paths, extent, serving)
        if plan is None:
            return "unchanged"
        if plan.failures and is_partial:
            self.watch.take_back()
            return "held"
        if on_begin is not None:
            on_begin()
        return self._load(plan, serving)

    def _plan(
        self, paths: Iterable[str] | None, extent: str, serving: state.Generation
    ) -> Plan | None:
        """Compare the files with the serving code, and compile them; None if nothing is due."""
        started = time.perf_counter()
        report = Report()
        changes, is_new = self.watch.compare(paths, serving)
        if paths is None or changes.created or changes.deleted:
            self._found = None
        cone = None if extent == "all" else self._cone(changes, serving)
        is_due = is_new or extent == "all" or not (serving.number or serving.broken)
        if extent == "differing":
            is_due = is_due or cone is None or bool(cone) or self._has_new_roots(changes)
        if not is_due:
            return None
        self.deleted = {node.name: node.path for node in changes.deleted}
        report.files = [loader.display_path(path) for path in changes.paths]
        if cone is None:
            report.strategy = "all"
        if self.watch.env_file is not None and changes.variables is not None:
            report.reason = self.watch.env_file.reason(changes.variables)
        elif extent == "all":
            report.reason = "asked for by hand"
        failures = self._compile(changes, cone, serving)
        report.phases["compile"] = _ms_since(started)
        return Plan(report, changes, cone, failures)

    def _load(self, plan: Plan, serving: state.Generation) -> Report:
        report = plan.report
        if not os.path.isdir(self.root):
            gone = FileNotFoundError(f"the python directory {self.root} is gone; put it back")
            return self._reject(report, {"": self._capture(gone)}, serving)
        if plan.failures:
            return self._reject(report, plan.failures, serving)
        if plan.changes.outside:
            # A new process takes everything over, this change and whatever else there is.
            report.outcome, report.strategy = "noop", "restart"
            report.reason = ", ".join(dict.fromkeys(reason for _, reason in plan.changes.outside))
            report.files += [loader.display_path(path) for path, _ in plan.changes.outside]
            return self._finish(report, serving)
        if plan.cone is not None and not plan.cone and not self._has_new_roots(plan.changes):
            return self._shift_only(plan, serving)
        while True:
            try:
                return self._attempt(plan, serving)
            except Rejected as rejected:
                # It may be that something in a library does not take the same thing twice.
                if rejected.may_climb and plan.cone is not None:
                    report.strategy, report.reason = "all", rejected.reason
                    plan.cone = None
                    continue
                if rejected.may_climb and serving.number:
                    report.strategy = "restart"
                return self._reject(report, rejected.failures, serving)

    def _cone(self, changes: Changes, serving: state.Generation) -> list[str] | None:
        if serving.number == 0 or changes.variables is not None:
            return None
        seeds = changes.seeds(serving.graph.nodes.values())
        gone = changes.deleted_names
        return [name for name in serving.graph.cone(seeds) if name not in gone]

    def _compile(
        self, changes: Changes, cone: list[str] | None, serving: state.Generation
    ) -> dict[str, Failure]:
        """Compile every file that is known, before anything runs: one error rejects the batch."""
        failures: dict[str, Failure] = {}
        if changes.variables is not None and changes.variables.error is not None:
            failures[""] = self._capture(changes.variables.error)
        files = {node.name: node.path for node in changes.changed}
        for path, name in changes.created.items():
            if name in self._roots() or self._is_awaited(name, serving):
                files[name] = path
        for name, path in files.items():
            if not is_fatal(name, serving):
                continue
            source = changes.sources.kept(path)
            try:
                if source is not None:
                    source.compile()
            except (SyntaxError, OSError, RecursionError, MemoryError, OverflowError) as error:
                failures[name] = self._capture(error)
        return failures

    def _attempt(self, plan: Plan, serving: state.Generation) -> Report:
        env_file, variables = self.watch.env_file, plan.changes.variables
        with env_file.put(variables) if env_file and variables else nullcontext():
            return self._run(plan, serving)

    def _run(self, plan: Plan, serving: state.Generation) -> Report:
        graph, report = serving.graph, plan.report
        names = list(graph.nodes) if plan.cone is None else plan.cone
        leaving = {*names, *plan.changes.deleted_names}
        old = [graph.nodes[name] for name in graph.nodes if name in leaving]
        saved = dict(serving.modules)
        # A handler may be in the middle of its first import of a module.
        loader.wait_for_handlers(HANDLER_IMPORT_WAIT_S)
        self._call_hooks(old, "unload", exclusive=True)
        effects.make_room(old)
        staging = state.Staging(threading.get_ident(), dict(graph.nodes))
        for name in leaving:
            staging.nodes.pop(name, None)
        sources, roots = plan.changes.sources, self._roots()
        stage = Stage(staging, serving, sources, self.root, self._capture)
        staging.environ = {
            effect.subject: effect.before
            for node in reversed(old)
            for effect in node.effects
            if effect.kind == "environ"
        }
        started = time.perf_counter()
        finder = loader.install(sources)
        for name in leaving:
            sys.modules.pop(name, None)
        state.stage(staging)
        try:
            # At the first start nothing serves yet, and a library may take its time.
            with (self.watchdog if serving.number else None) or nullcontext():
                stage.run(roots)
            generation = stage.generation(roots, prune=self.reloads, drain=self.drain)
            report.phases["stage"] = _ms_since(started)
            report.modules = [
                {"name": name, "ms": round(ms * 1e3, 3)}
                for name, ms in finder.timings.items()
                if name in generation.modules
            ]
        except BaseException as error:
            fresh = [node for name, node in staging.nodes.items() if name not in stage.carried]
            self._roll_back(saved, fresh, old)
            self.drain.reject(fresh)
            state.stage(None)
            staging.over.set()
            report.phases["stage"] = _ms_since(started)
            self._release(staging.kept.items(), serving)
            self._call_hooks(old, "resume")
            if isinstance(error, Rejected):
                raise
            raise Rejected({"": self._capture(error)}) from error
        started = time.perf_counter()
        fresh = [node for name, node in generation.graph.nodes.items() if name not in stage.carried]
        effects.take_over(old, fresh)
        after = generation.graph.nodes
        # Nothing imports these any more.
        effects.undo([graph.nodes[n] for n in graph.nodes if n not in after and n not in leaving])
        report.state_reset = self._lost_state(old, serving, generation)
        report.warnings = warnings(old, fresh, generation.graph, self.root)
        self.finder = finder
        for node, source in plan.changes.shifted:
            if node.name in stage.carried:
                self._shift(node, source, serving.modules.get(node.name))
        report.warnings += migrate.meet(serving, generation, leaving)
        self._publish(serving, generation)
        state.stage(None)
        staging.over.set()
        report.phases["commit"] = _ms_since(started)
        report.diff = diff_routes(serving.table, generation.table, self.rows.of)
        report.failures = [{"module": n, "traceback": f} for n, f in generation.broken.items()]
        return self._finish(report, generation)

    def _publish(self, serving: state.Generation, generation: state.Generation) -> None:
        after = generation.graph.nodes
        serving.leaving = [
            node for name, node in serving.graph.nodes.items() if after.get(name) is not node
        ]
        ended = [
            (key, value)
            for key, value in serving.kept.items()
            if generation.kept.get(key) is not value
        ]
        if self.watch.env_file is not None:
            generation.variables = dict(self.watch.env_file.values)
        state.publish(generation)
        self.watch.settle()
        self.drain.retire(serving, ended)

    def _shift_only(self, plan: Plan, serving: state.Generation) -> Report:
        """Move lines, where that is all; no module runs, and the generation stays."""
        report = plan.report
        report.outcome = "noop"
        started = time.perf_counter()
        before = serving.routes
        rows = {route.id: self.rows.of(route) for route in before}
        if plan.changes.shifted:
            report.strategy, report.reason = "lines", "only comments, blank lines or layout changed"
            for node, source in plan.changes.shifted:
                self._shift(node, source, serving.modules.get(node.name))
            self.watch.settle()
        else:
            names = ", ".join(sorted(plan.changes.created.values()))
            report.strategy = "none"
            report.reason = (
                f"{names}: not imported by anything"
                if names
                else "the files hold again what is served"
            )
        report.phases["commit"] = _ms_since(started)
        report.diff = diff_rows(rows, {route.id: self.rows.of(route) for route in before})
        return self._finish(report, serving)

    def _shift(self, node: Node, source: Source, module: ModuleType | None) -> None:
        old, node.source = node.source, source
        if module is None or old is None or old.code is None:
            return
        handlers = [route.handler for route in node.routes]
        line_shift.exchange(module, handlers, old.code, source.compile())
        made_by = getattr(module.__spec__, "loader", None)
        if isinstance(made_by, loader.UserLoader):
            made_by.source = source
        sources = state.current().sources
        if sources is not None:
            sources.replace(source)
        self.rows.forget(node.routes)

    def _roll_back(
        self, saved: Mapping[str, ModuleType], fresh: Sequence[Node], old: Sequence[Node]
    ) -> None:
        for name in loader.user_modules():
            sys.modules.pop(name, None)
        sys.modules.update(saved)
        effects.undo(fresh)
        effects.restore(old)
        loader.restore(self.finder)

    def _reject(
        self, report: Report, failures: Mapping[str, Failure], serving: state.Generation
    ) -> Report:
        report.outcome = "failed"
        report.failures = [{"module": name, "traceback": f} for name, f in failures.items()]
        return self._finish(report, serving)

    def _finish(self, report: Report, serving: state.Generation) -> Report:
        report.generation = serving.number
        report.routes = [
            {**self.rows.of(route), "generation": serving.number} for route in serving.routes
        ]
        report.broken = list(serving.broken)
        nodes = serving.graph.nodes.values()
        report.inputs = self.watch.inputs(nodes)
        report.outputs = file_inputs.outputs()
        report.notes += self.drain.take_leaks()
        if self.watchdog is not None and self.watchdog.stack:
            report.notes.append(f"a module took long to load; it was at\n{self.watchdog.stack}")
        return report

    def _is_awaited(self, name: str, serving: state.Generation) -> bool:
        return name in serving.graph.nodes or any(
            name in node.wanted for node in serving.graph.nodes.values()
        )

    def _has_new_roots(self, changes: Changes) -> bool:
        return (
            bool(changes.deleted)
            or any(name in self._roots() for name in changes.created.values())
            or bool(state.current().broken)
        )

    def _roots(self) -> list[str]:
        if self.modules:
            return self.modules
        if self._found is None:
            try:
                self._found = discover(self.root)
            except OSError:
                return []  # it is gone, which is said elsewhere
        return self._found

    def _lost_state(
        self, old: Iterable[Node], serving: state.Generation, generation: state.Generation
    ) -> list[str]:
        return [
            f"{node.name}.{name}"
            for node in old
            if node.name in generation.modules and node.name in serving.modules
            for name in line_shift.lost_state(serving.modules[node.name], node.globals_seen)
        ]

    def _call_hooks(self, nodes: Sequence[Node], when: str, *, exclusive: bool = False) -> None:
        for node in reversed(nodes):
            node.has_let_go = exclusive
            for hook in node.hooks:
                if hook.when == when and hook.exclusive == exclusive:
                    self.drain.call(node, hook)

    def _release(self, kept: Iterable[tuple[str, Kept]], serving: state.Generation) -> None:
        """Unload what a rejected generation has made."""
        made = [(key, value) for key, value in kept if serving.kept.get(key) is not value]
        if made:
            self.drain.release(made)

    def _capture(self, error: BaseException) -> Failure:
        failure = _traceback.capture(error, with_locals=self.with_locals)
        name = error.name if isinstance(error, ImportError) else None
        if name in self.deleted:
            failure["hint"] = (
                f"`{loader.display_path(self.deleted[name])}` was deleted, and is still imported; "
                "put it back or remove the import"
            )
        return failure


def _ms_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1e3, 3)
