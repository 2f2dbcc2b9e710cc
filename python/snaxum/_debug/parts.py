"""The parts of a value that a traceback unfolds: attributes, items, and columns with their first
values.

Owns what a value is made of. Asks no property and calls no method of the user's classes but what
Python itself calls for an instance's `__dict__`; every call may raise or never end, and the caller
bounds it. Imports no library: a type is recognized by the names of its classes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import (
    BuiltinFunctionType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple, cast

from .._core.libraries import ByClass
from .._core.objects import type_mro, type_name, type_namespace

# The most parts of one value, and the first values of a column.
MAX_PARTS = 20
HEAD = 5

# A container with a `repr` of at most this length has no parts.
SHORT_REPR = 60

_SCALARS = (bool, bytes, bytearray, complex, float, int, str, type(None))
_CODE = (BuiltinFunctionType, FunctionType, MethodType, ModuleType, type)
_SEQUENCES = (list, tuple, set, frozenset, deque)


class ValuePart(NamedTuple):
    """A part of a value: another value, or the text that is shown for it."""

    name: str
    value: object
    # The type of a column; its first values are `value`.
    kind: str | None = None


class ValueParts(NamedTuple):
    """The shape and the parts of a value."""

    shape: str | None
    parts: list[ValuePart]


NOTHING = ValueParts(None, [])


def unfold(value: object, text: str) -> ValueParts:
    """Return the parts of a value whose `repr` is `text`."""
    kind = type(value)
    if issubclass(kind, _SCALARS) or issubclass(kind, _CODE):
        return NOTHING
    reader = TABLES.of(value)
    if reader is not None:
        return reader(value)
    if issubclass(kind, dict):
        items = dict.items(cast("dict[object, object]", value))
        shape = _count(dict.__len__(cast("dict[object, object]", value)), "item")
        parts = [ValuePart(_key(key), item) for key, item in islice(items, MAX_PARTS)]
        return ValueParts(shape, parts if len(text) > SHORT_REPR else [])
    own = list(_attributes(value))
    for base in _SEQUENCES:
        if issubclass(kind, base) and not own:
            # The methods of the base class: a subclass may override anything.
            size, each = cast(Any, base).__len__(value), cast(Any, base).__iter__(value)
            named = [
                ValuePart(str(index), item) for index, item in enumerate(islice(each, MAX_PARTS))
            ]
            return ValueParts(_count(size, "item"), named if len(text) > SHORT_REPR else [])
    return ValueParts(None, own)


def summary(value: object) -> str | None:
    """Return what is shown for a table or an array in place of its `repr`; None for others."""
    if TABLES.of(value) is None:
        return None
    return f"<{type_name(type(value))}>"


def _attributes(value: object) -> Iterator[ValuePart]:
    """Yield the attributes that an object itself has, in slots too."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = None
    names = set()
    if type(own) is dict:
        for name in islice(own, MAX_PARTS):
            if type(name) is str and not _is_dunder(name):
                names.add(name)
                yield ValuePart(name, own[name])
    for base in type_mro(type(value)):
        for name, member in type_namespace(base).items():
            if type(member) is not MemberDescriptorType or name in names or _is_dunder(name):
                continue
            if len(names) == MAX_PARTS:
                return
            try:
                item = member.__get__(value)
            except AttributeError:  # not set
                continue
            names.add(name)
            yield ValuePart(name, item)


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _key(key: object) -> str:
    kind = type(key)
    if kind is str:
        return cast(str, key)
    return repr(key) if kind in _SCALARS else f"<{type_name(kind)}>"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _table(rows: int, columns: int) -> str:
    return f"{_count(rows, 'row')}, {_count(columns, 'column')}"


def _pandas_frame(value: Any) -> ValueParts:
    rows, columns = value.shape
    head = value.iloc[:HEAD, :MAX_PARTS]
    names, types = list(head.columns), list(head.dtypes)
    parts = [
        ValuePart(str(name), head.iloc[:, at].tolist(), str(types[at]))
        for at, name in enumerate(names)
    ]
    return ValueParts(_table(rows, columns), parts)


def _pandas_series(value: Any) -> ValueParts:
    head = value.iloc[:HEAD]
    parts = [
        ValuePart(str(name), item) for name, item in zip(head.index, head.tolist(), strict=True)
    ]
    return ValueParts(f"{_count(len(value), 'value')} of {value.dtype}", parts)


def _polars_frame(value: Any) -> ValueParts:
    schema = list(value.schema.items())[:MAX_PARTS]
    head = value.head(HEAD)
    parts = [ValuePart(name, head[name].to_list(), str(dtype)) for name, dtype in schema]
    return ValueParts(_table(value.height, value.width), parts)


def _polars_series(value: Any) -> ValueParts:
    head = value.head(HEAD).to_list()
    parts = [ValuePart(str(at), item) for at, item in enumerate(head)]
    return ValueParts(f"{_count(len(value), 'value')} of {value.dtype}", parts)


def _arrow_table(value: Any) -> ValueParts:
    head = value.slice(0, HEAD)
    fields: Iterable[Any] = list(value.schema)[:MAX_PARTS]
    parts = [
        ValuePart(field.name, head.column(at).to_pylist(), str(field.type))
        for at, field in enumerate(fields)
    ]
    return ValueParts(_table(value.num_rows, value.num_columns), parts)


def _array(value: Any) -> ValueParts:
    shape = str(tuple(value.shape)) if value.shape else "scalar"
    return ValueParts(f"{shape} of {value.dtype}", [ValuePart("first", _first(value))])


def _first(array: Any) -> object:
    """Return the first items; `reshape` would copy all of an array that is transposed."""
    if not array.shape:
        return array.tolist()
    flat = getattr(array, "flat", None)
    if flat is not None:
        return flat[:HEAD].tolist()
    if 0 in array.shape:
        return []
    return array[(0,) * (len(array.shape) - 1)][:HEAD].tolist()


TABLES: ByClass[Callable[[Any], ValueParts]] = ByClass(
    {
        "pandas.DataFrame": _pandas_frame,
        "pandas.Series": _pandas_series,
        "polars.DataFrame": _polars_frame,
        "polars.Series": _polars_series,
        "pyarrow.Table": _arrow_table,
        "numpy.ndarray": _array,
        "torch.Tensor": _array,
    }
)
