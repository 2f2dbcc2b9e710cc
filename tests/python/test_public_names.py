"""The public names: each is imported from its module when it is first used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from inspect import signature
from pathlib import Path

import snaxum

PACKAGE = Path(snaxum.__file__).parent


def imported_for_type_checkers() -> dict[str, str | None]:
    """Return the module of each name that the package imports under `TYPE_CHECKING`.

    A module itself has none.
    """
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_a_name_has_the_same_module_for_python_and_for_type_checkers() -> None:
    found = imported_for_type_checkers()
    names = {name: module for name, module in found.items() if module is not None}
    assert len(names) > 40
    assert vars(snaxum)["_MODULE_OF"] == names
    assert set(vars(snaxum)["_MODULES"]) == found.keys() - names.keys()
    assert sorted([*names, "__version__"]) == snaxum.__all__


def test_the_version_is_that_of_the_build() -> None:
    manifest = (PACKAGE.parents[1] / "Cargo.toml").read_text()
    assert re.findall('^version = "(.+)"', manifest, re.M) == [snaxum.__version__]


def test_every_public_name_can_be_imported() -> None:
    program = "from snaxum import *; import snaxum; print(callable(background), dir(snaxum))"
    printed = run(program)
    assert printed.startswith("True")
    assert "'url_for'" in printed


def test_no_public_name_is_that_of_a_module() -> None:
    # The import of a submodule sets an attribute of its package.
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert modules & set(snaxum.__all__) == set()


def test_an_import_of_the_package_loads_nothing_else_of_it() -> None:
    program = "import snaxum, sys; print([n for n in sys.modules if n.startswith('snaxum.')])"
    assert run(program) == "[]\n"


def test_help_shows_the_options_of_each_route_decorator() -> None:
    route = set(signature(snaxum.route).parameters) - {"methods"}
    for decorator in (snaxum.post, snaxum.put, snaxum.patch):
        assert set(signature(decorator).parameters) == route
    for decorator in (snaxum.get, snaxum.delete):
        assert set(signature(decorator).parameters) == route - {"stream_body"}
    assert signature(snaxum.get).parameters["status"].default is None


def run(program: str) -> str:
    program = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); {program}"
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
