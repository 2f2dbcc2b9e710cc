"""One attempt to replace the serving generation: `open`, `run`, then `commit` or `roll_back`.

Owns the state that a failed attempt restores: modules, effects, hooks and kept values. The serving
generation keeps serving until `commit`. Never decides whether an attempt is due (`reloader`).
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from .._core.late_module import late_modules
from .._core.objects import namespace
from .._core.records import field, record
from .._runtime import generations
from .._runtime.generations import Generation, Staging
from . import loader
from .changes import Changes
from .model import Node
from .report import Failure, Report, ms_since
from .retirement import Retirement
from .stage import Rejected, Stage
from .user_paths import display_path
from .warnings import warnings

if TYPE_CHECKING:
    from . import (
        django_rules,
        effects,
        executors,
        line_shift,
        migrate,
        module_state,
        repeated_calls,
    )
    from .late_saves import SaveCheck
    from .watchdog import Watchdog
else:
    # Not for a first load, which replaces nothing.
    django_rules, effects, executors, line_shift = late_modules(
        "snaxum._reload", "django_rules effects executors line_shift"
    )
    migrate, module_state, repeated_calls = late_modules(
        "snaxum._reload", "migrate module_state repeated_calls"
    )

# The longest wait for an import in a running handler to end.
HANDLER_IMPORT_WAIT_S = 2.0

# Whether this process serves requests; otherwise its routes are only listed.
warms_up = False


@record(eq=False, repr=False)
class Plan:
    """The work of an attempt."""

    serving: Generation
    changes: Changes
    # The modules that run again, in recorded order; None is all modules.
    affected: list[str] | None
    report: Report
    # Modules that do not compile.
    failures: dict[str, Failure] = field(default_factory=dict)


class Attempt:
    """One attempt to replace the serving generation; it fills the report of its plan."""

    finder: loader.UserFinder
    stage: Stage
    generation: Generation

    def __init__(
        self,
        plan: Plan,
        roots: Sequence[str],
        *,
        root: str,
        capture: Callable[[BaseException], Failure],
        retirement: Retirement,
        watchdog: Watchdog | None,
        finder: loader.UserFinder | None,
    ) -> None:
        """Prepare an attempt to load `roots`; `finder` is that of the serving generation."""
        self.serving, self.changes, self.report = plan.serving, plan.changes, plan.report
        self.roots = roots
        self.root = root
        self.capture = capture
        self.retirement = retirement
        # Only with live reload: without it, imports are not recorded.
        self.watchdog = watchdog
        self.old_finder = finder
        nodes = self.serving.graph.nodes
        affected = list(nodes) if plan.affected is None else plan.affected
        self.leaving = {*affected, *self.changes.deleted_names}
        # The runs that this attempt replaces.
        self.old = [nodes[name] for name in nodes if name in self.leaving]
        self.old_modules = dict(self.serving.modules)

    def open(self) -> None:
        """Take the old runs out of the process, so that their modules can run again."""
        # A handler may be in the middle of its first import of a module.
        loader.wait_for_handlers(HANDLER_IMPORT_WAIT_S)
        if self.serving.number:
            executors.before_reload()
        self._call_hooks("unload", exclusive=True)
        if self.old:
            effects.suspend(self.old)
        staging = Staging(threading.get_ident(), dict(self.serving.graph.nodes))
        for name in self.leaving:
            staging.nodes.pop(name, None)
        sources = self.changes.sources
        self.stage = Stage(staging, self.serving, sources, self.root, self.capture)
        staging.environ = {
            effect.subject: effect.before
            for node in reversed(self.old)
            for effect in node.effects
            if effect.kind == "environ"
        }
        self._started = time.perf_counter()
        self.finder = loader.install(sources)
        for name in self.leaving:
            sys.modules.pop(name, None)
        generations.stage(staging)

    def run(self, check: SaveCheck, variables: dict[str, str]) -> None:
        """Load the modules and build the generation. Raises Rejected, or Overtaken from `check`.

        `check` is called with the nodes of the generation, before start-up hooks run and while
        handlers warm up. The active `variables` become variables of the generation.
        """
        # A first start has no time limit: no older code is serving, and a library may need long.
        watchdog = self.watchdog if self.serving.number else None
        with watchdog or nullcontext():
            self.stage.run(self.roots)
            named = self._url_modules()
            self.stage.run(named)
        roots = [*self.roots, *named]
        nodes = self.stage.staging.nodes
        hooks = [hook for node in self._fresh(nodes) for hook in node.hooks]
        is_checked = any(hook.when == "startup" for hook in hooks)
        if is_checked:
            check(nodes.values(), False)
        prune = self.watchdog is not None
        try:
            self.generation = self.stage.build(roots, prune=prune, retirement=self.retirement)
        finally:
            if not is_checked:
                check(nodes.values(), False)
        self.generation.variables = variables
        self._warm_up(lambda: check(nodes.values(), True))
        self.report.phases["stage"] = ms_since(self._started)
        nodes = self.generation.graph.nodes
        self.report.modules = [
            {"name": name, "ms": round(seconds * 1e3, 3), "file": display_path(nodes[name].path)}
            for name, seconds in self.finder.timings.items()
            if name in self.generation.modules and name in nodes
        ]

    def commit(self) -> Generation:
        """Publish the new generation, and let the old one drain."""
        started = time.perf_counter()
        serving, generation = self.serving, self.generation
        before, after = serving.graph.nodes, generation.graph.nodes
        fresh = self._fresh(after)
        if self.old:
            effects.transfer(self.old, fresh)
        # No module imports these any more.
        dropped = [name for name in before if name not in after and name not in self.leaving]
        if dropped:
            effects.undo([before[name] for name in dropped])
        self.report.state_reset = self._lost_state()
        self.report.warnings = warnings(self.old, fresh, generation.graph, self.root)
        for node, source in self.changes.shifted:
            if node.name in self.stage.carried:
                line_shift.apply(node, source, serving.modules.get(node.name))
        if serving.kept:
            self.report.warnings += migrate.migrate_kept(serving, generation, self.leaving)
        if serving.modules:
            from . import removed_names  # a first load removes no name

            self.report.warnings += removed_names.warnings(
                serving.modules, generation.modules, generation.graph
            )
        serving.leaving = [node for name, node in before.items() if after.get(name) is not node]
        kept = generation.kept
        ended = [(key, value) for key, value in serving.kept.items() if kept.get(key) is not value]
        if self.old:
            repeated_calls.remember(self.old)
        generations.publish(generation)
        lead(serving, generation)
        if _has_django_urls():
            django_rules.after_reload(after.values())
        if serving.number:
            self.report.notes += executors.on_reload(serving)
        self.retirement.retire(serving, ended)
        self._close()
        self.report.phases["commit"] = ms_since(started)
        return generation

    def roll_back(self) -> None:
        """Restore the process as it was before `open`."""
        staging = self.stage.staging
        fresh = self._fresh(staging.nodes)
        for name in loader.user_modules():
            sys.modules.pop(name, None)
        sys.modules.update(self.old_modules)
        effects.undo(fresh)
        effects.resume(self.old)
        loader.restore(self.old_finder)
        self.retirement.reject(fresh)
        self._close()
        self.report.phases["stage"] = ms_since(self._started)
        kept = self.serving.kept
        self.retirement.release(
            [(key, value) for key, value in staging.kept.items() if kept.get(key) is not value]
        )
        self._call_hooks("resume")

    def _url_modules(self) -> list[str]:
        if not _has_django_urls():
            return []
        return django_rules.url_modules(self.stage.staging.nodes.values())

    def _warm_up(self, check: Callable[[], None]) -> None:
        """Warm up the new handlers. Raises Rejected, or what `check` raises meanwhile."""
        try:
            warm_up(self.generation, self.retirement, self.capture, check)
        except BaseException:
            # A warm-up keeps its values in the generation, and `roll_back` releases those staged.
            self.stage.staging.kept.update(self.generation.kept)
            raise

    def _close(self) -> None:
        generations.stage(None)
        self.stage.staging.over.set()

    def _fresh(self, nodes: dict[str, Node]) -> list[Node]:
        """List the runs of this attempt."""
        return [node for name, node in nodes.items() if name not in self.stage.carried]

    def _call_hooks(self, when: str, *, exclusive: bool = False) -> None:
        for node in reversed(self.old):
            node.released_exclusive = exclusive
            for hook in node.hooks:
                if hook.when == when and hook.exclusive == exclusive:
                    self.retirement.run_hook(node, hook)

    def _lost_state(self) -> list[str]:
        """List the changed globals whose value the new run has replaced."""
        before, after = self.serving.modules, self.generation.modules
        return [
            f"{node.name}.{name}"
            for node in self.old
            if node.name in after and node.name in before
            for name in module_state.changed_globals(before[node.name], node.globals_seen)
            # A kept value, or one of a module that did not run again, is still the same object.
            if namespace(before[node.name])[name] is not namespace(after[node.name]).get(name)
        ]


def _has_django_urls() -> bool:
    return "django.urls" in sys.modules


def lead(serving: Generation, generation: Generation) -> None:
    """Let batches and workers know that `generation` has replaced `serving`."""
    after = {route.origin.served for route in generation.routes}
    for served in after | {route.origin.served for route in serving.routes}:
        if served is not None:
            served.follow(generation if served in after else None)


def warm_up(
    generation: Generation,
    retirement: Retirement,
    capture: Callable[[BaseException], Failure],
    check: Callable[[], None],
) -> None:
    """Warm up the new handlers of a generation, if this process serves.

    Raises Rejected, or what `check` raises meanwhile.
    """
    if not warms_up or all(route.origin.served is None for route in generation.routes):
        return
    from . import warm_ups  # most projects have none

    try:
        warm_ups.warm_up(generation, retirement, check)
    except warm_ups.WarmUpFailed as failed:
        raise Rejected({failed.module: capture(failed.error)}) from None
