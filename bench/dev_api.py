"""Reads the API of a running `snaxum dev`.

Reads only. A server without `.snaxum/dev.json` has no API.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

# How many reloads the server remembers.
KEPT = 100


def reloads(app: Path) -> list[dict[str, Any]]:
    """The recorded reloads, oldest first; none if the server is another program."""
    found = _get(app, "reloads")
    return list(reversed(found)) if isinstance(found, list) else []


def token(app: Path) -> str:
    """The headers that open the API."""
    return str(json.loads(_announcement(app).read_text())["token"])


def is_there(app: Path) -> bool:
    return _announcement(app).exists()


def _get(app: Path, name: str) -> object:
    if not is_there(app):
        return None
    about = json.loads(_announcement(app).read_text())
    headers = {"Authorization": f"Bearer {about['token']}"}
    request = urllib.request.Request(f"{about['url']}/__snaxum/api/{name}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def _announcement(app: Path) -> Path:
    return app / ".snaxum" / "dev.json"
