"""One parameter of a handler as plain data: its source, its type, its limits, its description.

Owns `Argument`, which a call and a description of the API are made from. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(slots=True, repr=False)
class Argument:
    """One parameter of a handler, and the source of its value; None leaves it out."""

    name: str
    source: ArgumentSource | None
    is_required: bool
    is_annotated: bool
    passing: Passing
    # It belongs to the function inside a decorator that passes `**kwargs` on.
    is_inner: bool = False
    # The type without `Annotated`, and the metadata of that; `str` if there is no annotation.
    annotation: Any = None
    metadata: list[Any] = field(default_factory=list)
    default: Any = MISSING
    # The name that the client sends.
    key: str = ""
    limits: dict[str, Any] = field(default_factory=dict)
    alias: str | None = None
    title: str = ""
    description: str = ""
    examples: list[Any] = field(default_factory=list)
    is_deprecated: bool = False
    # `module:function` that reads the body as this type, if it is not JSON.
    reader: str | None = None
    # A member of the body, which is an object, by its key.
    is_embedded: bool = False
    # A field of the form beside a file, which the query may have instead.
    is_beside_file: bool = False
    # Several values with one name.
    is_list: bool = False
    # A model, each field of which is a text of its own.
    is_text_model: bool = False
    # The names of the other parameters of its source, beside a model of texts.
    neighbours: frozenset[str] = frozenset()
    # The value of the path, as its converter made it.
    is_as_matched: bool = False
    marker: Marker | None = None
    error: Unsupported | None = None
