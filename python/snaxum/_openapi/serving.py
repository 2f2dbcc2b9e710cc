"""The document of a generation, made once.

Never sends it (`pages`).
"""

from __future__ import annotations

from .._runtime.generations import Generation
from . import project
from .document import document


def document_of(generation: Generation, directory: str) -> str:
    """Return the document of a generation of the project in a directory, as JSON."""
    if generation.openapi is None:
        info = project.read(directory)
        generation.openapi = document(generation.routes, generation.modules, info)
    return generation.openapi
