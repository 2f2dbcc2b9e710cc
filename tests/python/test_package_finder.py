"""The finder of an installed package: the same modules as Python's own finder gives, or none."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from snaxum import _package_finder

PROGRAM = """
import os, sys
import snaxum
from snaxum import _package_finder
if "plain" not in sys.argv:
    _package_finder.install(os.path.dirname(snaxum.__file__))
import snaxum.probe as probe
import snaxum.inner.probe
print(type(probe.__loader__).__name__, probe.VALUE)
names = ("__name__", "__package__", "__file__", "__cached__", "__doc__")
print(*(getattr(probe, name) for name in names), probe.__spec__.origin, probe.__spec__.parent)
print(probe.__loader__.get_source("snaxum.probe").encode(), probe.read.__code__.co_filename)
print(type(sys.modules["snaxum.inner"].__loader__).__name__)
print(type(sys.modules["snaxum.inner.probe"].__loader__).__name__)
"""
TEXT = '"""A probe."""\nVALUE = 1\ndef read(): return VALUE\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Make a package with that finder, and with compiled files."""
    package = tmp_path / "site" / "snaxum"
    (package / "inner").mkdir(parents=True)
    finder = Path(_package_finder.__file__).read_text()
    files = {"_package_finder": finder, "__init__": "", "probe": TEXT}
    files |= {"inner/__init__": "", "inner/probe": TEXT}
    for name, text in files.items():
        path = package / f"{name}.py"
        path.write_text(text)
        py_compile.compile(str(path), doraise=True)
    return package


def _run(package: Path, *args: str, python: tuple[str, ...] = ()) -> list[str]:
    run = subprocess.run(
        [sys.executable, *python, "-c", PROGRAM, *args],
        env={"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=package.parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


def test_a_module_is_as_if_python_had_found_it(package: Path) -> None:
    found, plain = _run(package), _run(package, "plain")

    assert found[0] == "PackageLoader 1"
    assert plain[0] == "SourceFileLoader 1"
    assert found[1:3] == plain[1:3]
    assert found[3:] == ["SourceFileLoader", "PackageLoader"]  # a package is Python's


def _rewrite(package: Path) -> None:
    (package / "probe.py").write_text(TEXT.replace("1", "2"))
    os.utime(package / "probe.py", (1, 1))


def _lengthen(package: Path) -> None:
    path = package / "probe.py"
    status = path.stat()
    path.write_text(TEXT.replace("1", "2 "))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(package: Path) -> None:
    [cached] = (package / "__pycache__").glob("probe.*.pyc")
    cached.unlink()


def _check_hash(package: Path) -> None:
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(package / "probe.py"), doraise=True, invalidation_mode=mode)


@pytest.mark.parametrize(
    ("change", "value"),
    [(_rewrite, 2), (_lengthen, 2), (_remove, 1), (_check_hash, 1)],
)
def test_a_module_without_its_own_compiled_file_is_found_by_python(
    package: Path, change: object, value: int
) -> None:
    assert callable(change)
    change(package)

    assert _run(package)[0] == f"SourceFileLoader {value}"


def test_a_package_that_was_moved_has_the_files_of_its_new_place(
    package: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved" / "snaxum"
    moved.parent.mkdir()
    package.rename(moved)

    lines = _run(moved)

    assert lines[0] == "SourceFileLoader 1"
    assert lines[2].endswith(str(moved / "probe.py"))


def test_an_interpreter_with_other_compiled_files_gets_no_finder(package: Path) -> None:
    assert _run(package, python=("-O",))[0] == "SourceFileLoader 1"
