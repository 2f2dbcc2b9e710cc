"""Values of libraries: pandas, polars, arrow, numpy, pydantic, msgspec and attrs as plain values.

Owns the JSON form of each of their types, and the way out of each type that has none. A type is
recognized by the names of its classes, so this file imports no library and asks no object about
itself. Knows nothing of HTTP.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")

# A metaclass may override these attributes; these getters read the class itself.
_MRO: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_NAME: Callable[[type], str] = type.__dict__["__name__"].__get__
_DICT: Callable[[type], Mapping[str, object]] = type.__dict__["__dict__"].__get__
_MODULE: Callable[[type], object] = type.__dict__["__module__"].__get__


class ByClass(Generic[_T]):
    """Values by class and its subclasses, given by `library.Class`; each class is searched once.

    It has no reference to a class, so old modules can be freed.
    """

    __slots__ = ("_by_name", "_found")

    def __init__(self, by_name: Mapping[str, _T]) -> None:
        self._by_name = by_name
        # By the id of a class, since a metaclass may have a hash of its own.
        self._found: dict[int, tuple[weakref.ref[type], _T | None]] = {}

    def of(self, value: object) -> _T | None:
        """Find the class of `value`."""
        return self.of_class(type(value))

    def of_class(self, kind: type) -> _T | None:
        """Find a class, or the nearest of its bases."""
        found = self._found.get(id(kind))
        if found is not None and found[0]() is kind:
            return found[1]
        known = self._search(kind)
        key, table = id(kind), self._found

        def forget(gone: weakref.ref[type]) -> None:
            # Another class may have its address by now.
            if key in table and table[key][0] is gone:
                del table[key]

        table[key] = weakref.ref(kind, forget), known
        return known

    def _search(self, kind: type) -> _T | None:
        for each in _MRO(kind):
            module = _MODULE(each)
            if type(module) is str:
                known = self._by_name.get(f"{module.partition('.')[0]}.{_NAME(each)}")
                if known is not None:
                    return known
        return None


def form_of(value: object) -> Callable[[Any], object] | None:
    """Return the function that converts a library's value by one level, if it has a JSON form."""
    return form_of_class(type(value))


def form_of_class(kind: type) -> Callable[[Any], object] | None:
    """Return the same for the values of a class."""
    found = _FORMS.of_class(kind)
    if found is None and any("__attrs_attrs__" in _DICT(each) for each in _MRO(kind)):
        return _attrs
    return found


def way_out(value: object) -> str | None:
    """Return the way out for a value without a JSON form, if there is a known one."""
    return _WAYS_OUT.of(value)


def label_text(label: object) -> str:
    """Return the text of a row's or column's label, as a key in JSON."""
    if isinstance(label, str):
        return str.__str__(label)
    if isinstance(label, tuple):
        return "_".join(filter(None, map(label_text, label)))
    import datetime as dt

    if isinstance(label, dt.date | dt.time):
        return label.isoformat() if label == label else "null"
    if label is None or _NA.of(label):
        return "null"
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float):
        return float.__repr__(label) if label == label else "null"
    return str(label)


def distinct(labels: Iterable[object]) -> list[str]:
    """Return the texts of labels; a second `a` becomes `a.1`, as in `pandas.read_csv`."""
    names = [label_text(label) for label in labels]
    taken, seen = set(names), set[str]()
    for position, name in enumerate(names):
        count = 0
        while names[position] in seen or (count and names[position] in taken):
            count += 1
            names[position] = f"{name}.{count}"
        seen.add(names[position])
    return names


def _rows(names: list[str], columns: Iterable[list[object]]) -> list[dict[str, object]]:
    return [dict(zip(names, row)) for row in zip(*columns)]


def _frame(frame: Any) -> object:
    """List the rows of a pandas frame, with an index that is not a plain range as columns."""
    levels = _levels(frame.index, taken=[*frame.columns])
    names = distinct([*(label for label, _ in levels), *frame.columns])
    columns = [column.tolist() for _, column in [*levels, *frame.items()]]
    return _rows(names, columns) if columns else [{} for _ in range(len(frame))]


def _series(series: Any) -> object:
    """Convert a pandas series: a list, an object by its index, or rows if labels repeat."""
    levels = _levels(series.index, taken=[series.name])
    values = series.tolist()
    if not levels:
        return values
    if len(levels) == 1:
        keys = [label_text(label) for label in levels[0][1].tolist()]
        if len(set(keys)) == len(keys):
            return dict(zip(keys, values))
    name = "value" if series.name is None else series.name
    names = distinct([*(label for label, _ in levels), name])
    return _rows(names, [*(level.tolist() for _, level in levels), values])


def _levels(index: Any, taken: list[object]) -> list[tuple[object, Any]]:
    """Return the labels and values of an index, named as `reset_index` does; none for a range."""
    if index.name is None and _RANGE.of(index):
        return []
    levels = [(label, index.get_level_values(n)) for n, label in enumerate(index.names)]
    if len(levels) == 1 and levels[0][0] is None:
        return [("index" if "index" not in taken else "level_0", levels[0][1])]
    return [(f"level_{n}" if label is None else label, v) for n, (label, v) in enumerate(levels)]


