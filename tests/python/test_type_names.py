"""The names of types in the framework: each one has a single definition, so that a search finds it.

Classes count wherever they are, and aliases outside functions. A `TypeVar` is not a type.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python" / "snaxum"


def defined_types(node: ast.AST, *, in_function: bool = False) -> Iterator[tuple[str, int]]:
    """Yield name and line of each class and alias below `node`."""
    for child in ast.iter_child_nodes(node):
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.ClassDef):
            yield child.name, child.lineno
        elif isinstance(child, ast.Assign | ast.AnnAssign) and not in_function:
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            for target in targets:
                if isinstance(target, ast.Name) and is_alias(target.id, child):
                    yield target.id, child.lineno
        yield from defined_types(child, in_function=in_function or is_function)


def is_alias(name: str, assignment: ast.Assign | ast.AnnAssign) -> bool:
    if isinstance(assignment, ast.AnnAssign):
        return ast.unparse(assignment.annotation).endswith("TypeAlias")
    value = assignment.value
    is_parameter = isinstance(value, ast.Call) and ast.unparse(value.func).endswith(
        ("TypeVar", "ParamSpec")
    )
    if ast.unparse(value) == "object":
        return False  # in place of a class that only type checkers need
    # `UPPER_CASE` is a constant, `CapWords` a type.
    return name.lstrip("_")[:1].isupper() and not name.isupper() and not is_parameter


def repeated(files: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the places of each type that is defined more than once."""
    places: dict[str, list[str]] = defaultdict(list)
    for file, text in files:
        for name, line in defined_types(ast.parse(text)):
            places[name].append(f"{file}:{line}")
    return {name: found for name, found in places.items() if len(found) > 1}


def test_each_type_has_a_name_of_its_own() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    assert repeated((str(path.relative_to(PACKAGE)), path.read_text()) for path in files) == {}


def test_a_second_definition_is_found() -> None:
    first = "Job = Callable[[], None]\nclass Task: ...\n_T = TypeVar('_T')\nLIMIT = 3\n"
    second = (
        "Job: TypeAlias = int\n_T = TypeVar('_T')\nLIMIT = 4\n"
        "def f():\n    class Task: ...\n    Local = 1\nif True:\n    Local = int\n"
    )
    assert repeated([("a.py", first), ("b.py", second)]) == {
        "Job": ["a.py:1", "b.py:1"],
        "Task": ["a.py:2", "b.py:5"],
    }
