"""Two digests without OpenSSL: `hashlib` loads its library, which costs megabytes and start time.

Owns the search for Python's own modules of them; `hashlib` is the fallback.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def _find(name: str, *modules: str) -> Any:
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    return getattr(import_module("hashlib"), name)


blake2b = _find("blake2b", "_blake2")
sha256 = _find("sha256", "_sha2", "_sha256")  # from Python 3.12 on, and before
