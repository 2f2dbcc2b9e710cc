"""Writes a program whose handler computes for about a millisecond, as most that do something take.

The overhead of a server is large beside a handler that does nothing, and small beside this one.
Only writes.
"""

from __future__ import annotations

from pathlib import Path

from load import Workload

# About a millisecond of Python; the row states its length here, as CPU of a request.
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
    """Replace the routes of a program."""
    (app / "python" / "app.py").write_text(_PROGRAM)
