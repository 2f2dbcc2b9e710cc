"""Reloads the user's modules: finds the changes, makes an attempt, and reports its outcome.

Owns the decisions of a reload: whether an attempt is due, which modules run again, and whether a
rejected attempt is repeated with all modules. Runs on the runtime thread only. Never watches files,
and never publishes a generation itself (`attempt`).
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

from .. import templates
from .._core.late_module import late_module, late_modules
from .._core.objects import attribute, is_a
from .._runtime.generations import Generation, current
from . import file_inputs, held_resources
from .attempt import Attempt, Plan, lead, warm_up
from .changes import ChangeDetector, Changes
from .discovery import discover, file_of
from .env_file import EnvFile
from .loader import UserFinder
from .model import Node
from .report import (
    Failure,
    Report,
    RouteRowCache,
    diff_routes,
    diff_rows,
    inner_routes_of,
    inner_rows,
    mount_rows,
    ms_since,
)
from .retirement import Retirement
from .stage import Rejected, is_fatal, run_start_up_hooks
from .user_paths import display_path, display_root

if TYPE_CHECKING:
    from .._debug import traceback
    from . import (
        blacksheep_rules,
        broken_routes,
        django_rules,
        failures,
        late_saves,
        line_shift,
        saved_texts,
    )
    from .late_saves import Newer, SaveCheck
    from .unloaded_routes import UnloadedRoute
    from .watchdog import Watchdog
else:
    # A first load without errors needs none of them.
    traceback = late_module("snaxum._debug.traceback")
    blacksheep_rules, broken_routes, django_rules, failures = late_modules(
        "snaxum._reload", "blacksheep_rules broken_routes django_rules failures"
    )
    late_saves, line_shift, saved_texts = late_modules(
        "snaxum._reload", "late_saves line_shift saved_texts"
    )


class Reloader:
    """Loads the user's modules, at the start and after each change.

    `modules` names the entry modules; empty means every module and package found in `root`.
    """

    def __init__(
        self,
        root: str,
        modules: Sequence[str],
        *,
        with_locals: bool,
        retirement: Retirement,
        watchdog: Watchdog | None = None,
        env_file: EnvFile | None = None,
    ) -> None:
        self.root = root
        self.modules = list(modules)
        self.with_locals = with_locals
        self.retirement = retirement
        self.watchdog = watchdog
        self.env_file = env_file
        self.detector = ChangeDetector(root, display_root(), env_file)
        self.rows = RouteRowCache()
        # The finder of the serving generation.
        self.finder: UserFinder | None = None
        # The modules found in `root`, until a file is created or deleted.
        self._found: list[str] | None = None

    @functools.cached_property
    def saved(self) -> saved_texts.SavedTexts:
        """The texts of the newest saves."""
        return saved_texts.SavedTexts()

    def reload(
        self,
        paths: Iterable[str] | None = None,
        *,
        is_partial: bool = False,
        scope: str = "new",
        on_begin: Callable[[], None] | None = None,
        newer: Newer | None = None,
    ) -> Report | Literal["unchanged", "held", "overtaken"]:
        """Make one attempt: publish a new generation, or change nothing and report why.

        `paths` names the files that were written, created or deleted; None compares all files. The
        `scope` decides when an attempt is due: `new` if a file differs from the last attempt,
        `differing` also if it differs only from the serving code, `all` always, with all modules.
        If none is due, returns `unchanged`. If `is_partial`, files may be half written: a syntax
        error returns `held`, and the attempt does not count. `on_begin` is called before any
        module runs. If `newer` names a file that has changed since, nothing is published and
        nothing reported: returns `overtaken`.
        """
        plan = self._plan(paths, scope, current())
        if plan is None:
            return "unchanged"
        if plan.failures and is_partial:
            return "held"
        if on_begin is not None:
            on_begin()
        # Before the attempt: if only lines moved, it replaces the text of the serving code.
        saved = saved_texts.files_of(plan.changes) if plan.serving.number else None
        try:
            report = self._load(plan, newer)
        except late_saves.Overtaken:
            return "overtaken"
        self.detector.record_attempt(plan.changes)
        if saved is not None:
            report.save = self.saved.add(saved)
        # Also of modules that failed: the next save corrects them.
        report.code_dirs = sorted(set(map(os.path.dirname, plan.changes.sources.by_path())))
        return report

    def load(self) -> Report:
        """Load all modules for the first time, or those again that did not load."""
        made = self.reload(scope="differing")
        assert not isinstance(made, str), "a first load is never skipped"
        return made

    def start_up(self, report: Report) -> Report:
        """Run the start-up hooks and warm-ups of code that was loaded without them."""
        generation = current()

        def capture(error: BaseException) -> Failure:
            return traceback.capture(error, with_locals=self.with_locals)

        try:
            run_start_up_hooks(generation.graph.nodes.values(), self.retirement, capture)
            warm_up(generation, self.retirement, capture, lambda: None)
            lead(generation, generation)
        except Rejected as rejected:
            report.outcome, report.generation = "failed", 0
            report.failures = _distinct(rejected.failures)
        return report

    def find_unloaded_routes(self) -> Iterator[UnloadedRoute]:
        """Find the routes in files that belong to no module, loaded or broken."""
        from . import unloaded_routes

        serving = current()
        nodes = serving.graph.nodes.values()
        broken = [file_of(self.root, name) for name in serving.broken]
        return unloaded_routes.find(self.root, [*broken, *(node.path for node in nodes)])

    def _plan(self, paths: Iterable[str] | None, scope: str, serving: Generation) -> Plan | None:
        """Compare the files with the serving code, and compile them; None if nothing is due."""
        started = time.perf_counter()
        changes = self.detector.compare(paths, serving)
        if paths is None or changes.created or changes.deleted:
            self._found = None
        affected = None if scope == "all" else self._affected(changes, serving)
        is_due = changes.is_new or scope == "all" or not (serving.number or serving.broken)
        if scope == "differing":
            is_due = is_due or affected is None or bool(affected) or self._has_new_roots(changes)
        if not is_due:
            self.detector.record_attempt(changes)
            return None
        report = Report(files=[display_path(path) for path in changes.paths])
        if affected is None:
            report.strategy = "all"
        if self.env_file is not None and changes.variables is not None:
            report.reason = self.env_file.reason(changes.variables)
        elif scope == "all":
            report.reason = "requested manually"
        failed = self._compile(changes, serving)
        report.phases["compile"] = ms_since(started)
        return Plan(serving, changes, affected, report, failed)

    def _load(self, plan: Plan, newer: Newer | None) -> Report:
        report, serving, changes = plan.report, plan.serving, plan.changes

        def check(nodes: Iterable[Node], is_long: bool) -> None:
            if newer is not None:
                late_saves.check(newer, changes, nodes, self.env_file, is_long)

        if not os.path.isdir(self.root):
            error = FileNotFoundError(f"the python directory {self.root} is gone; put it back")
            return self._reject(plan, {"": self._capture(changes, error)})
        if not changes.restart_triggers and (plan.failures or plan.affected == []):
            check(serving.graph.nodes.values(), False)
        if plan.failures:
            return self._reject(plan, plan.failures)
        if changes.restart_triggers:
            # A new process loads these changes and all others.
            report.outcome, report.strategy = "noop", "restart"
            reasons = [reason for _, reason in changes.restart_triggers]
            report.reason = ", ".join(dict.fromkeys(reasons))
            report.files += [display_path(path) for path, _ in changes.restart_triggers]
            return self._finish(report, serving)
        if plan.affected == [] and not self._has_new_roots(changes):
            return self._shift_lines(plan)
        if serving.number and (
            reason := blacksheep_rules.restart_reason()
            or django_rules.restart_reason(plan.affected, serving.graph.nodes, serving.modules)
        ):
            report.outcome, report.strategy, report.reason = "noop", "restart", reason
            return self._finish(report, serving)
        while True:
            try:
                return self._attempt(plan, check)
            except Rejected as rejected:
                if rejected.may_escalate and plan.affected is not None:
                    report.strategy, report.reason = "all", rejected.reason
                    plan.affected = None
                    continue
                if rejected.may_escalate and serving.number:
                    report.strategy = "restart"
                return self._reject(plan, rejected.failures)

    def _attempt(self, plan: Plan, check: SaveCheck) -> Report:
        env_file, variables = self.env_file, plan.changes.variables
        inner = inner_routes_of(plan.serving)
        attempt = Attempt(
            plan,
            self._roots(),
            root=self.root,
            capture=functools.partial(self._capture, plan.changes),
            retirement=self.retirement,
            watchdog=self.watchdog,
            finder=self.finder,
        )
        with env_file.activate(variables) if env_file and variables else nullcontext():
            attempt.open()
            try:
                attempt.run(check, dict(env_file.values) if env_file else {})
            except BaseException as error:
                attempt.roll_back()
                if isinstance(error, (Rejected, late_saves.Overtaken)):
                    raise
                raise Rejected({"": self._capture(plan.changes, error)}) from error
            generation = attempt.commit()
        self.finder = attempt.finder
        self.detector.accept()
        report = plan.report
        for node, _ in plan.changes.shifted:
            self.rows.forget(node.routes)
        report.diff = diff_routes(plan.serving.table, generation.table, self.rows.of)
        before = mount_rows(plan.serving, inner)
        after = mount_rows(generation, inner_routes_of(generation))
        for kind, rows in diff_rows(before, after).items():
            report.diff[kind] += rows
        report.warnings += variables.warnings if variables else []
        report.failures = _distinct(generation.broken)
        return self._finish(report, generation)

    def _affected(self, changes: Changes, serving: Generation) -> list[str] | None:
        """List the modules that must run again; None is all."""
        if serving.number == 0 or changes.variables is not None:
            return None
        seeds = changes.seeds(serving.graph.nodes.values())
        gone = changes.deleted_names
        return [name for name in serving.graph.dependents(seeds) if name not in gone]

    def _compile(self, changes: Changes, serving: Generation) -> dict[str, Failure]:
        """Compile all changed files before any module runs: one error rejects all changes."""
        failed: dict[str, Failure] = {}
        if changes.variables is not None and changes.variables.error is not None:
            failed[""] = self._capture(changes, changes.variables.error)
        files = {node.name: node.path for node in changes.changed}
        for path, name in changes.created.items():
            if name in self._roots() or _is_imported(name, serving):
                files[name] = path
        for name, path in files.items():
            if not is_fatal(name, serving):
                continue
            source = changes.sources.cached(path)
            try:
                if source is not None:
                    source.compile()
            except (SyntaxError, OSError, RecursionError, MemoryError, OverflowError) as error:
                failed[name] = self._capture(changes, error)
        return failed

    def _shift_lines(self, plan: Plan) -> Report:
        """Update line numbers; no module runs, and the generation stays the same."""
        report, serving, changes = plan.report, plan.serving, plan.changes
        report.outcome = "noop"
        report.failures = _distinct(serving.broken)
        started = time.perf_counter()
        rows = {route.id: self.rows.of(route) for route in serving.routes}
        if changes.shifted:
            report.strategy, report.reason = "lines", "only comments, blank lines or layout changed"
            for node, source in changes.shifted:
                line_shift.apply(node, source, serving.modules.get(node.name))
                self.rows.forget(node.routes)
        else:
            names = ", ".join(sorted(changes.created.values()))
            report.strategy = "none"
            report.reason = (
                f"no loaded module imports {names}" if names else "the files match the serving code"
            )
        self.detector.accept()
        report.phases["commit"] = ms_since(started)
        report.diff = diff_rows(rows, {route.id: self.rows.of(route) for route in serving.routes})
        return self._finish(report, serving)

    def _reject(self, plan: Plan, failed: Mapping[str, Failure]) -> Report:
        plan.report.outcome = "failed"
        plan.report.failures = _distinct(failed)
        serving = plan.serving
        if not serving.number:  # a start-up hook or a warm-up; there is no older code
            serving.broken = {name: each for name, each in failed.items() if name}
            files = {name: file_of(self.root, name) for name in serving.broken}
            broken = broken_routes.BrokenRoutes(files, plan.changes.sources)
            serving.broken_routes = broken.module_for
        return self._finish(plan.report, serving)

    def _finish(self, report: Report, generation: Generation) -> Report:
        """Complete the report with the state of the generation that is serving now."""
        report.generation = generation.number
        report.routes = [
            {**row, "generation": generation.number}
            for route in generation.routes
            for row in (self.rows.of(route), *inner_rows(route))
        ]
        mounts = generation.static_mounts
        report.routes += [
            {**mount.to_dict(display_root()), "generation": generation.number} for mount in mounts
        ]
        report.static_mounts = [mount.to_rust() for mount in mounts]
        report.broken = list(generation.broken)
        report.module_count = len(generation.modules)
        report.inputs = self.detector.inputs(generation.graph.nodes.values())
        asset_dirs = [mount.directory for mount in mounts] + [templates.directory()]
        report.asset_dirs = list(dict.fromkeys(asset_dirs))
        report.outputs = file_inputs.outputs()
        report.held = held_resources.held()
        report.notes += self.retirement.take_leaks()
        if self.watchdog is not None and self.watchdog.stack:
            report.notes.append(f"a module took long to load; its stack:\n{self.watchdog.stack}")
        return report

    def _has_new_roots(self, changes: Changes) -> bool:
        """Report whether an attempt could load entry modules that are not loaded now."""
        return (
            bool(changes.deleted)
            or any(name in self._roots() for name in changes.created.values())
            or bool(current().broken)
        )

    def _roots(self) -> list[str]:
        if self.modules:
            return self.modules
        if self._found is None:
            try:
                self._found = discover(self.root)
            except OSError:
                return []  # the directory is gone: `_load` reports it
        return self._found

    def _capture(self, changes: Changes, error: BaseException) -> Failure:
        failure = traceback.capture(error, with_locals=self.with_locals)
        failure["address"] = held_resources.last_address()
        name = attribute(error, "name") if is_a(error, ImportError) else None
        deleted = {node.name: node.path for node in changes.deleted}
        if type(name) is str and name in deleted:
            failure["hint"] = (
                f"`{display_path(deleted[name])}` was deleted but is still imported; "
                "put it back or remove the import"
            )
        return failure


def _distinct(failed: Mapping[str, Failure]) -> list[Failure]:
    return failures.distinct(failed) if failed else []


def _is_imported(name: str, serving: Generation) -> bool:
    """Report whether a module of this name is loaded, or an import of it has failed."""
    nodes = serving.graph.nodes
    return name in nodes or any(name in node.missing_imports for node in nodes.values())
