"""The hint of an error: the name that was meant, and the package that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from snaxum._debug.traceback import capture
from snaxum._reload import user_paths

Hint = Callable[[str], "str | None"]


@pytest.fixture
def hint(tmp_path: Path) -> Iterator[Hint]:
    """Run code of the user that raises; return the hint."""
    roots = user_paths.roots()
    user_paths.configure([str(tmp_path)], str(tmp_path))
    (tmp_path / "warehouse.py").write_text("")
    numbers = count()

    def hint(body: str) -> str | None:
        lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
        space: dict[str, Any] = {"__name__": "app"}
        path = tmp_path / f"app{next(numbers)}.py"
        path.write_text(f"def fail(size=1):\n{lines}\nfail()\n")
        try:
            exec(compile(path.read_text(), str(path), "exec"), space)
        except Exception as error:
            found: str | None = capture(error, with_locals=True)["hint"]
            return found
        raise AssertionError("it raises")

    yield hint
    user_paths.configure(roots, str(tmp_path))


def test_a_mistyped_name_attribute_or_key_is_named(hint: Hint) -> None:
    assert hint("prices = []\nreturn price") == "did you mean `prices`?"
    assert hint("return lenn([])") == "did you mean `len`?"
    assert hint("import math\nreturn math.sqr(4)") == "did you mean `sqrt`?"
    assert hint("return 'a'.uper()") == "did you mean `upper`?"
    assert hint("order = {'customer': 1}\nreturn order['custmer']") == "did you mean `customer`?"
    assert hint("from math import sqr") == "did you mean `sqrt`?"
    assert hint("order = {'customer': 1}\nreturn order['zzz']") is None
    assert hint("return size.nothing_like_it") is None
    assert hint("print(late)\nlate = 1") is None, "it has no value yet"


def test_a_column_of_a_frame_is_named(hint: Hint) -> None:
    pytest.importorskip("pandas")
    body = "import pandas\nframe = pandas.DataFrame({'price': [1]})\nreturn frame['prise']"
    assert hint(body) == "did you mean `price`?"


def test_a_missing_package_is_named_with_the_way_to_add_it(hint: Hint, tmp_path: Path) -> None:
    pip = "add {} to pyproject.toml and run `snaxum sync`, or fix the name"
    assert hint("import no_such_thing") == pip.format("no_such_thing")
    assert hint("import skimage.io") == pip.format("scikit-image")
    meant = "did you mean `warehouse`? Otherwise add warehose to pyproject.toml"
    assert str(hint("import warehose")).startswith(meant)
    (tmp_path / "uv.lock").write_text("")
    way = "add the package with `uv add pymupdf`, or fix the name"
    assert hint("import fitz") == way


def test_an_object_that_refuses_every_question_has_no_hint(hint: Hint) -> None:
    body = """
class Hostile:
    def __getattribute__(self, name): raise AttributeError(name, name=name, obj=self)
    def __dir__(self): raise SystemExit
Hostile().value
"""
    assert hint(body) is None
