"""orjson, where the project has it.

Owns the module that `json_encoding` and `json_decoding` use. Never encodes a value.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

# As an argument: orjson if it was found.
FOUND: Any = object()

orjson: ModuleType | None = None
# The options of its `dumps`.
options = 0


def find() -> None:
    """Import orjson; again after the packages of a project were added to `sys.path`."""
    global orjson, options
    try:
        found = importlib.import_module("orjson")
    except ImportError:
        return
    orjson = found
    options = found.OPT_PASSTHROUGH_DATACLASS | found.OPT_PASSTHROUGH_DATETIME


find()
