"""Values of a traceback unfold into their parts, whatever they do, and show no secret."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from snaxum._debug.redact import MASK
from snaxum._debug.traceback import capture
from snaxum._reload import user_paths

Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Run code of the user that raises; return the locals of its frame, by name."""
    roots = user_paths.roots()
    user_paths.configure([str(tmp_path)], str(tmp_path))

    def run(body: str) -> dict[str, Any]:
        lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
        source = f"import time\ndef fail():\n{lines}\n    raise ValueError\n"
        space: dict[str, Any] = {"__name__": "app"}
        exec(compile(source, str(tmp_path / "app.py"), "exec"), space)
        try:
            space["fail"]()
        except ValueError as error:
            frames = capture(error, with_locals=True)["frames"]
            return {row["name"]: row for row in frames[-1]["locals"]}
        raise AssertionError("it raises")

    yield run
    user_paths.configure(roots, str(tmp_path))


def names(row: dict[str, Any]) -> list[str]:
    return [part["name"] for part in row.get("parts", [])]


def test_an_object_unfolds_into_its_attributes_and_theirs(run: Run) -> None:
    found = run(
        """
class Line:
    __slots__ = ("price", "unset")
    def __init__(self):
        self.price = 3.5
class Order:
    kind = "shared"
    def __init__(self):
        self.customer, self.line, self.self = "Ada", Line(), self
order = Order()
"""
    )
    order = found["order"]
    assert (order["kind"], names(order)) == ("Order", ["customer", "line", "self"])
    assert order["parts"][0]["value"] == "'Ada'"
    line = order["parts"][1]
    assert [(part["name"], part["value"]) for part in line["parts"]] == [("price", "3.5")]
    assert names(order["parts"][2]) == names(order), "a circle ends at the greatest depth"
    assert "parts" not in found["Order"], "a class does not unfold"


def test_a_long_container_unfolds_and_a_short_one_does_not(run: Run) -> None:
    found = run("short, table = [1, 2], {f'k{n}': list(range(40)) for n in range(30)}")
    assert (found["short"]["parts"], found["short"]["shape"]) == ([], "2 items")
    table = found["table"]
    assert (table["shape"], len(table["parts"])) == ("30 items", 20)
    assert names(table)[:2] == ["k0", "k1"]
    assert table["parts"][0]["shape"] == "40 items"


def test_secrets_are_masked_in_every_part(run: Run) -> None:
    found = run(
        """
class Account:
    def __init__(self):
        self.password, self.name = "hunter2hunter2", "Ada"
        self.settings = {"api_key": "abcdef123456", "long": "x" * 80}
account, token = Account(), Account()
"""
    )
    account = found["account"]
    assert [part["value"] for part in account["parts"][:2]] == [MASK, "'Ada'"]
    assert account["parts"][2]["parts"][0]["value"] == MASK
    assert (found["token"]["value"], "parts" in found["token"]) == (MASK, False)
    assert "hunter2" not in str(found)
    assert "abcdef123456" not in str(found)


def test_values_that_raise_or_never_end_do_not_hide_the_others(run: Run) -> None:
    began = time.monotonic()
    found = run(
        """
class Endless:
    def __repr__(self):
        while True: pass
class Looping:
    @property
    def __dict__(self):
        while True: pass
class Raising:
    def __repr__(self): raise SystemExit
    @property
    def __dict__(self): raise RuntimeError
class Deep(dict):
    def items(self): raise ValueError
    def __len__(self): return 10 ** 9
class Fine:
    def __init__(self): self.x = 1
endless, looping, raising, deep, fine = Endless(), Looping(), Raising(), Deep(a=1), Fine()
"""
    )
    assert "not shown, out of time" in found["endless"]["value"]
    assert "repr raised SystemExit" in found["raising"]["value"]
    assert found["deep"]["shape"] == "1 item"
    assert (found["fine"]["kind"], names(found["fine"])) == ("Fine", ["x"])
    assert found["fine"]["value"].startswith("<app.fail")
    # Generous for a busy machine; without the limit it would never end.
    assert time.monotonic() - began < 60


def test_frames_and_arrays_show_their_shape_and_first_values(run: Run) -> None:
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    polars, pyarrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    sys.modules["app_data"] = data = type(sys)("app_data")
    data.rows = {"price": [1.5, 2.5, 3.5], "token": ["a", "b", "c"]}  # type: ignore[attr-defined]
    data.pandas, data.numpy = pandas, numpy  # type: ignore[attr-defined]
    data.polars, data.pyarrow = polars, pyarrow  # type: ignore[attr-defined]
    try:
        found = run(
            """
import app_data as data
frame, other = data.pandas.DataFrame(data.rows), data.polars.DataFrame(data.rows)
table, series = data.pyarrow.table(data.rows), data.pandas.Series([1, 2, 3], index=["a", "b", "c"])
array, number = data.numpy.zeros((100, 3)), data.numpy.array(7)
"""
        )
    finally:
        del sys.modules["app_data"]
    for name, kind in (("frame", "float64"), ("other", "Float64"), ("table", "double")):
        shown = found[name]
        assert shown["shape"] == "3 rows, 2 columns", name
        price, token = shown["parts"]
        assert (price["name"], price["kind"], price["value"]) == (
            "price",
            kind,
            "[1.5, 2.5, 3.5]",
        )
        assert token["value"] == MASK, name
    assert found["series"]["shape"] == "3 values of int64"
    assert [part["name"] for part in found["series"]["parts"]] == ["a", "b", "c"]
    assert found["array"]["shape"] == "(100, 3) of float64"
    assert found["array"]["parts"][0]["value"] == "[0.0, 0.0, 0.0, 0.0, 0.0]"
    assert found["number"]["shape"] == "scalar of int64"


def test_the_parts_of_one_traceback_are_bounded(run: Run) -> None:
    found = run(
        """
class Node:
    def __init__(self, depth):
        self.children = [Node(depth - 1) for _ in range(8)] if depth else []
        self.text = "x" * 1000
nodes = [Node(3) for _ in range(20)]
"""
    )

    def count(row: dict[str, Any]) -> int:
        parts = row.get("parts", [])
        return len(parts) + sum(map(count, parts))

    total = sum(map(count, found.values()))
    assert 100 < total <= 200, total
