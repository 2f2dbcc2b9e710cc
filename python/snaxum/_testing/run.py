"""Runs pytest in the server's interpreter.

Owns the arguments that pytest gets, and its exit code. Never reaches the server (`connection`).
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys

# The exit code of pytest for wrong usage.
USAGE_ERROR = 4


def run(args: list[str], project: str) -> int:
    """Run pytest in the directory `project`; return its exit code."""
    if importlib.util.find_spec("pytest") is None:
        print(
            f"error: pytest is not installed for {sys.executable}; add `pytest` to the "
            "dependencies in pyproject.toml and run `snaxum sync`, or install it there",
            file=sys.stderr,
        )
        return USAGE_ERROR
    import pytest

    from . import plugin

    # Ctrl-C is a KeyboardInterrupt in the test.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(project)
    if os.curdir not in sys.path:
        sys.path.append(os.getcwd())  # as `python -m pytest` does; last, after `python/`
    return int(pytest.main(args, plugins=[plugin]))
