"""Calls after an import of the standard library, for what changes a large module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).parents[2] / "python"

PROGRAM = """
import sys
from snaxum._runtime import interpreter

interpreter.after_import("colorsys", lambda: print("called", sys.modules["colorsys"].ONE_SIXTH > 0))
interpreter.prefer_standard_library([{root!r}])
print("before")
import colorsys
print(colorsys.__loader__ is colorsys.__spec__.loader, type(colorsys.__loader__).__name__)
sys.modules.pop("colorsys")
import colorsys
print(colorsys.__file__)
"""


def test_the_call_is_made_once_the_module_is_there_and_only_then(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("raise AssertionError('the module of the user')")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(root=str(tmp_path))],
        env={"PYTHONPATH": f"{PYTHON}:{tmp_path}"},
        cwd=PYTHON,
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stderr
    before, called, loader, file = run.stdout.splitlines()
    assert (before, called, loader) == ("before", "called True", "True SourceFileLoader")
    assert not file.startswith(str(tmp_path))


LATE = """
import sys
from snaxum._core.late_log import late_log
from snaxum._runtime import interpreter, log_records

class Host:
    def dispatched(self):
        return None

log, before = late_log(), "logging" in sys.modules
log_records.install(Host(), as_json=False)
print(before, "logging" in sys.modules)
import snaxum._openapi.pages  # as an `openapi-url` does, before there is a runtime
import logging
interpreter.prefer_standard_library([])
logging.basicConfig(format="%(levelname)s %(request_id)s %(message)s", stream=sys.stdout)
log.warning("a notice of %s", "the server")
"""


def test_records_have_their_request_if_logging_is_imported_later() -> None:
    run = subprocess.run(
        [sys.executable, "-S", "-c", LATE],
        env={"PYTHONPATH": str(PYTHON)},
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["False False", "WARNING - a notice of the server"]
