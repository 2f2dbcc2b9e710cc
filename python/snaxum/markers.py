"""Markers: where the value of a parameter comes from, in `Annotated`, with its limits.

Owns `Query`, `Path`, `Header`, `Cookie`, `Form` and `Body`. A marker only describes: `_core`
reads it when the route is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from ._core.foreign_names import explained


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Marker:
    """Where a value comes from, its limits, and its description; see `Query`."""

    __slots__ = (
        "alias",
        "default",
        "deprecated",
        "description",
        "examples",
        "ge",
        "gt",
        "le",
        "lt",
        "max_length",
        "min_length",
        "multiple_of",
        "pattern",
        "title",
    )
    source: ClassVar[str] = "query"

    default: Any
    alias: str | None
    title: str | None
    description: str | None
    examples: Sequence[Any] | None
    deprecated: bool
    ge: Any
    gt: Any
    le: Any
    lt: Any
    multiple_of: Any
    min_length: int | None
    max_length: int | None
    pattern: str | None

    @explained
    def __init__(
        self,
        default: Any = MISSING,
        *,
        alias: str | None = None,
        title: str | None = None,
        description: str | None = None,
        examples: Sequence[Any] | None = None,
        deprecated: bool = False,
        ge: Any = None,
        gt: Any = None,
        le: Any = None,
        lt: Any = None,
        multiple_of: Any = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
    ) -> None:
        """Take the limits and the description; `default` is for `limit: int = Query(10)`."""
        self.default, self.alias = default, alias
        self.title, self.description, self.examples = title, description, examples
        self.deprecated = deprecated
        self.ge, self.gt, self.le, self.lt, self.multiple_of = ge, gt, le, lt, multiple_of
        self.min_length, self.max_length, self.pattern = min_length, max_length, pattern

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Query(Marker):
    """A query parameter: `limit: Annotated[int, Query(ge=1, le=100)] = 10`.

    `alias` is its name in the URL. `ge`, `gt`, `le`, `lt` and `multiple_of` limit numbers, times
    and durations; `min_length`, `max_length` (characters, bytes or items) and `pattern` (a regular
    expression that matches anywhere) limit texts and lists.
    """

    __slots__ = ()


class Path(Marker):
    """A value of the path with limits: `user_id: Annotated[int, Path(ge=1)]`."""

    __slots__ = ()
    source = "path"


class Header(Marker):
    """A header: `user_agent: Annotated[str, Header()]`; without `alias`, `_` stands for `-`."""

    __slots__ = ()
    source = "header"


class Cookie(Marker):
    """A cookie: `session: Annotated[str | None, Cookie()] = None`."""

    __slots__ = ()
    source = "cookie"


class Form(Marker):
    """A field of a form: `name: Annotated[str, Form(min_length=1)]`; an empty number is missing."""

    __slots__ = ()
    source = "form"


class Body(Marker):
    """The JSON body: `ids: Annotated[list[int], Body()]`; a model needs no marker.

    With `embed=True`, and beside another parameter of the body, it is a member of the JSON object,
    by its name or `alias`.
    """

    __slots__ = ("embed",)
    source = "body"

    embed: bool

    @explained
    def __init__(
        self,
        default: Any = MISSING,
        *,
        embed: bool = False,
        alias: str | None = None,
        title: str | None = None,
        description: str | None = None,
        examples: Sequence[Any] | None = None,
        deprecated: bool = False,
        ge: Any = None,
        gt: Any = None,
        le: Any = None,
        lt: Any = None,
        multiple_of: Any = None,
        min_length: int | None = None,
        max_length: int | None = None,
        pattern: str | None = None,
    ) -> None:
        """Take the limits and the description; `default` is for `count: int = Body(1)`."""
        super().__init__(
            default,
            alias=alias,
            title=title,
            description=description,
            examples=examples,
            deprecated=deprecated,
            ge=ge,
            gt=gt,
            le=le,
            lt=lt,
            multiple_of=multiple_of,
            min_length=min_length,
            max_length=max_length,
            pattern=pattern,
        )
        self.embed = embed
