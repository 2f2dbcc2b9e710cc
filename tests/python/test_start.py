"""The imports of a start: nothing that a plain route does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).parents[2] / "python"

PROGRAM = """
import sys
before = set(sys.modules)
import snaxum._bridge
from snaxum import route

@route("/hello")
def hello(request):
    return "x"

print(*set(sys.modules) - before)
"""

# Large, or needed with a feature that most servers do not use.
LATER = (
    "ast",
    "asyncio",
    "base64",
    "concurrent.futures",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "dis",
    "email",
    "hashlib",
    "http",
    "inspect",
    "ipaddress",
    "locale",
    "multiprocessing",
    "pathlib",
    "pkgutil",
    "platform",
    *(["selectors"] if sys.version_info >= (3, 11) else []),  # `subprocess` of 3.10 needs it
    "shutil",
    "socket",
    "snaxum._core.events",
    "snaxum._core.mounted_routes",
    "snaxum._debug.crash",
    "snaxum._debug.foreign_calls",
    "snaxum._debug.hints",
    "snaxum._debug.output",
    "snaxum._debug.route_lookup",
    "snaxum._debug.unparsed_body",
    "snaxum._hosts.target",
    "snaxum._reload.dotenv",
    "snaxum._reload.removed_names",
    "snaxum._reload.unloaded_routes",
    "snaxum._runtime.sockets",
    "snaxum._validation.constraints",
    "snaxum.websockets",
    "tempfile",
    "urllib",
    "uuid",
)


def test_a_plain_route_imports_only_what_it_needs() -> None:
    command = [sys.executable, "-S", "-c", PROGRAM]
    run = subprocess.run(
        command,
        env={"PYTHONPATH": str(PYTHON)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(run.stdout.split())
    assert "snaxum.routing" in imported
    assert sorted(imported & set(LATER)) == []
