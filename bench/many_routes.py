"""Writes programs with any number of routes, and names the request that matches the last of them.

Half of the paths are fixed, half have a parameter. Only writes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from load import Workload

_HEAD = '''"""Generated."""

from snaxum import Request, route
'''

_PAIR = """

@route("/python/section-{n}/list")
def list_{n}(request: Request) -> dict[str, int]:
    return {{"section": {n}}}


@route("/python/section-{n}/items/<int:item>")
def item_{n}(request: Request) -> dict[str, int]:
    return {{"section": {n}, "item": request.path_params["item"]}}
"""


def written(count: int) -> Callable[[Path], None]:
    """Replaces the routes of a program by so many."""

    def write(app: Path) -> None:
        text = _HEAD + "".join(_PAIR.format(n=n) for n in range(count // 2))
        (app / "python" / "app.py").write_text(text)

    return write


def workloads(count: int) -> tuple[Workload, Workload]:
    """The last of each kind. Their names are the same for any count."""
    n = count // 2 - 1
    path = f"/python/section-{n}"
    return (
        Workload("fixed path", "GET", f"{path}/list", {"section": n}),
        Workload("path with a parameter", "GET", f"{path}/items/7", {"section": n, "item": 7}),
    )
