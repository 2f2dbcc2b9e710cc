"""Runs the tests of a project by pytest, in the process of the server under test.

Owns the clients in place of the frameworks' own, the tests that are left out, and the counts.
The variables `CONFORMANCE_*` name the project. Never starts a server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import calls
import contract
import pytest


def run() -> dict[str, Any]:
    """Run the tests, and return their counts."""
    root = Path(os.environ["CONFORMANCE_TESTS"])
    os.chdir(root)
    sys.path.insert(0, str(root))
    if os.environ["CONFORMANCE_CLIENT"] == "asgi":
        import starlette_client as client
    else:
        import werkzeug_client as client
    client.install()
    counting = _Counting(os.environ.get("CONFORMANCE_LEFT_OUT", ""))
    options = [
        "-q",
        "--tb=short",
        "--capture=sys",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:faulthandler",
    ]
    options += ["--continue-on-collection-errors"]
    # The warnings of a project's pinned versions are not the point.
    options += [
        "-o",
        "addopts=",
        "-o",
        "filterwarnings=default",
        "-o",
        "xfail_strict=false",
        "-o",
        "minversion=0",
    ]
    arguments = os.environ["CONFORMANCE_ARGUMENTS"].split()
    sys.argv = ["pytest"]
    code = pytest.main([*options, *arguments], plugins=[counting])
    contract.CheckedIterable.check_all()
    return {
        "code": int(code),
        **counting.counts(),
        "requests": sum(calls.requests.values()),
        "checked": contract.counts,
        "findings": sorted(contract.findings),
    }


class _Counting:
    """Leaves tests out, and counts the tests that send requests to the server."""

    def __init__(self, left_out: str) -> None:
        # The reason of each test, or of each file or test without its parameters.
        self._reasons: dict[str, str] = {}
        if left_out:
            lines = Path(left_out).read_text(encoding="utf-8").splitlines()
            pairs = (line.split("  # ", 1) for line in lines if line.strip() and line[0] != "#")
            self._reasons = {name.strip(): reason for name, reason in pairs}
        self._used: set[str] = set()
        self._all = 0
        self._left_out = 0
        self._outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        remaining, removed = [], []
        for item in items:
            # The server has one loop, of asyncio.
            if "trio" in item.name:
                removed.append(item)
                continue
            self._all += 1
            names = (
                item.nodeid,
                item.nodeid.partition("[")[0],
                item.nodeid.partition("::")[0],
            )
            name = next((each for each in names if each in self._reasons), None)
            if name is None:
                remaining.append(item)
            else:
                self._used.add(name)
                self._left_out += 1
                removed.append(item)
        config.hook.pytest_deselected(items=removed)
        items[:] = remaining

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._outcomes[report.nodeid] = "failed"

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        calls.current_test = nodeid

    def pytest_runtest_logreport(self, report: Any) -> None:
        is_result = report.when == "call" or report.outcome != "passed"
        if is_result and self._outcomes.get(report.nodeid) != "failed":
            self._outcomes[report.nodeid] = report.outcome

    def counts(self) -> dict[str, Any]:
        driven = [name for name in self._outcomes if calls.requests.get(name)]
        return {
            "tests": self._all,
            "left_out": self._left_out,
            "unknown": sorted(set(self._reasons) - self._used),
            "driven": len(driven),
            "passed": sum(self._outcomes[name] == "passed" for name in driven),
            "failed": sorted(name for name, each in self._outcomes.items() if each == "failed"),
        }
