"""The comparison of the files with the serving code."""

from __future__ import annotations

from pathlib import Path

import pytest

from snaxum._reload import user_paths
from snaxum._reload.changes import ChangeDetector, Changes
from snaxum._reload.graph import Graph
from snaxum._reload.model import Node, Source
from snaxum._runtime.generations import Generation
from snaxum.routing import RouteTable


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose `app.py` is loaded, and two files that no module imports."""
    monkeypatch.setattr(user_paths, "_roots", (str(tmp_path),))
    for name in ("app.py", "other.py", "pkg/unused.py"):
        save(tmp_path, name, "X = 1\n")
    return tmp_path


def save(project: Path, name: str, text: str) -> str:
    path = project / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def started(project: Path) -> tuple[ChangeDetector, Generation]:
    detector = ChangeDetector(str(project), str(project), None)
    path = project / "app.py"
    app = Node("app", Source(str(path), path.read_bytes()))
    serving = Generation(1, RouteTable([]), graph=Graph([app]))
    detector.record_attempt(detector.compare(None, Generation(0, RouteTable([]))))
    detector.accept()
    return detector, serving


def names(project: Path, changes: Changes) -> list[str]:
    return [str(Path(path).relative_to(project)) for path in changes.paths]


def test_files_that_no_module_imports_are_not_part_of_a_save(project: Path) -> None:
    detector, serving = started(project)
    everything = detector.compare(None, serving)
    assert (names(project, everything), everything.is_new) == ([], False)

    changes = detector.compare([save(project, "app.py", "X = 2\n")], serving)
    assert names(project, changes) == ["app.py"]


def test_a_new_file_is_pending_until_an_attempt_is_accepted(project: Path) -> None:
    detector, serving = started(project)
    created = detector.compare([save(project, "new.py", "X = \n")], serving)
    assert (names(project, created), created.is_new) == (["new.py"], True)
    detector.record_attempt(created)  # rejected

    for paths in (None, [str(project / "app.py")]):
        again = detector.compare(paths, serving)
        assert (names(project, again), again.is_new) == (["new.py"], False)

    detector.accept()
    assert names(project, detector.compare(None, serving)) == []
    mended = detector.compare([save(project, "new.py", "X = 1\n")], serving)
    assert names(project, mended) == ["new.py"]
