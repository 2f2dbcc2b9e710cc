"""A new pool worker has the environment of the server without the variables of the `.env` file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snaxum._pool.launch import Launched
from snaxum._reload.env_file import EnvFile

PROGRAM = """
import os, sys
sys.stderr.write(f"{os.environ.get('GIVEN')} {os.environ.get('URL')}")
"""


def test_a_worker_does_not_inherit_variables_that_a_save_may_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "outside")
    path = tmp_path / ".env"
    path.write_text("URL=one\nGIVEN=inside\n", encoding="utf-8")
    file = EnvFile(os.fspath(path))

    with file.activate(file.read()):
        assert os.environ["URL"] == "one"
        worker = Launched(PROGRAM, {})
    worker.send_message()
    assert worker.popen.wait() == 0
    worker.close()

    assert worker.stderr == "outside None"
    path.write_text("", encoding="utf-8")
    with file.activate(file.read()):
        assert "URL" not in os.environ