def _arrow_table(table: Any) -> object:
    columns = [column.to_pylist() for column in table.columns]
    return _rows(distinct(table.schema.names), columns)


def _numpy(value: Any) -> object:
    """Convert a scalar or an array; an array without dimensions is a scalar."""
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind in "biuUO" or _MASKED.of(value):
        return value.tolist()
    if kind == "f":
        # A float32 of 0.1 is 0.1 in JSON, not its exact value 0.10000000149011612.
        return (value.astype(str) if size < 8 else value).astype("f8").tolist()
    if kind == "M":
        return _without_nat(sys.modules["numpy"].datetime_as_string(value).tolist())
    if kind == "m":
        return (value / sys.modules["numpy"].timedelta64(1, "s")).tolist()
    raise TypeError(type(value).__name__)


def _without_nat(texts: object) -> object:
    if isinstance(texts, list):
        return [_without_nat(text) for text in texts]
    return None if texts == "NaT" else texts


def _pydantic(model: Any) -> object:
    if not hasattr(model, "model_dump"):  # version 1
        return model.dict()
    try:
        return model.model_dump(mode="json", by_alias=True)
    except ValueError:
        return dict(model)  # it has a field that pydantic cannot convert: try it here


def _struct(struct: Any) -> object:
    try:
        return sys.modules["msgspec"].to_builtins(struct, str_keys=True, enc_hook=convert)
    except TypeError:
        return {name: getattr(struct, name) for name in struct.__struct_fields__}


def convert(value: object) -> object:
    """Convert a value of a library by one level. Raises TypeError if it has no JSON form."""
    form = form_of(value)
    if form is None:
        raise TypeError(_NAME(type(value)))
    return form(value)


def _attrs(value: Any) -> object:
    return {field.name: getattr(value, field.name) for field in type(value).__attrs_attrs__}


def _to_list(value: Any) -> object:
    return value.to_list()


def _tolist(value: Any) -> object:
    return value.tolist()


def _to_pylist(value: Any) -> object:
    return value.to_pylist()


_NA = ByClass({"pandas.NAType": True})
_RANGE = ByClass({"pandas.RangeIndex": True})
_MASKED = ByClass({"numpy.MaskedArray": True})
_FORMS = ByClass[Callable[[Any], object]](
    {
        "numpy.generic": _numpy,
        "numpy.ndarray": _numpy,
        "pandas.DataFrame": _frame,
        "pandas.Series": _series,
        "pandas.Index": _to_list,
        "pandas.ExtensionArray": _tolist,
        "pandas.Period": str,
        "pandas.Interval": str,
        "pandas.NAType": lambda _: None,
        "polars.DataFrame": lambda frame: frame.to_dicts(),
        "polars.Series": _to_list,
        "pyarrow.Table": _arrow_table,
        "pyarrow.RecordBatch": _arrow_table,
        "pyarrow.Array": _to_pylist,
        "pyarrow.ChunkedArray": _to_pylist,
        "pyarrow.Scalar": lambda scalar: scalar.as_py(),
        "pydantic.BaseModel": _pydantic,
        "msgspec.Struct": _struct,
    }
)

_ROWS_OF_A_QUERY = "return its .df() or .fetchall()"
_WAYS_OUT = ByClass(
    {
        "builtins.bytes": "decode it, or encode it with base64",
        "builtins.bytearray": "decode it, or encode it with base64",
        "builtins.memoryview": "decode it, or encode it with base64",
        "builtins.complex": "return its .real and .imag",
        "builtins.coroutine": "await it first",
        "builtins.generator": "return a list of it",
        "fractions.Fraction": "convert it with float() or str()",
        "ipaddress._IPAddressBase": "convert it with str()",
        "numpy.complexfloating": "return its .real and .imag",
        "numpy.ndarray": (
            "return an array of numbers or texts, as its .real and .imag, or a dict for each record"
        ),
        "numpy.void": "return a dict of its fields",
        "pandas.DataFrameGroupBy": "aggregate it, as with .mean()",
        "pandas.SeriesGroupBy": "aggregate it, as with .mean()",
        "polars.LazyFrame": "return its .collect()",
        "polars.Expr": "select it from a frame",
        "polars.GroupBy": "aggregate it with .agg(...)",
        "polars.LazyGroupBy": "aggregate it with .agg(...).collect()",
        "duckdb.DuckDBPyRelation": _ROWS_OF_A_QUERY,
        "duckdb.DuckDBPyConnection": _ROWS_OF_A_QUERY,
        "_duckdb.DuckDBPyRelation": _ROWS_OF_A_QUERY,
        "_duckdb.DuckDBPyConnection": _ROWS_OF_A_QUERY,
        "pyarrow.RecordBatchReader": "return its .read_all()",
        "pyarrow.Dataset": "return its .to_table()",
        "dask.FrameBase": "return its .compute()",
        "dask.Array": "return its .compute()",
        "scipy._spbase": "return its .toarray()",
        "scipy.spmatrix": "return its .toarray()",
        "torch.Tensor": "return its .tolist()",
        "sqlalchemy.Result": "return a list of dicts, as from .mappings().all()",
        "sqlalchemy.Query": "return a list of dicts of its rows",
        "django.QuerySet": "return a list of its .values()",
    }
)
