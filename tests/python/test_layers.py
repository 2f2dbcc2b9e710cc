"""The direction of imports in the framework: no two modules import each other.

Every import counts, those inside functions and under ``TYPE_CHECKING`` included.
"""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "python" / "snaxum"


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(name: str, path: Path, modules: set[str]) -> set[str]:
    """Name the modules of the package that the file at `path` imports."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parent = ".".join(parts[: len(parts) - node.level + 1])
                base = f"{parent}.{base}".strip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules else base)
    return (found & modules) - {name}


def graph() -> dict[str, set[str]]:
    files = {module_name(path): path for path in PACKAGE.rglob("*.py")}
    return {name: imports(name, path, set(files)) for name, path in files.items()}


def cycles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """List the groups of modules that reach each other."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            fresh = arrows[waiting.pop()] - seen
            seen |= fresh
            waiting += fresh
        return seen

    reach = {name: reached(name) for name in arrows}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in arrows
        if name in reach[name]
    }
    return sorted(map(list, groups))


def test_no_modules_import_each_other() -> None:
    arrows = graph()
    assert len(arrows) > 40
    assert "snaxum.http" in arrows["snaxum"]
    found = [
        f"{name} -> {sorted(arrows[name] & set(group))}"
        for group in cycles(arrows)
        for name in group
    ]
    assert found == []


def test_a_cycle_is_found() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert cycles(arrows) == [["a", "b", "c"]]
