"""Files of the user that are loaded, or compiled, by their path."""

from __future__ import annotations

import importlib.util
import os
import py_compile
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from snaxum._reload import bytecode, user_paths


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(SourceFileLoader, "path_stats", SourceFileLoader.path_stats)
    monkeypatch.setattr(user_paths, "_roots", (str(tmp_path),))
    bytecode.install()
    path = tmp_path / "plugin.py"
    path.write_text("X = 1\n")
    return path


def load(path: Path) -> int:
    spec = importlib.util.spec_from_file_location("plugin", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    x: int = module.X
    return x


def test_py_compile_writes_a_pyc_which_is_not_loaded(file: Path) -> None:
    compiled = py_compile.compile(str(file), doraise=True)
    assert compiled is not None
    assert Path(compiled).exists()
    stat = file.stat()
    file.write_text("X = 2\n")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert load(file) == 2
