"""The command of the wheel: how it starts, and how it starts this program again."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import snaxum
from snaxum import _command


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arguments of each call of the extension module's `run`."""
    calls: list[Any] = []

    def run(*arguments: Any) -> None:
        calls.append((*arguments, "SNAXUM_TAKE_OVER" in os.environ))

    module = SimpleNamespace(run=run, __file__="/a.so")
    monkeypatch.setattr(snaxum, "_snaxum", module, raising=False)
    monkeypatch.setattr(_command, "_prepare", lambda: None)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "snaxum", "dev"])
    monkeypatch.setattr(sys, "argv", ["snaxum", "dev"])
    return calls


def test_what_a_process_takes_over_is_passed_on_and_not_in_its_environment(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAXUM_TAKE_OVER", "with tokens")
    _command.run()
    host = (sys.executable, sys.version.split()[0], sys.prefix)
    program = [sys.executable, *_command._starter()]
    files = [sys.executable, "/a.so"]
    assert started == [(host, program, files, ["dev"], "with tokens", False)]


def test_an_interpreter_whose_path_is_not_utf_8_is_an_error_in_one_line(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", os.fsdecode(b"/caf\xe9/bin/python"))
    with pytest.raises(SystemExit) as raised:
        _command.run()
    message = "error: the path `/caf\ufffd/bin/python` is not UTF-8; rename the directory or file"
    assert raised.value.code == message
    assert not started


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("python /venv/bin/snaxum", []),
        ("python -m snaxum", []),
        ("python -X dev -W error -m snaxum", ["-X", "dev", "-W", "error"]),
        ("python -X dev /venv/bin/snaxum", ["-X", "dev"]),
        ("python -Im snaxum", ["-I"]),
        ("python -u -P -m snaxum", ["-u"]),
        ("python -c program", []),
    ],
)
def test_a_new_process_has_the_options_of_the_interpreter(line: str, options: list[str]) -> None:
    command = [*line.split(), "serve", "my project", "-m"]
    assert _command._options(command, 3) == options


def test_a_new_process_does_not_import_from_the_working_directory() -> None:
    starter = _command._starter()
    assert "-P" in starter or (sys.version_info < (3, 11) and "sys.path[0]" in starter[1])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there is no such option")
def test_processes_of_libraries_do_not_import_from_the_working_directory_either() -> None:
    code = """
import multiprocessing.util, sys
from snaxum import _command
before = sys.flags
_command._prepare()
print(multiprocessing.util._args_from_interpreter_flags(), sys.flags.dev_mode, sys.flags == before)
"""
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", code]
    environment = {"PYTHONPATH": os.path.dirname(os.path.dirname(snaxum.__file__))}
    printed = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert printed.stdout == "['-P', '-Wignore', '-X', 'dev'] True True\n"


def test_an_incomplete_package_is_an_error_with_the_way_out() -> None:
    message = _command._explain(ImportError("no such file"))
    assert "no such file" in message
    assert "--force-reinstall snaxum" in message
