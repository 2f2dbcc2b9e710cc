"""Loads modules beside the serving generation, and builds the next generation from them.

Owns one staging, from the first import to the route table and the start-up hooks. Raises
`Rejected`, but never publishes a generation and never rolls back (`attempt`).
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from .._core.handlers import relative_to
from .._core.late_module import late_module
from .._core.objects import is_a
from .._core.route_errors import DuplicateRoute, RouteError
from .._runtime import generations
from .._runtime.generations import Generation, Staging
from ..routing import Route, RouteTable
from .changes import walk_unloaded
from .discovery import file_of, framework_conflict, name_conflict
from .graph import Graph
from .model import Node
from .report import Failure
from .retirement import Retirement
from .route_plans import RoutePlans
from .source_cache import SourceCache
from .user_paths import is_user_file, roots

if TYPE_CHECKING:
    from .. import static_files
    from .._core.hooks import RequestHook
    from .._debug import traceback
    from ..static_files import StaticMount
    from . import effects, repeated_calls
    from .broken_routes import BrokenRoutes
else:
    static_files = late_module("snaxum.static_files")
    traceback = late_module("snaxum._debug.traceback")
    effects = late_module("snaxum._reload.effects")
    repeated_calls = late_module("snaxum._reload.repeated_calls")

# Whether a model that OpenAPI cannot describe is an error.
describes_models = False
# Whether start-up hooks run with the load, and not later (`Reloader.start_up`).
starts_up = True


class Rejected(Exception):
    """The staged modules cannot become a generation."""

    def __init__(
        self, failures: Mapping[str, Failure], refused: Sequence[BaseException] = ()
    ) -> None:
        """Reject for `failures`; `refused`: errors that may be due to an earlier run."""
        self.failures = failures
        # A registry that refuses a second entry may accept it when all modules run again.
        self.may_escalate = bool(refused)
        self.reason = ""
        if refused:
            message = traceback.message_of(refused[0])
            self.reason = f"a second run in this process was refused: {message}"


class Stage:
    """One attempt to load `roots` and their imports; `carried` names the modules that stay."""

    def __init__(
        self,
        staging: Staging,
        serving: Generation,
        sources: SourceCache,
        root: str,
        capture: Callable[[BaseException], Failure],
    ) -> None:
        self.staging = staging
        self.serving = serving
        self.sources = sources
        self.root = root
        self.capture = capture
        self.carried = set(staging.nodes)
        self.errors: list[BaseException] = []
        self.failures: dict[str, Failure] = {}

    def run(self, roots: Sequence[str]) -> None:
        """Import the entry modules that are not loaded, in the order of a first start."""
        for name in roots:
            if name in self.carried:
                continue
            conflict = name_conflict(name, self.root)
            if conflict is not None:
                self.failures[name] = self.capture(conflict)
                continue
            try:
                importlib.import_module(name)
            except BaseException as error:  # SystemExit must not end the server
                self.failures[name] = self.capture(framework_conflict(error, self.root) or error)
                self.errors.append(error)

    def build(self, roots: Sequence[str], *, prune: bool, retirement: Retirement) -> Generation:
        """Build the generation; with `prune`, without modules that no module imports any more.

        Raises Rejected.
        """
        serving, nodes = self.serving, self.staging.nodes
        modules = {name: sys.modules[name] for name in nodes if name in sys.modules}
        dropped: set[str] = set()
        if prune and self._may_have_lost_importers():
            reachable = Graph(nodes.values()).reachable([*roots, *self.failures])
            dropped = set(modules) - reachable
        order = [name for name in serving.graph.nodes if name in nodes]
        order += [name for name in nodes if name not in serving.graph.nodes]
        kept_nodes = [nodes[n] for n in order if n in modules and n not in dropped]
        self._finish_routes(kept_nodes)
        plans = RoutePlans(kept_nodes, self._refusals(modules))
        self.failures.update((name, self.capture(e)) for name, e in plans.conflicts.items())
        table, duplicates = self._table(plans.routes(kept_nodes, serving.routes))
        self.failures.update(duplicates)
        mounts, duplicates = self._static_mounts(kept_nodes)
        self.failures.update(duplicates)
        # A module that has never loaded does not block the others; a module that served does.
        fatal = {name: f for name, f in self.failures.items() if is_fatal(name, serving)}
        if fatal:
            raise Rejected(fatal, [error for error in self.errors if self._is_refusal(error)])
        fresh = [node for node in kept_nodes if node.name not in self.carried]
        if starts_up:
            run_start_up_hooks(fresh, retirement, self.capture)
        for name in dropped:
            sys.modules.pop(name, None)
        modules = {name: module for name, module in modules.items() if name not in dropped}
        lost = [n for n in nodes.values() if n.name not in modules and n.name not in self.carried]
        if lost:
            effects.undo(lost)
            retirement.reject(lost)
        number = serving.number + 1
        if serving.number == 0:
            number = generations.first_number if modules else 0
        broken = self._broken_routes()
        self.sources.retain({node.path for node in kept_nodes})
        ran = {node.name: serving.ran.get(node.name, 0) for node in kept_nodes}
        ran.update((node.name, number) for node in fresh)
        return Generation(
            number,
            table,
            modules,
            self.failures,
            self.sources,
            Graph(kept_nodes),
            {
                key: value
                for key, value in {**serving.kept, **self.staging.kept}.items()
                if self._is_kept(key, kept_nodes)
            },
            ran,
            static_mounts=mounts,
            broken_routes=broken.module_for if broken else None,
            hooks=plans.of_no_route(),
        )

    def _refusals(self, loaded: Container[str]) -> list[RequestHook]:
        """Return the hooks that refuse requests, as the hooks of a module may be missing."""
        files = self._unloaded_files(loaded)
        if not files:
            return []
        from .broken_routes import refusals

        return refusals(files, self.sources)

    def _broken_routes(self) -> BrokenRoutes | None:
        if not self.failures:
            return None
        from .broken_routes import BrokenRoutes

        return BrokenRoutes(
            {name: file_of(self.root, name) for name in self.failures}, self.sources
        )

    def _unloaded_files(self, loaded: Container[str]) -> dict[str, str]:
        """Return the modules that are not loaded, and their files, if a module has failed.

        It may have failed before it imported any of the others.
        """
        files = {name: file_of(self.root, name) for name in self.failures if name not in loaded}
        if not files:
            return files
        nodes = self.staging.nodes.values()
        files.update((node.name, node.path) for node in nodes if node.name not in loaded)
        # A module that does not compile has no node, and may be in a directory of `sys.path`.
        paths = [
            cast(SyntaxError, error).filename for error in self.errors if is_a(error, SyntaxError)
        ]
        known = {node.path for node in nodes if node.name in loaded} | set(files.values())
        paths += [path for root in roots() for path in walk_unloaded(root, known)]
        for path in filter(None, paths):
            file, _ = os.path.splitext(relative_to(path, self.root))
            name = file.replace("/", ".").removesuffix(".__init__")
            files[path if name in files else name] = path
        return files

    def _is_refusal(self, error: BaseException) -> bool:
        """Report whether earlier runs may be the cause of an error, and not the text."""
        serving = self.serving.graph.nodes.values()
        if _is_from_library(error) or repeated_calls.is_repeated(error, serving):
            return True
        # A registry of the user, in a module that does not run again, refuses a second entry.
        carried = {self.staging.nodes[name].path for name in self.carried}
        return not is_a(error, ImportError, SyntaxError) and _raised_in(error) in carried

    def _may_have_lost_importers(self) -> bool:
        """Report whether an import or an entry module is gone."""
        before, nodes = self.serving.graph.nodes, self.staging.nodes
        return any(
            name not in nodes or not node.imports <= nodes[name].imports
            for name, node in before.items()
            if name not in self.carried
        )

    def _is_kept(self, key: str, nodes: Sequence[Node]) -> bool:
        """Report whether a module still uses a kept value, or only handlers ever did."""
        if any(key in node.kept for node in nodes):
            return True
        return not any(key in node.kept for node in self.serving.graph.nodes.values())

    def _finish_routes(self, nodes: Sequence[Node]) -> None:
        """Plan the calls that wait for a type which was defined below their handler."""
        for node in nodes:
            for route in node.routes:
                try:
                    route.finish()
                    if describes_models and node.name not in self.carried:
                        _check_models(route)
                except RouteError as error:
                    self.failures.setdefault(node.name, self.capture(error))

    def _table(self, routes: Sequence[tuple[str, Route]]) -> tuple[RouteTable, dict[str, Failure]]:
        """Build the route table of all loaded modules, without routes that are not possible."""
        routes = [(owner, route) for owner, route in routes if route.is_planned]
        refused: dict[str, Failure] = {}
        while True:
            try:
                return RouteTable([route for _, route in routes]), refused
            except DuplicateRoute as error:
                owner, second = _second(routes, error)
                refused.setdefault(owner, self.capture(error))
                routes = [(o, r) for o, r in routes if r is not second]

    def _static_mounts(self, nodes: Sequence[Node]) -> tuple[list[StaticMount], dict[str, Failure]]:
        """List the static directories of all loaded modules, without duplicate prefixes."""
        mounts: dict[str, StaticMount] = {}
        duplicates: dict[str, Failure] = {}
        for node in nodes:
            for mount in node.static_mounts:
                first = mounts.setdefault(mount.prefix, mount)
                if first is not mount:
                    error = static_files.DuplicateStatic(first, mount)
                    duplicates.setdefault(node.name, self.capture(error))
        return list(mounts.values()), duplicates


def run_start_up_hooks(
    nodes: Iterable[Node], retirement: Retirement, capture: Callable[[BaseException], Failure]
) -> None:
    """Run the start-up hooks of modules that have loaded. Raises Rejected."""
    for node in nodes:
        for hook in node.hooks:
            if hook.when == "startup" and (error := retirement.run_hook(node, hook)) is not None:
                raise Rejected({node.name: capture(error)})


def is_fatal(name: str, serving: Generation) -> bool:
    """Report whether a failure of this module rejects the whole reload."""
    return serving.number > 0 and name not in serving.broken


def _check_models(route: Route) -> None:
    """Raise RouteError for a model that cannot be described: only pydantic has such models."""
    if "pydantic" in sys.modules:
        from .._openapi.check import check

        check(route)


def _is_from_library(error: BaseException) -> bool:
    """Report whether an exception came from code of a library, and not from a failed import."""
    if is_a(error, ImportError, SyntaxError):
        return False
    file = _raised_in(error)
    return bool(file) and not is_user_file(file) and not traceback.is_internal(file)


def _raised_in(error: BaseException) -> str:
    """Return the file of the line that raised."""
    trace = traceback.trace_of(error)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_code.co_filename


def _second(routes: Sequence[tuple[str, Route]], error: DuplicateRoute) -> tuple[str, Route]:
    for owner, route in routes:
        if route is error.second:
            return owner, route
    raise error
