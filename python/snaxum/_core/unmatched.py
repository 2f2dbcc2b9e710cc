"""The results of a lookup that finds no route.

Owns the types, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class MethodNotAllowed:
    """The path is known, the method is not; `allow` lists the known methods."""

    allow: tuple[str, ...]


@dataclass(slots=True)
class ImpliedOptions:
    """OPTIONS on a known path without a handler for it."""

    allow: tuple[str, ...]


@dataclass(slots=True)
class UpgradeRequired:
    """Only a WebSocket has this path."""


@dataclass(slots=True)
class NotFound:
    """No route has this path."""
