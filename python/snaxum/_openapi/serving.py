"""The document of a generation, made once, and by one thread at a time.

Never sends it (`pages`).
"""

from __future__ import annotations

import threading

from .._runtime.generations import Generation
from . import project
from .document import document

_lock = threading.Lock()


def document_of(generation: Generation, directory: str) -> str:
    """Return the document of a generation of the project in a directory, as JSON."""
    if generation.openapi is None:
        with _lock:
            if generation.openapi is None:  # no thread has made it meanwhile
                info = project.read(directory)
                generation.openapi = document(generation.routes, generation.modules, info)
    return generation.openapi
