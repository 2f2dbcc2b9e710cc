"""The types of the values that a handler may return, for type checkers.

Owns `Result`. Nothing imports this file at run time: `response` decides about values.
"""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections import UserList, deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
    ValuesView,
)
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import IO, Any, ClassVar, Protocol, TypeAlias

from ..response import Response
from .events import Event


class Undeclared(Protocol):
    """The type `object`, and no other: a result that is not declared is not checked.

    The `__class__` of every other type is narrower, and a property that can be set must not be.
    """

    @property
    def __class__(self) -> type[object]: ...
    @__class__.setter
    def __class__(self, value: type[object], /) -> None: ...


class AnySequence(Protocol):
    """The type `Sequence`, and no narrower one: a tuple is a body with its status."""

    @property  # type: ignore[override]
    def __class__(self) -> type[Sequence[Any]]: ...
    @__class__.setter
    def __class__(self, value: type[Sequence[Any]], /) -> None: ...


# mypy assumes that it is true. It finds `__class__` in no `Iterable`.
MYPY = False


class TextIterable(Protocol):
    """The type `Iterable` of text, for a generator function, and no narrower one but in mypy.

    Without `__class__` a tuple of text fits too.
    """

    if not MYPY:

        @property
        def __class__(self) -> type[Iterable[Any]]: ...
        @__class__.setter
        def __class__(self, value: type[Iterable[Any]], /) -> None: ...

    def __iter__(self) -> Iterator[ResultText | Event]: ...


class Dataclass(Protocol):
    """A dataclass, of the standard library or of pydantic."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


class Struct(Protocol):
    """A Struct of msgspec."""

    __struct_fields__: ClassVar[tuple[str, ...]]


class AttrsClass(Protocol):
    """A class of attrs."""

    __attrs_attrs__: ClassVar[Any]


class NamedFields(Protocol):
    """A NamedTuple; it is a list in JSON."""

    @property
    def _fields(self) -> tuple[str, ...]: ...
    def _asdict(self) -> dict[str, Any]: ...


class PydanticModel(Protocol):
    """A model of pydantic."""

    def model_dump(self) -> dict[str, Any]: ...


class Array(Protocol):
    """An array, a series or a frame of numpy, pandas or polars."""

    def __array__(self, *args: Any, **options: Any) -> Any: ...


class Table(Protocol):
    """A table or an array of pyarrow."""

    def to_pylist(self, *args: Any, **options: Any) -> Any: ...


class Scalar(Protocol):
    """A scalar of pyarrow."""

    def as_py(self, *args: Any, **options: Any) -> Any: ...


class Figure(Protocol):
    """A figure of matplotlib."""

    def savefig(self, *args: Any, **options: Any) -> Any: ...


class Axes(Protocol):
    """Axes of matplotlib; the response is their figure."""

    def get_figure(self, *args: Any, **options: Any) -> Any: ...


class Image(Protocol):
    """An image of Pillow."""

    def getbands(self) -> tuple[str, ...]: ...


ResultText: TypeAlias = str | bytes | bytearray | memoryview
JsonValue: TypeAlias = (
    int
    | float
    | Decimal
    | Enum
    | uuid.UUID
    | dt.date
    | dt.time
    | dt.timedelta
    | list[Any]
    | Mapping[Any, Any]
    | Set[Any]
    | deque[Any]
    | range
    | UserList[Any]
    | ValuesView[Any]
    | AnySequence
)
ModelInstance: TypeAlias = Dataclass | Struct | AttrsClass | NamedFields | PydanticModel
Picture: TypeAlias = Figure | Axes | Image
File: TypeAlias = Path | IO[Any] | io.IOBase
Stream: TypeAlias = (
    Iterator[ResultText | Event]
    | AsyncIterator[ResultText | Event]
    | AsyncIterable[ResultText | Event]
    | TextIterable
)
ResultBody: TypeAlias = (
    Response
    | ResultText
    | JsonValue
    | ModelInstance
    | Array
    | Table
    | Scalar
    | Picture
    | File
    | Stream
    | Undeclared
    | None
)
ResultHeaders: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
Result: TypeAlias = (
    ResultBody
    | tuple[ResultBody, int]
    | tuple[ResultBody, ResultHeaders]
    | tuple[ResultBody, int, ResultHeaders]
)
ResultHandler: TypeAlias = Callable[..., Result | Awaitable[Result]]
