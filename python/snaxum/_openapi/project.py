"""The title and version of a project, from the table `[project]` of its `pyproject.toml`.

Reads that file with `tomllib`, and on Python 3.10 only the plain texts of the table.
"""

from __future__ import annotations

import os
import re
from importlib import import_module
from typing import Any

_TEXT = re.compile(r"""^\s*(name|version|description)\s*=\s*("[^"\\]*"|'[^']*')\s*(?:#.*)?$""")


def read(directory: str) -> dict[str, str]:
    """Return the `info` of a document: title, version, and description if there is one."""
    try:
        with open(os.path.join(directory, "pyproject.toml"), encoding="utf-8") as file:
            table = _project(file.read())
    except (OSError, ValueError):
        table = {}
    title, version, description = (
        value if isinstance(value := table.get(name), str) else ""
        for name in ("name", "version", "description")
    )
    info = {"title": title or os.path.basename(directory) or "API", "version": version or "0.0.0"}
    return {**info, "description": description} if description else info


def _project(text: str) -> dict[str, Any]:
    try:
        tomllib: Any = import_module("tomllib")
    except ImportError:
        return _plain_texts(text)
    table = tomllib.loads(text).get("project", {})
    return table if isinstance(table, dict) else {}


def _plain_texts(text: str) -> dict[str, Any]:
    found, is_inside = {}, False
    for line in text.splitlines():
        if line.lstrip().startswith("["):
            is_inside = line.partition("#")[0].strip() == "[project]"
        elif is_inside and (match := _TEXT.match(line)):
            found[match[1]] = match[2][1:-1]
    return found
