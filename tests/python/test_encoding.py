"""JSON out, by the codec in Rust and without it: the same result both times.

Covers the JSON of each type and the message of each error. Never tests how a response is sent.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import ipaddress
import json
import math
import subprocess
import sys
import types
import uuid
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from codecs_of_json import both_encoders, in_server
from hypothesis import given, settings
from hypothesis import strategies as st

from snaxum._core.json_decoding import DecodingError, loads
from snaxum._core.json_encoding import EncodingError, dumps
from snaxum.http import to_response


class Colour(Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(IntEnum):
    LOW = 1


class Kind(str, Enum):
    A = "a"


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class User:
    name: str
    _secret: int = 0
    born: dt.date | None = None


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("user",)
    user: User


class Text(str):
    def __str__(self) -> str:
        return "overridden"


class Number(int):
    pass


class Real(float):
    pass


class Items(list):  # type: ignore[type-arg]
    pass


class Session:
    pass


def session() -> Session:
    return Session()


TZ = dt.timezone(dt.timedelta(hours=5, minutes=30))


@both_encoders
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ([True, 1, -1.5, 'é\n\u2028"', ""], [True, 1, -1.5, 'é\n\u2028"', ""]),
        ([math.nan, math.inf, -math.inf], [None, None, None]),
        (2**64, 2**64),
        (-(2**200), -(2**200)),
        ((1, (2,)), [1, [2]]),
        (Point(1, 2), [1, 2]),
        (
            User("ada", 7, dt.date(1815, 12, 10)),
            {"name": "ada", "_secret": 7, "born": "1815-12-10"},
        ),
        (Slotted(User("a")), {"user": {"name": "a", "_secret": 0, "born": None}}),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02T03:04:05.000006"),
        (dt.datetime(2024, 1, 2, tzinfo=TZ), "2024-01-02T00:00:00+05:30"),
        (
            dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(seconds=95))),
            "0001-01-01T00:00:00+00:01:35",
        ),
        (dt.time(1, 2, tzinfo=dt.timezone.utc), "01:02:00+00:00"),
        (dt.timedelta(days=1, microseconds=500_000), 86400.5),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/a/b"), "/a/b"),
        ([Colour.RED, Colour.PAIR, Level.LOW, Kind.A], ["red", [1, 2], 1, "a"]),
        ([Text("t"), Number(3), Real(1.5), Real("nan"), Items([1])], ["t", 3, 1.5, None, [1]]),
        ([{1}, frozenset(), collections.deque([2]), range(2)], [[1], [], [2], [0, 1]]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aa"), {"a": 2}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.ChainMap({"a": 1}), {"a": 1}),
        (
            {1: 1, 1.5: 2, None: 3, Colour.RED: 4, Kind.A: 5, Text("k"): 6},
            {"1": 1, "1.5": 2, "null": 3, "red": 4, "a": 5, "k": 6},
        ),
        ({False: 0, math.nan: 1, 2**70: 2}, {"false": 0, "null": 1, str(2**70): 2}),
        (
            {uuid.UUID(int=1): 1, dt.date(2024, 1, 2): 2, dt.datetime(2024, 1, 2): 3},
            {
                "00000000-0000-0000-0000-000000000001": 1,
                "2024-01-02": 2,
                "2024-01-02T00:00:00": 3,
            },
        ),
    ],
)
def test_a_value_becomes_json(value: object, expected: object, encode: Any) -> None:
    encoded = dumps(value, encode)

    assert json.loads(encoded) == expected
    assert encoded == json.dumps(expected, ensure_ascii=False, separators=(",", ":")).encode()


@both_encoders
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int8(-1), -1),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.1),
        (np.float16(0.1), 0.1),
        (np.longdouble(0.5), 0.5),
        (np.float32("nan"), None),
        (np.str_("é"), "é"),
        (np.datetime64("2024-01-02"), "2024-01-02"),
        (np.datetime64("2024-01-02T03:04:05.5", "ms"), "2024-01-02T03:04:05.500"),
        (np.datetime64("NaT"), None),
        (np.timedelta64(1500, "ms"), 1.5),
        (np.timedelta64("NaT"), None),
        (np.array(7), 7),
        (np.array([[1, 2], [3, 4]], dtype="i2"), [[1, 2], [3, 4]]),
        (np.array([0.1, math.nan, math.inf]), [0.1, None, None]),
        (np.array([0.1, 1e20, math.nan], dtype="f4"), [0.1, 1e20, None]),
        (np.arange(10)[::3], [0, 3, 6, 9]),
        (np.asfortranarray([[1.5, 2.5], [3.5, 4.5]]), [[1.5, 2.5], [3.5, 4.5]]),
        (np.array([1, 2], dtype=">i4"), [1, 2]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", "bc"]), ["a", "bc"]),
        (np.array([{"a": np.int64(1)}, None], dtype=object), [{"a": 1}, None]),
        (np.array(["2024-01-02", "NaT"], dtype="M8[D]"), ["2024-01-02", None]),
        (np.array([1, 2], dtype="m8[m]"), [60.0, 120.0]),
        (np.ma.masked_array([1, 2], mask=[False, True]), [1, None]),
        (np.zeros((0, 3)), []),
        ({np.int64(1): np.float64(2.5), np.str_("k"): 1}, {"1": 2.5, "k": 1}),
        (
            pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
            [{"a": 1, "b": "x"}, {"a": None, "b": "y"}],
        ),
        (pl.DataFrame({"t": [dt.datetime(2024, 1, 2)]}), [{"t": "2024-01-02T00:00:00"}]),
        (pl.DataFrame(), []),
        (pl.Series([1.5, math.nan]), [1.5, None]),
        (pl.Series([[1], [2, 3]]), [[1], [2, 3]]),
        (
            pd.DataFrame({"a": [1, 2], "b": [0.5, None]}),
            [{"a": 1, "b": 0.5}, {"a": 2, "b": None}],
        ),
        (
            pd.DataFrame({0: [pd.Timestamp("2024-01-02"), pd.NaT]}),
            [{"0": "2024-01-02T00:00:00"}, {"0": None}],
        ),
        (pd.Series([1, pd.NA], dtype="Int64"), [1, None]),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b"]),
        (pd.Index([1, 2]), [1, 2]),
        ([pd.NaT, pd.NA, pd.Timedelta(seconds=1.5)], [None, None, 1.5]),
    ],
    ids=range(40),
)
def test_arrays_and_frames_become_json(value: object, expected: object, encode: Any) -> None:
    assert json.loads(dumps({"v": value}, encode)) == {"v": expected}
    assert json.loads(dumps(value, encode)) == expected


def test_arrays_and_frames_may_be_returned_bare() -> None:
    values = [
        np.float64(1.5),
        np.arange(2),
        pl.Series([1]),
        pl.DataFrame({"a": [1]}),
        pd.Series([1]),
    ]

    bodies = [to_response(value).parts() for value in values]

    kinds = [headers for _, headers, _ in bodies]
    assert kinds == [[("content-type", "application/json")]] * 5
    assert [body for _, _, body in bodies] == [b"1.5", b"[0,1]", b"[1]", b'[{"a":1}]', b"[1]"]
    assert to_response(np.str_("x")).content_type == "text/html; charset=utf-8"


@both_encoders
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"users": [1, 2, {"session": session()}]},
            "cannot encode `Session` at `$.users[2].session` as JSON; "
            "return a dict, list, str, number or dataclass, or convert it first",
        ),
        (session(), "cannot encode `Session` at `$` as JSON; "),
        ({"a b": {1j}}, 'cannot encode `complex` at `$["a b"][0]` as JSON; return its .real'),
        ([b"x"], "cannot encode `bytes` at `$[0]` as JSON; decode it"),
        ((1j,), "cannot encode `complex` at `$[0]`"),
        (User("a", session()), "cannot encode `Session` at `$._secret`"),  # type: ignore[arg-type]
        ({"a": Session}, "cannot encode `type` at `$.a`"),
        ({"a": User}, "cannot encode `type` at `$.a`"),
        ({"a": {(1, 2): 3}}, "cannot use `tuple` as a key of `$.a` in JSON; use a str"),
        ({b"a": 1}, "cannot use `bytes` as a key of `$`"),
        ({"a": np.array([1j])}, "cannot encode `ndarray` at `$.a` as JSON; return an array of"),
        (
            np.zeros(1, [("a", "i4")]),
            "cannot encode `ndarray` at `$` as JSON; return an array of numbers",
        ),
        (
            list(np.zeros(1, [("a", "i4")])),
            "cannot encode `void` at `$[0]` as JSON; return a dict of its fields",
        ),
        (
            [Fraction(1, 3)],
            "cannot encode `Fraction` at `$[0]` as JSON; convert it with float() or str()",
        ),
        (
            [ipaddress.ip_address("::1")],
            "cannot encode `IPv6Address` at `$[0]` as JSON; convert it with str()",
        ),
        (
            [ipaddress.ip_network("10.0.0.0/8")],
            "cannot encode `IPv4Network` at `$[0]` as JSON; convert it with str()",
        ),
        (np.bytes_(b"x"), "cannot encode `bytes_` at `$`"),
        (
            pl.LazyFrame({"a": [1]}),
            "cannot encode `LazyFrame` at `$` as JSON; return its .collect()",
        ),
        ({"a": ["é\ud800"]}, "cannot encode the str at `$.a[0]` as JSON: '\\ud800' at character 2"),
        ({"\ud800": 1}, "cannot encode the str at `$` as JSON"),
        ({"a": iter([])}, "cannot encode `list_iterator` at `$.a`"),
    ],
    ids=range(21),
)
def test_a_value_without_a_json_form_is_named_with_its_place(
    value: object, message: str, encode: Any
) -> None:
    with pytest.raises(EncodingError) as caught:
        dumps(value, encode)

    assert str(caught.value).startswith(message)


@both_encoders
def test_a_value_that_contains_itself_is_named(encode: Any) -> None:
    array: list[Any] = [1]
    array.append({"again": array})
    user = User("a")
    user._secret = user  # type: ignore[assignment]

    with pytest.raises(EncodingError, match=r"`list` at `\$\[1\].again` .* it contains itself"):
        dumps(array, encode)
    with pytest.raises(EncodingError, match=r"`User` at `\$._secret` .* it contains itself"):
        dumps(user, encode)


@both_encoders
def test_one_value_may_occur_twice(encode: Any) -> None:
    shared = {"a": [1]}

    assert dumps([shared, shared, (shared,)], encode) == b'[{"a":[1]},{"a":[1]},[{"a":[1]}]]'


@both_encoders
@pytest.mark.parametrize("depth", [100_000, 5000, 401])
def test_nesting_too_deep_is_an_encoding_error(depth: int, encode: Any) -> None:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]

    with pytest.raises(EncodingError, match="nested"):
        dumps(value, encode)


@both_encoders
@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: User("a", value)])
def test_nesting_that_the_codec_refuses_is_encoded_all_the_same(wrap: Any, encode: Any) -> None:
    value: Any = []
    for _ in range(300):
        value = wrap(value)

    assert dumps(value, encode).count(b"]") >= 1


def test_no_library_is_imported_to_encode() -> None:
    code = (
        "import sys\nfrom snaxum._core.json_encoding import dumps\n"
        "assert dumps({'a': {1: (2,)}}) == b'{\"a\":{\"1\":[2]}}'\n"
        "assert not {'numpy', 'pandas', 'polars'} & set(sys.modules)"
    )
    path = Path(__file__).parents[2] / "python"

    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(path)})


moderate = settings(max_examples=150, deadline=None, database=None)
keys = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(), st.dates())
offsets = st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.floats(width=32).map(np.float32),
    st.floats(width=16).map(np.float16),
    st.text(),
    st.text(st.characters(categories=("Cs", "Lu")), max_size=3),
    st.datetimes(timezones=st.none() | offsets),
    st.times(),
    st.timedeltas(),
    st.decimals(),
    st.uuids(),
    st.sampled_from([*Colour, *Level, *Kind]),
    st.binary(max_size=1),
)
documents = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
        st.tuples(inner, inner),
        st.builds(User, st.text(), inner),
    ),
    max_leaves=12,
)


def outcome(function: Any, *arguments: Any) -> Any:
    """Return the value, with NaN comparable, or the error message."""
    try:
        return repr(function(*arguments))
    except (EncodingError, DecodingError) as error:
        return f"{type(error).__name__}: {error}"


@in_server
@moderate
@given(documents)
def test_the_codec_changes_nothing_but_the_speed_of_encoding(value: Any) -> None:
    assert outcome(dumps, value) == outcome(dumps, value, None)


@in_server
@settings(moderate, max_examples=1000)
@given(st.floats())
def test_the_codec_writes_each_float_as_python_does(value: float) -> None:
    assert dumps([value, value * 2**-1000]) == dumps([value, value * 2**-1000], None)


numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
texts = st.one_of(
    numbers,
    st.lists(numbers, max_size=3).map(lambda parts: f"[{','.join(parts)}]"),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ).map(json.dumps),
    st.text('[]{}":,\\\\u0dD8c1e-. \n\ufeff', max_size=20),
    st.lists(st.sampled_from(["\\\\", "\\u", "d83d", "de00", "0041", "\\n", "a"]), max_size=8).map(
        lambda parts: f'"{"".join(parts)}"'
    ),
).map(str.encode) | st.binary(max_size=8)


@in_server
@moderate
@given(texts)
def test_the_codec_changes_nothing_but_the_speed_of_decoding(data: bytes) -> None:
    assert outcome(loads, data) == outcome(loads, data, None)
