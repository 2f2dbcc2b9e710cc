"""Writes a program whose handler computes for about a millisecond, as most that do something take.

What a server adds to a request is much beside a handler that does nothing, and little beside this
one. Only writes.
"""

from __future__ import annotations

from pathlib import Path

from load import Workload

# About a millisecond of Python; how long it is here stands in the row, as CPU of a request.
_NUMBERS = 28_000

_PROGRAM = f'''"""Generated."""

from snaxum import Request, route


@route("/python/sum")
def squares(request: Request) -> dict[str, int]:
    return {{"sum": sum(number * number for number in range({_NUMBERS}))}}
'''

WORKLOAD = Workload(
    "a handler of 1 ms", "GET", "/python/sum", {"sum": sum(n * n for n in range(_NUMBERS))}
)


def write(app: Path) -> None:
    """Put it in the place of a program's own."""
    (app / "python" / "app.py").write_text(_PROGRAM)
