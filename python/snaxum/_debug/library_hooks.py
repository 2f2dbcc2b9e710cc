"""Hooks database and HTTP libraries to show the calls of a request, and threads to attribute them.

Owns the moment: a library is hooked right after it was imported, and is never imported here. A
library of another version, whose parts are elsewhere, works as without the hook. In dev mode only.
"""

from __future__ import annotations

import importlib.machinery
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from .._host import HostApi
from . import call_rows, database_hooks, http_hooks, thread_requests
from .profile_tree import kind_of

_log = logging.getLogger("snaxum")

# By module, the function that hooks it.
HOOKS: dict[str, Callable[[Any], None]] = {
    "sqlite3.dbapi2": database_hooks.hook_sqlite3,
    "sqlalchemy": database_hooks.hook_sqlalchemy,
    "duckdb": database_hooks.hook_duckdb,
    "psycopg": database_hooks.hook_psycopg,
    "asyncpg.connection": database_hooks.hook_asyncpg,
    "httpx": http_hooks.hook_httpx,
    "httpx2": http_hooks.hook_httpx,
    "requests.adapters": http_hooks.hook_requests,
    "aiohttp.client": http_hooks.hook_aiohttp,
    "concurrent.futures.thread": thread_requests.hook_thread_pool,
}

_finder: _HookFinder | None = None


def install(host: HostApi) -> None:
    """Report calls to `host`, of libraries that are imported from now on; once a process."""
    global _finder
    call_rows.use(host)
    thread_requests.install()
    if _finder is None:
        _finder = _HookFinder()
        sys.meta_path.insert(0, _finder)
        for name in HOOKS:
            module = sys.modules.get(name)
            if module is not None:
                _hook(name, module)


class _HookFinder:
    """Finds the modules that are hooked, by the other finders."""

    def __init__(self) -> None:
        self._searching = threading.local()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in HOOKS or getattr(self._searching, "name", None) == name:
            return None
        self._searching.name = name
        try:
            spec = _find(self, name, path, target)
        finally:
            self._searching.name = None
        if spec is not None and kind_of(spec.origin or "") != "user":
            _run_after(spec.loader, name)
        return spec


def _find(
    own: _HookFinder, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> importlib.machinery.ModuleSpec | None:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if finder is not own and find is not None:
            spec: importlib.machinery.ModuleSpec | None = find(name, path, target)
            if spec is not None:
                return spec
    return None


def _run_after(loader: Any, name: str) -> None:
    """Hook a module once its loader has run it. All modules of a zip file have one loader."""
    execute = getattr(loader, "exec_module", None)
    if execute is None or isinstance(loader, type):
        return

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == name:
            _hook(name, module)

    try:
        loader.exec_module = exec_module
    except AttributeError:
        pass  # a loader with slots


def _hook(name: str, module: ModuleType) -> None:
    try:
        HOOKS[name](module)
    except Exception:
        _log.warning("the calls of %s are not shown: unknown version", name, exc_info=True)
