"""Builds a new generation from the files on disk and swaps it in whole, or not at all.

Owns the steps compile, stage, commit and roll back. Runs on the runtime thread alone. Never
watches files and never answers a request: what serves keeps serving until `state.publish`.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import keyword
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from . import _loader, _traceback, state
from .routing import DuplicateRoute, Route, RouteTable

Failure = dict[str, Any]

# How long an import in a running handler waits for the end of a reload.
IMPORT_WAIT_S = 5.0
# How long a reload waits for the end of an import in a running handler.
HANDLER_IMPORT_WAIT_S = 2.0


@dataclass
class Report:
    """What one attempt did: the record behind the console's reload list."""

    outcome: str = "ok"
    generation: int = 0
    modules: list[dict[str, Any]] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    diff: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # Module name and traceback of all that did not load; several only at the first start.
    failures: list[Failure] = field(default_factory=list)
    routes: list[dict[str, Any]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


class Reloader:
    """Loads the user's modules, again and again.

    `modules` names what to load; empty means every module and package found in `root`.
    """

    def __init__(self, root: str, modules: Sequence[str], *, with_locals: bool) -> None:
        self.root = root
        self.modules = list(modules)
        self.with_locals = with_locals
        self.sources = _loader.Sources()
        self.finder: _loader.UserFinder | None = None

    def load(self) -> Report:
        """Make one attempt: publish a new generation, or change nothing and say why."""
        report = Report()
        previous = state.current()
        saved = _loader.user_modules()
        if not os.path.isdir(self.root):
            gone = FileNotFoundError(f"the python directory {self.root} is gone; put it back")
            return self._reject(report, {"": self._capture(gone)}, previous)
        sources = _loader.Sources(self.sources)
        started = time.perf_counter()
        failures = self._compile_known(sources, previous)
        report.phases["compile"] = _ms_since(started)
        if failures:
            return self._reject(report, failures, previous)
        with _Isolation(saved):
            # A handler may be in the middle of its first import of a module.
            _loader.wait_for_handlers(HANDLER_IMPORT_WAIT_S)
            try:
                generation = self._stage(report, sources, previous, saved)
            except _Rejected as rejected:
                self._roll_back(saved)
                return self._reject(report, rejected.failures, previous)
            except BaseException:
                self._roll_back(saved)
                raise
            started = time.perf_counter()
            state.publish(generation)
            report.phases["commit"] = _ms_since(started)
        return self._finish(report, generation)

    def _stage(
        self,
        report: Report,
        sources: _loader.Sources,
        previous: state.Generation,
        saved: Mapping[str, ModuleType],
    ) -> state.Generation:
        """Run all modules afresh; returns what may be published, or raises as things stand."""
        started = time.perf_counter()
        finder = _loader.install(sources)
        for name in saved:
            sys.modules.pop(name, None)
        staging = state.Staging()
        state.stage(staging)
        try:
            failures = self._import_all(staging)
            table, doubled = self._build_table(staging, failures)
        finally:
            state.stage(None)
        failures.update(doubled)
        # A module that never loaded does not hold up the others; one that served does.
        fatal = {name: f for name, f in failures.items() if self._is_fatal(name, previous)}
        report.phases["stage"] = _ms_since(started)
        if fatal:
            raise _Rejected(fatal)
        loaded = _loader.user_modules()
        report.modules = [
            {"name": name, "ms": round(ms * 1e3, 3)}
            for name, ms in finder.timings.items()
            if name in loaded
        ]
        counts = bool(loaded) or previous.number > 0
        number = previous.number + 1 if counts else 0
        generation = state.Generation(number, table, loaded, failures, sources)
        report.diff = diff_routes(previous.routes, generation.routes, self._route_row)
        report.failures = [{"module": name, "traceback": f} for name, f in failures.items()]
        self.sources, self.finder = sources, finder
        return generation

    def _roll_back(self, saved: Mapping[str, ModuleType]) -> None:
        for name in _loader.user_modules():
            sys.modules.pop(name, None)
        sys.modules.update(saved)
        _loader.restore(self.finder)

    def _reject(
        self, report: Report, failures: Mapping[str, Failure], previous: state.Generation
    ) -> Report:
        report.outcome = "failed"
        report.failures = [{"module": name, "traceback": f} for name, f in failures.items()]
        return self._finish(report, previous)

    def _finish(self, report: Report, serving: state.Generation) -> Report:
        report.generation = serving.number
        report.routes = [
            {**self._route_row(route), "generation": serving.number} for route in serving.routes
        ]
        report.broken = list(serving.broken)
        return report

    def _route_row(self, route: Route) -> dict[str, Any]:
        return route.to_dict(_loader.display_root())

    def _is_fatal(self, name: str, previous: state.Generation) -> bool:
        first_start = previous.number == 0
        return not first_start and name not in previous.broken

    def _compile_known(
        self, sources: _loader.Sources, previous: state.Generation
    ) -> dict[str, Failure]:
        """Compile every file that is known, before anything runs: one error rejects the batch."""
        failures: dict[str, Failure] = {}
        files: dict[str, str | None] = {
            name: file_of(self.root, name) for name in self.modules or discover(self.root)
        }
        files |= {name: getattr(m, "__file__", None) for name, m in previous.modules.items()}
        for name, path in files.items():
            if path is None or not os.path.isfile(path) or not self._is_fatal(name, previous):
                continue
            try:
                sources.read(path).compile()
            except (SyntaxError, OSError, RecursionError, MemoryError, OverflowError) as error:
                failures[name] = self._capture(error)
        return failures

    def _import_all(self, staging: state.Staging) -> dict[str, Failure]:
        failures: dict[str, Failure] = {}
        for name in self.modules or discover(self.root):
            known = sys.modules.get(name)
            if name in sys.stdlib_module_names or (
                known is not None and not _loader.is_user_module(known)
            ):
                failures[name] = self._capture(_taken_name(name, self.root))
                continue
            try:
                importlib.import_module(name)
            except BaseException as error:  # SystemExit and the like must not end the server
                failures[name] = self._capture(error)
        return failures

    def _build_table(
        self, staging: state.Staging, failures: Mapping[str, Failure]
    ) -> tuple[RouteTable, dict[str, Failure]]:
        """Build the table of all routes whose module loaded, without those that clash."""
        loaded = _loader.user_modules()
        routes = [(owner, route) for owner, route in staging.routes if owner in loaded]
        doubled: dict[str, Failure] = {}
        while True:
            try:
                return RouteTable([route for _, route in routes]), doubled
            except DuplicateRoute as error:
                owner, second = _second(routes, error)
                doubled.setdefault(owner, self._capture(error))
                routes = [(o, r) for o, r in routes if r is not second]

    def _capture(self, error: BaseException) -> Failure:
        return _traceback.capture(error, with_locals=self.with_locals)


class _Rejected(Exception):
    """The staged modules are not to be published."""

    def __init__(self, failures: Mapping[str, Failure]) -> None:
        self.failures = failures


class _Isolation:
    """Keeps the serving code's own imports on the serving modules while others are staged.

    Handlers run on in other threads during a reload, and an `import util` inside one of them must
    not see a module that is still being loaded, or that is rejected in the end.
    """

    def __init__(self, serving: Mapping[str, ModuleType]) -> None:
        self.serving = serving
        self.tops = {name.partition(".")[0] for name in serving}
        self.thread = threading.get_ident()
        self.over = threading.Event()
        self.original: Callable[..., Any] = builtins.__import__

    def __enter__(self) -> None:
        builtins.__import__ = self._import

    def __exit__(self, *_: object) -> None:
        if builtins.__import__ == self._import:  # a user's module may have put its own there
            builtins.__import__ = self.original
        self.over.set()

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if threading.get_ident() == self.thread:
            return self.original(name, globals, locals, fromlist, level)
        full = name
        if level and globals is not None:
            package = globals.get("__package__") or globals.get("__name__", "")
            full = importlib.util.resolve_name("." * level + name, package)
        if full.partition(".")[0] in self.tops:
            module = self.serving.get(full)
            if module is not None and all(hasattr(module, item) for item in fromlist or ()):
                return module if fromlist or level else self.serving[full.partition(".")[0]]
            # Not loaded so far: only after the swap is it known which code it belongs to.
            # Bounded, because the module that is loading may itself wait for this thread.
            self.over.wait(IMPORT_WAIT_S)
        return self.original(name, globals, locals, fromlist, level)


def discover(root: str) -> list[str]:
    """List the modules and packages of the python dir that load by themselves, sorted.

    Left out: names that start with `_` or `test_`, and `conftest`.
    """
    names = set()
    for entry in os.scandir(root):
        name, suffix = os.path.splitext(entry.name)
        package = suffix == "" and os.path.isfile(os.path.join(entry.path, "__init__.py"))
        if not package and not (suffix == ".py" and entry.is_file()):
            continue
        if name.startswith(("_", "test_")) or name == "conftest":
            continue
        if name.isidentifier() and not keyword.iskeyword(name):
            names.add(name)
    return sorted(names)


def file_of(root: str, name: str) -> str:
    """Give the file that a top-level name stands for, whether it exists or not."""
    package = os.path.join(root, name, "__init__.py")
    return package if os.path.isfile(package) else os.path.join(root, f"{name}.py")


def diff_routes(
    before: Sequence[Route], after: Sequence[Route], row: Callable[[Route], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Compare two route lists: `added`, `removed`, `moved` (another line), `changed` (handler)."""
    old = {route.id: row(route) for route in before}
    new = {route.id: row(route) for route in after}
    both = [(old[key], new[key]) for key in new if key in old]
    same_handler = [
        (a, b) for a, b in both if (a["handler"], a["mode"]) == (b["handler"], b["mode"])
    ]
    return {
        "added": [_reference(new[key]) for key in new if key not in old],
        "removed": [_reference(old[key]) for key in old if key not in new],
        "moved": [
            _reference(b)
            for a, b in same_handler
            if (a["file"], a["line"]) != (b["file"], b["line"])
        ],
        "changed": [_reference(b) for a, b in both if (a, b) not in same_handler],
    }


def _reference(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("methods", "path", "handler", "file", "line")}


def _second(routes: Sequence[tuple[str, Route]], error: DuplicateRoute) -> tuple[str, Route]:
    for owner, route in routes:
        if route is error.second:
            return owner, route
    raise error


def _taken_name(name: str, root: str) -> ImportError:
    place = "the standard library" if name in sys.stdlib_module_names else "an installed package"
    path = _loader.display_path(file_of(root, name))
    return ImportError(
        f"`{path}` has the name of a module of {place}, which comes first; rename the file",
        name=name,
        path=path,
    )


def _ms_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1e3, 3)
