"""The templates of frameworks, which compile them once: in dev mode a saved one is read again.

Owns the settings and the check for that, of Flask, Quart and Django. Starlette's templates are read
again anyway. Never reads a template.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any


def read_again(app: Any) -> None:
    """Let an application read its templates again after they were saved."""
    if type(app).__module__.startswith("django."):
        _check_cached_loader()
        return
    try:
        members = vars(app)
        config = members.get("config")
        if isinstance(config, dict) and config.get("TEMPLATES_AUTO_RELOAD", True) is None:
            config["TEMPLATES_AUTO_RELOAD"] = True
            if "jinja_env" in members:
                members["jinja_env"].auto_reload = True  # its module has used a template already
    except Exception:  # an object of the user's may raise on any question
        pass


def _check_cached_loader() -> None:
    """Let Django's cached loader drop a template whose file has changed."""
    loader: Any = import_module("django.template.loaders.cached").Loader
    original = loader.get_template
    if hasattr(original, "checks_files"):
        return

    def get_template(self: Any, template_name: str, skip: Any = None) -> Any:
        key = self.cache_key(template_name, skip)
        known = self.get_template_cache.get(key)
        path = getattr(getattr(known, "origin", None), "name", None)
        # Before the file is read: a save meanwhile is noticed by the next request.
        stamp = None if path is None else _stamp(path)
        if known is not None and (stamp is None or stamp != stamps.get((id(self), key))):
            del self.get_template_cache[key]
        template = original(self, template_name, skip)
        stamps[id(self), key] = stamp or _stamp(template.origin.name)
        return template

    stamps: dict[tuple[int, str], object] = {}
    get_template.checks_files = True  # type: ignore[attr-defined]
    loader.get_template = get_template


def _stamp(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
