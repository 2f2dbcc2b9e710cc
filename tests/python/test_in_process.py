"""The search for the project of tests that pytest runs by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from snaxum._testing import in_process


@pytest.mark.parametrize(
    "table", ["[tool.snaxum]", " [ tool . snaxum ]", "[tool.snaxum.cors]", "a = 1\n[tool.snaxum]"]
)
def test_the_nearest_directory_with_options_or_modules_is_the_project(
    tmp_path: Path, table: str
) -> None:
    (tmp_path / "python").mkdir()
    project = tmp_path / "shop"
    tests = project / "tests"
    tests.mkdir(parents=True)
    assert in_process._project_of(str(tests)) == str(tmp_path)
    (project / "pyproject.toml").write_text(f"{table}\n")
    assert in_process._project_of(str(tests)) == str(project)


def test_a_pyproject_without_the_table_is_not_a_project(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    project = tmp_path / "shop"
    project.mkdir()
    (project / "pyproject.toml").write_text("[tool.snaxumish]\n# [tool.snaxum]\n")
    assert in_process._project_of(str(project)) == str(tmp_path)
