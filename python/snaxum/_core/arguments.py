"""One parameter of a handler as plain data: its source, its type, its limits, its description.

Owns `Argument`, which a call and a description of the API are made from. Decides nothing.
"""

from __future__ import annotations

from typing import Any, Literal

from .._validation.faults import Unsupported
from ..markers import MISSING, Marker

ArgumentSource = Literal[
    "path",
    "query",
    "header",
    "cookie",
    "form",
    "file",
    "body",
    "request",
    "websocket",
    # The request of a WebSocket.
    "handshake",
    "pool",
]
Passing = Literal["positional", "either", "keyword"]


class Argument:
    """One parameter of a handler, and the source of its value; None leaves it out."""

    def __init__(
        self,
        name: str,
        source: ArgumentSource | None,
        is_required: bool,
        is_annotated: bool,
        passing: Passing,
        default: Any = MISSING,
        annotation: Any = None,
        key: str = "",
    ) -> None:
        self.name = name
        self.source = source
        self.is_required = is_required
        self.is_annotated = is_annotated
        self.passing = passing
        # It belongs to the function inside a decorator that passes `**kwargs` on.
        self.is_inner: bool = False
        # The type without `Annotated`, and the metadata of that; `str` if there is no annotation.
        self.annotation = annotation
        self.metadata: list[Any] = []
        self.default = default
        # The name that the client sends.
        self.key = key
        self.limits: dict[str, Any] = {}
        self.alias: str | None = None
        self.title: str = ""
        self.description: str = ""
        self.examples: list[Any] = []
        self.is_deprecated: bool = False
        # `module:function` that reads the body as this type, if it is not JSON.
        self.reader: str | None = None
        # A member of the body, which is an object, by its key.
        self.is_embedded: bool = False
        # A field of the form beside a file, which the query may have instead.
        self.is_beside_file: bool = False
        # Several values with one name.
        self.is_list: bool = False
        # A model, each field of which is a text of its own.
        self.is_text_model: bool = False
        # The names of the other parameters of its source, beside a model of texts.
        self.neighbours: frozenset[str] = frozenset()
        # The value of the path, as its converter made it.
        self.is_as_matched: bool = False
        self.marker: Marker | None = None
        self.error: Unsupported | None = None
