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
    "_opcode",
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
    "fcntl",
    "hashlib",
    "http",
    "inspect",
    "ipaddress",
    "locale",
    "logging",
    "multiprocessing",
    "opcode",
    "pathlib",
    "pkgutil",
    "platform",
    "queue",
    *(["selectors"] if sys.version_info >= (3, 11) else []),  # `subprocess` of 3.10 needs it
    "select",
    "shutil",
    "signal",
    "socket",
    "snaxum._core.chunks",
    "snaxum._core.cookies",
    "snaxum._core.files",
    "snaxum._core.forms",
    "snaxum._core.frames",
    "snaxum._core.json_decoding",
    "snaxum._core.events",
    "snaxum._core.mounted_routes",
    "snaxum._debug.crash",
    "snaxum._debug.redact",
    "snaxum._debug.stack",
    "snaxum._debug.traceback",
    "snaxum._debug.foreign_calls",
    "snaxum._debug.hints",
    "snaxum._debug.output",
    "snaxum._debug.route_lookup",
    "snaxum._debug.unparsed_body",
    "snaxum._hosts.target",
    "snaxum._reload.broken_routes",
    "snaxum._reload.dotenv",
    "snaxum._reload.effects",
    "snaxum._reload.executors",
    "snaxum._reload.import_hook",
    "snaxum._reload.line_shift",
    "snaxum._reload.run_record",
    "snaxum._reload.saved_texts",
    "snaxum._reload.watchdog",
    "snaxum._reload.removed_names",
    "snaxum._reload.unloaded_routes",
    "snaxum._runtime.sockets",
    "snaxum._validation.constraints",
    "snaxum.mounts",
    "snaxum.static_files",
    "snaxum.urls",
    "snaxum.websockets",
    "tempfile",
    "urllib",
    "uuid",
)


def printed_by(program: str) -> str:
    """Run a program with the framework and without site packages."""
    command = [sys.executable, "-S", "-c", program]
    environment = {"PYTHONPATH": str(PYTHON)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return run.stdout


def test_a_plain_route_imports_only_what_it_needs() -> None:
    imported = set(printed_by(PROGRAM).split())
    assert "snaxum.routing" in imported
    assert sorted(imported & set(LATER)) == []


SETTLED = """
import sys
from snaxum._core import late_module
import snaxum._bridge
from snaxum._runtime import runtime
names = set(late_module._own)
late_module.import_own(*runtime._OF_FAILURES, but="snaxum._reload.")
print(*(name for name in (*names, "logging") if name not in sys.modules))
late_module.import_own()
print(*names - set(sys.modules))
"""


def test_a_server_that_has_started_imports_what_later_requests_may_need() -> None:
    left, none = printed_by(SETTLED).splitlines()
    assert left.split()
    assert all(name.startswith("snaxum._reload.") for name in left.split())
    assert none == ""
