"""Values of libraries as responses: tables, models, pictures, and the way out for lazy ones.

Each test walks a class of values; the JSON of plain types is in `test_encoding`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import gc
import io
import json
import warnings
import weakref
from decimal import Decimal
from typing import Any

import attr
import duckdb
import matplotlib
import matplotlib.figure
import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
import scipy.sparse
from codecs_of_json import both_encoders
from PIL import Image

from snaxum import Response
from snaxum._core.json_encoding import dumps
from snaxum._core.libraries import ByClass, distinct
from snaxum.http import to_response

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SALES = pd.DataFrame({"city": ["a", "b", "a"], "year": [1, 1, 2], "n": [1, 2, 5]})
DAYS = pd.date_range("2024-01-01", periods=2)


@both_encoders
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SALES.iloc[1:2], [{"city": "b", "year": 1, "n": 2}]),
        # Since pandas 3, rows at equal distances have a range as their index.
        (SALES.iloc[[0, 0, 2]][["n"]], [*[{"index": 0, "n": 1}] * 2, {"index": 2, "n": 5}]),
        (SALES[["n"]].agg(["min", "max"]), [{"index": "min", "n": 1}, {"index": "max", "n": 5}]),
        (SALES.groupby("city").n.mean(), {"a": 3.0, "b": 2.0}),
        (
            SALES.groupby("city")[["n"]].sum(),
            [{"city": "a", "n": 6}, {"city": "b", "n": 2}],
        ),
        (
            SALES.groupby(["city", "year"]).n.sum(),
            [
                {"city": "a", "year": 1, "n": 1},
                {"city": "a", "year": 2, "n": 5},
                {"city": "b", "year": 1, "n": 2},
            ],
        ),
        (SALES.city.value_counts(), {"a": 2, "b": 1}),
        (SALES.mean(numeric_only=True).round(1), {"year": 1.3, "n": 2.7}),
        (
            SALES.groupby("city").agg({"n": ["min", "max"]}),
            [{"city": "a", "n_min": 1, "n_max": 5}, {"city": "b", "n_min": 2, "n_max": 2}],
        ),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "a.1"]), [{"a": 1, "a.2": 2, "a.1": 3}]),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), [{"1": 1, "1.1": 2}]),
        (pd.DataFrame({"index": [1]}, index=["x"]), [{"level_0": "x", "index": 1}]),
        (
            pd.DataFrame({"n": [1]}, index=pd.Index(["x"], name="n")),
            [{"n": "x", "n.1": 1}],
        ),
        (
            pd.DataFrame({"n": [1]}, index=pd.MultiIndex.from_tuples([("a", 1)])),
            [{"level_0": "a", "level_1": 1, "n": 1}],
        ),
        (pd.DataFrame({"n": [1]}, index=pd.RangeIndex(1, name="id")), [{"id": 0, "n": 1}]),
        (
            pd.DataFrame({"n": [1, 2]}, index=DAYS),
            [{"index": "2024-01-01T00:00:00", "n": 1}, {"index": "2024-01-02T00:00:00", "n": 2}],
        ),
        (pd.Series([1, 2], index=DAYS), {"2024-01-01T00:00:00": 1, "2024-01-02T00:00:00": 2}),
        (pd.Series([1, 2], index=DAYS.to_period("D")), {"2024-01-01": 1, "2024-01-02": 2}),
        (
            pd.Series([1, 2], index=["x", "x"]),
            [{"index": "x", "value": 1}, {"index": "x", "value": 2}],
        ),
        (
            pd.Series([1, 2], index=[1, "1"], name="v"),
            [{"index": 1, "v": 1}, {"index": "1", "v": 2}],
        ),
        (pd.Series([1], index=[None]), {"null": 1}),
        (pd.Series([1], index=[True]), {"true": 1}),
        (pd.Series([], dtype=float), []),
        (pd.Series([1, 2], index=["a", "b"])[lambda s: s > 5], {}),
        (pd.cut(pd.Series([1]), [0, 2]), ["(0, 2]"]),
        (pd.cut(pd.Series([1]), [0, 2]).value_counts(), {"(0, 2]": 1}),
        (pd.DataFrame(index=["x"]), [{"index": "x"}]),
        (pd.DataFrame(index=range(2)), [{}, {}]),
        (pd.DataFrame({DAYS[0]: [1]}), [{"2024-01-01T00:00:00": 1}]),
        (pd.MultiIndex.from_tuples([("a", 1)]), [["a", 1]]),
        (pd.Series(["a", "b", "a"], dtype="category").unique(), ["a", "b"]),
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (pd.Period("2024-01", "M"), "2024-01"),
        (pd.Interval(0, 1), "(0, 1]"),
        (pd.NA, None),
    ],
    ids=range(35),
)
def test_a_pandas_index_and_equal_column_names_lose_nothing(
    value: Any, expected: object, encode: Any
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert json.loads(dumps({"v": value}, encode)) == {"v": expected}
        assert json.loads(dumps(value, encode)) == expected


@both_encoders
def test_describe_has_the_names_of_its_rows(encode: Any) -> None:
    rows = json.loads(dumps(SALES.describe(), encode))

    assert [row["index"] for row in rows] == [
        *("count", "mean", "std", "min", "25%", "50%", "75%", "max")
    ]
    assert list(rows[0]) == ["index", "year", "n"]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a.1", "a.2"]),
        (["a", "a.1", "a"], ["a", "a.1", "a.2"]),
        ([("a", ""), ("a", "x"), "a_x"], ["a", "a_x", "a_x.1"]),
        ([1, 1.0, None, float("nan")], ["1", "1.0", "null", "null.1"]),
    ],
)
def test_labels_become_distinct_names(labels: list[object], names: list[str]) -> None:
    assert distinct(labels) == names


@both_encoders
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pa.table({"a": [1, None], "b": ["x", "y"]}), [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]), [{"a": 1, "a.1": 2}]),
        (pa.record_batch({"a": [dt.date(2024, 1, 2)]}), [{"a": "2024-01-02"}]),
        (pa.array([1, None]), [1, None]),
        (pa.chunked_array([[1], [2]]), [1, 2]),
        (pa.scalar(1.5), 1.5),
        (duckdb.sql("select 1 as a, 'x' as b").df(), [{"a": 1, "b": "x"}]),
        (duckdb.sql("select 1 as a").fetchall(), [[1]]),
        (duckdb.sql("select 1 as a").pl(), [{"a": 1}]),
    ],
    ids=range(9),
)
def test_arrow_and_duckdb_become_json(value: object, expected: object, encode: Any) -> None:
    assert json.loads(dumps({"v": value}, encode)) == {"v": expected}
    assert json.loads(to_response(value).parts()[2]) == expected  # type: ignore[arg-type]


class Item(pydantic.BaseModel):
    name: str
    price: Decimal
    made: dt.datetime | None = None
    tags: set[str] = set()


class Numbers(pydantic.RootModel[list[int]]):
    pass


class WithArray(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    values: np.ndarray[Any, Any]


class Secret(pydantic.BaseModel):
    key: pydantic.SecretStr


class Row(msgspec.Struct, rename="camel", tag="row"):
    first_name: str
    score: Any = None


@attr.define
class Owner:
    name: str
    item: Any = None


@dataclasses.dataclass
class Order:
    owner: Owner


@both_encoders
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Item(name="a", price=Decimal("1.10"), made=dt.datetime(2024, 1, 2)),
            {"name": "a", "price": "1.10", "made": "2024-01-02T00:00:00", "tags": []},
        ),
        (Numbers([1, 2]), [1, 2]),
        (Secret(key=pydantic.SecretStr("x")), {"key": "**********"}),
        (WithArray(values=np.array([1.5])), {"values": [1.5]}),
        (Row("ada", np.float64(1.5)), {"type": "row", "firstName": "ada", "score": 1.5}),
        (
            Order(Owner("ada", Row("b"))),
            {"owner": {"name": "ada", "item": {"type": "row", "firstName": "b", "score": None}}},
        ),
    ],
    ids=range(6),
)
def test_models_become_json_and_never_a_stream(
    value: object, expected: object, encode: Any
) -> None:
    assert json.loads(dumps([value], encode)) == [expected]
    response = to_response(value)
    assert response.content_type == "application/json"
    assert json.loads(response.parts()[2]) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (pl.LazyFrame({"a": [1]}), "`LazyFrame` cannot be a body; return its .collect()"),
        (pl.DataFrame({"a": [1]}).group_by("a"), "aggregate it with .agg(...)"),
        (SALES.groupby("city"), "aggregate it, as with .mean()"),
        (SALES.groupby("city").n, "aggregate it, as with .mean()"),
        (duckdb.sql("select 1"), "return its .df() or .fetchall()"),
        (duckdb.connect(), "return its .df() or .fetchall()"),
        (pa.table({"a": [1]}).to_reader(), "return its .read_all()"),
        (scipy.sparse.eye_array(2), "return its .toarray()"),
        (scipy.sparse.csr_matrix([[1]]), "return its .toarray()"),
        (1j, "return its .real and .imag"),
        (msgspec.Struct, "`StructMeta` cannot be a body; return a dict, list"),
    ],
    ids=range(11),
)
def test_a_value_that_is_not_a_response_yet_is_refused_with_the_way_out(
    value: object, words: str
) -> None:
    with pytest.raises(TypeError) as bare:
        to_response(value)
    with pytest.raises(TypeError) as inside:
        dumps({"v": value})

    assert words in str(bare.value)
    assert words.rpartition("; ")[2][:20] in str(inside.value)
    assert "`$.v`" in str(inside.value)


def figure() -> matplotlib.figure.Figure:
    made, axes = plt.subplots()
    axes.plot([1, 2])
    return made


BROWSER = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        (BROWSER, "image/png"),
        ("image/svg+xml", "image/svg+xml"),
        ("image/png;q=0.5, image/svg+xml", "image/svg+xml"),
        ("IMAGE/SVG+XML;q=0.2, image/*;q=0.1", "image/svg+xml"),
        ("image/svg+xml;q=0, */*", "image/png"),
        ("image/svg+xml;q=x", "image/png"),
    ],
)
def test_a_figure_is_the_picture_that_the_client_accepts(accept: str, content_type: str) -> None:
    for made in (figure(), figure().gca()):
        _, headers, body = to_response(made).parts(lambda: [("accept", accept)])
        assert headers == [("content-type", content_type), ("vary", "accept")]
        assert isinstance(body, bytes)
        assert body.startswith(b"\x89PNG" if content_type == "image/png" else b"<?xml")
    assert plt.get_fignums() == [], "pyplot stores no figure that was sent"


def test_a_picture_may_name_its_type() -> None:
    status, headers, body = Response(figure(), 201, content_type="application/pdf").parts()
    assert (status, headers) == (201, [("content-type", "application/pdf")])
    assert isinstance(body, bytes)
    assert body.startswith(b"%PDF")

    _, _, body = Response(Image.new("RGBA", (2, 2)), content_type="image/jpeg").parts()
    assert isinstance(body, bytes)
    assert body.startswith(b"\xff\xd8")
    with pytest.raises(TypeError, match="a `Image` cannot be text/html; use one of image/png, "):
        Response(Image.new("L", (1, 1)), content_type="text/html").parts()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_an_image_of_any_mode_is_a_png(mode: str) -> None:
    image = Image.new(mode, (3, 2))

    _, headers, body = to_response(image).parts(lambda: [("accept", "image/svg+xml")])

    assert headers == [("content-type", "image/png"), ("vary", "accept")]
    assert isinstance(body, bytes)
    assert Image.open(io.BytesIO(body)).size == (3, 2)


class Measured(msgspec.Struct):
    value: Any


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        2**70,
        10**400,
        "ü\u2028",
        b"\x00",
        Decimal("1.50"),
        dt.timedelta(seconds=1.5),
        dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc),
        {1: {"a": (1, 2)}, "b": {3}},
        np.arange(3),
        Item(name="a", price=Decimal(1)),
        Owner("ada", Row("b", np.float64(2))),
        pd.NaT,
        [[Measured(None)]],
    ],
    ids=range(14),
)
def test_a_struct_is_the_same_json_alone_and_in_a_list(value: object) -> None:
    alone = to_response(Measured(value)).parts()[2]
    assert json.loads(f"[{alone.decode()}]") == json.loads(dumps([Measured(value)]))  # type: ignore[union-attr]


def test_a_struct_that_has_no_json_names_the_place() -> None:
    with pytest.raises(TypeError, match=r"cannot encode `object` at `\$\.value\.a` as JSON"):
        to_response(Measured({"a": object()})).parts()
    endless = Measured(None)
    endless.value = [endless]
    with pytest.raises(TypeError, match="it is nested too deep"):
        to_response(endless).parts()


def test_a_search_by_class_lets_classes_go_and_takes_none_for_another() -> None:
    table = ByClass({"test_library_values.Named": True})
    for number in range(50):
        kind = type("Named" if number % 2 else "Other", (), {})
        assert table.of(kind()) == (True if number % 2 else None)
        gone = weakref.ref(kind)
        del kind
        gc.collect()
        assert gone() is None
    assert not table._found
