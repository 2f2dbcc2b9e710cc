"""Bodies that are hard to show, and a console in Chromium that shows one of them.

Owns their handlers and the browser. Measures nothing.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dev_api
from servers import Server, ServerError
from setup import BENCH

# Each is below the 60 KiB that the console shows, or below the 2 MiB that are stored.
_HANDLERS = '''"""Bodies that are hard to show."""

from snaxum import Response, get


@get("/shown/plain")
def plain():
    return {"message": "hello"}


@get("/shown/deep")
def deep():
    return Response('{"a":' * 10_000 + "1" + "}" * 10_000, content_type="application/json")


@get("/shown/wide")
def wide():
    return [{f"column {n}": n * row for n in range(2000)} for row in range(30)]


@get("/shown/quotes")
def quotes():
    row = '{0},"a line\\nand ""another"" one",<img src=x onerror=alert({0})>\\n'
    rows = "".join(map(row.format, range(20_000)))
    return Response(f"n,text,markup\\n{rows}", content_type="text/csv")


@get("/shown/svg")
def svg():
    shapes = '<g filter="url(#f)"><rect width="9" height="9" onload="alert(1)"/></g>' * 2000
    filters = '<filter id="f"><feTurbulence baseFrequency="0.9" numOctaves="9"/></filter>'
    start = '<svg xmlns="http://www.w3.org/2000/svg" width="2000" height="2000">'
    text = f"{start}<script>for(;;);</script>{filters}{shapes}</svg>"
    return Response(text, content_type="image/svg+xml")
'''
# The others are compared with the first.
BODIES = ("plain", "deep", "wide", "quotes", "svg")
TIMEOUT_S = 120.0


def write(app: Path) -> None:
    """Add the handlers to a program."""
    (app / "python" / "shown_bodies.py").write_text(_HANDLERS)


@contextmanager
def shown(server: Server, body: str) -> Iterator[None]:
    """A console that shows the body while the block runs; ServerError unless it does."""
    root = f"http://127.0.0.1:{server.port}"
    link = f"{root}/__snaxum/?t={dev_api.token(server.app)}"
    command = ["node", str(BENCH / "shown_body.js"), link, f"{root}/shown/{body}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as browser:
        assert browser.stdin is not None
        assert browser.stdout is not None
        if browser.stdout.readline() != "shown\n":
            raise ServerError(f"the console does not show the body {body!r}")
        yield
        browser.stdin.close()
        if browser.wait(TIMEOUT_S):
            raise ServerError(f"the console with the body {body!r} has failed")
