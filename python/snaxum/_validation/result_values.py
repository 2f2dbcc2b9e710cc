"""Values of Python at a place of a declared type: single values, lists and mappings.

Owns what a handler may return for each of them, as subclasses, views and values of libraries. Knows
no field of a model, and never reads an attribute.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import UserList, deque
from collections.abc import Callable, Mapping, MappingView, Sequence, Set
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any

from .._core.json_encoding import simplify
from .._core.libraries import form_of
from . import scalars
from .models import is_model

PLAIN = frozenset((str, int, float, bool, type(None)))
_BUILT = PLAIN | {dict, list}
_TEXTS = (str, bytes, bytearray, memoryview)
_MOMENTS = (dt.date, dt.time, dt.timedelta)
# Values without fields, whatever attributes they have.
_SINGLE: tuple[type, ...] = (*_TEXTS, *_MOMENTS, int, float, complex, Decimal, uuid.UUID)
LISTS: tuple[type[Any], ...] = (tuple, Set, deque, range, UserList, MappingView, Sequence)
# The classes of pandas' missing values.
_NULLS = frozenset(("NaTType", "NAType"))


def simple(value: Any) -> Any:
    """Return a value as the encoder sends it. Raises TypeError if it does not."""
    while type(value) not in _BUILT:
        value = simplify(value)
    return value


def simple_or_same(value: Any) -> Any:
    try:
        return simple(value)
    except TypeError:
        return value


def is_null(value: Any) -> bool:
    return value is None or (type(value).__name__ in _NULLS and simple(value) is None)


def list_of(value: Any) -> list[Any] | None:
    """Return the items of a value that is a list in JSON; None for any other."""
    if isinstance(value, list):
        return value
    if isinstance(value, _TEXTS):
        return None
    if isinstance(value, LISTS):
        return list(value)
    found = unfolded(value)
    return found if isinstance(found, list) else None


def mapping_of(value: Any) -> Mapping[Any, Any] | None:
    """Return a value as a mapping, or the fields of a model; None for any other."""
    if is_mapping(value):
        found: Mapping[Any, Any] = value
        return found
    if isinstance(value, _SINGLE) or list_of(value) is not None:
        return None
    found = simple_or_same(value)
    return found if isinstance(found, dict) else None


def is_mapping(value: Any) -> bool:
    # `request.state` is both, and its values may hide its methods.
    return isinstance(value, Mapping) and not isinstance(value, SimpleNamespace)


def unfolded(value: Any) -> Any:
    """Return a value of a library as plain ones; any other as it is."""
    form = form_of(value)
    return value if form is None else form(value)


def without_library(value: Any) -> Any:
    """Return the same, but a model of a library as it is."""
    form = form_of(value)
    return value if form is None or is_model(type(value)) else form(value)


def with_fields(value: Any) -> Any:
    """Return a value that has the fields of a model: a mapping or an object; None for any other."""
    value = without_library(value)
    while isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, _SINGLE):
        return None
    is_list = isinstance(value, (list, *LISTS)) and not hasattr(value, "_fields")
    return None if is_list else value


def _of_class(kind: type) -> Callable[[Any], Any]:
    """Return the function that reads a value of a class, or the text of one."""
    parse = scalars.JSON[kind][2]

    def read(value: Any) -> Any:
        # NaT is a datetime that does not equal itself.
        if isinstance(value, kind) and value == value:
            return value
        return parse(simple(value))

    return read


def _plain(kind: type) -> Callable[[Any], Any]:
    check = scalars.JSON[kind][2]
    return lambda value: check(value if type(value) is kind else simple(value))


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        raise ValueError
    return _read_date(value)  # type: ignore[no-any-return]


def _float(value: Any) -> float:
    try:
        return float(value if isinstance(value, Decimal) else scalars.JSON[float][2](simple(value)))
    except OverflowError:
        raise ValueError from None


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return scalars.JSON[bytes][2](simple(value))  # type: ignore[no-any-return]


_read_date = _of_class(dt.date)
_READ: dict[type, Callable[[Any], Any]] = {
    str: _plain(str),
    int: _plain(int),
    float: _float,
    bool: _plain(bool),
    bytes: _bytes,
    dt.datetime: _of_class(dt.datetime),
    dt.date: _date,
    dt.time: _of_class(dt.time),
    dt.timedelta: _of_class(dt.timedelta),
    uuid.UUID: _of_class(uuid.UUID),
    Decimal: _of_class(Decimal),
}
# The same table as `scalars.JSON`, for values of Python.
SCALARS: dict[type, scalars.ScalarConversion] = {
    kind: (*scalars.JSON[kind][:2], read) for kind, read in _READ.items()
}
