"""The command of the wheel: how it starts this program again."""

from __future__ import annotations

import sys

import pytest

from snaxum import _command


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


def test_an_incomplete_package_is_an_error_with_the_way_out() -> None:
    message = _command._explain(ImportError("no such file"))
    assert "no such file" in message
    assert "--force-reinstall snaxum" in message
