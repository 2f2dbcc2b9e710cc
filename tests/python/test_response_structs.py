"""`response_model`: the short way of Structs sends the same as the long one."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pydantic
import pytest
from test_response_model import Author, Inner, MixedData, Model, Page, Team, User, sent
from test_response_values import AnyStruct, Anything, Color, MyStr, Oak, Point, Rose, TaggedArray

from snaxum._validation import result_structs, results
from snaxum._validation.faults import INVALID
from snaxum._validation.results import ResultError, converter

# The short way, by msgspec alone


class Tag(msgspec.Struct, rename="camel"):
    tag_name: str
    parent: Tag | None = None


class Item(msgspec.Struct, omit_defaults=True):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    price: float
    made: dt.datetime
    tags: list[Tag] = []
    color: Color = Color.RED
    by_name: dict[str, Tag] = {}
    size: Decimal | None = None


class StoredItem(Item):
    password: str = "secret"


class StoredTag(Tag):
    password: str = "secret"


class Checked(msgspec.Struct):
    count: int

    def __post_init__(self) -> None:
        self.count += 1


MADE = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
BUILT = Item("x", 1.5, MADE, [Tag("a", Tag("b"))], size=Decimal("1.10"))


@pytest.mark.parametrize(
    ("model", "result", "is_short"),
    [
        (Item, BUILT, True),
        (list[Item], [BUILT, BUILT], True),
        (dict[str, Item | None], {"a": BUILT, "b": None}, True),
        (list[Page[Item]], [Page([BUILT], BUILT)], True),
        (Author, Author("x"), True),
        (list[TaggedArray], [TaggedArray(1)], True),
        (list[User], [User("x", 1)], True),
        (Item, StoredItem("x", 1.5, MADE), False),
        (Item, Item("x", 1.5, MADE, [StoredTag("a")]), False),
        (Item, Item("x", 1.5, MADE, by_name={"a": StoredTag("b")}), False),
        (Item, Item("x", 1.5, MADE, [Tag("a", StoredTag("b"))]), False),
        (list[Item], [{"name": "x", "price": 1.5, "made": MADE, "password": "y"}], False),
        (list[Item], (BUILT,), False),
        (Item, Item("x", Decimal("1.5"), MADE), False),  # type: ignore[arg-type]
        (Author, Author(MyStr("x")), False),
    ],
)
def test_the_short_way_sends_the_same(
    model: Any, result: Any, is_short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = result_structs.short_way(model)
    assert short is not None
    assert (short(result) is not INVALID) is is_short
    found = sent(model, result)
    assert "secret" not in json.dumps(found)
    monkeypatch.setattr(results, "short_way", lambda annotation: None)
    assert sent(model, result) == found


@pytest.mark.parametrize(
    "model",
    [Inner, Checked, list[dt.timedelta], MixedData, Anything, AnyStruct, Point, Rose | Oak,
     Model, list[Model], list[int], Team | int, Annotated[Author, pydantic.AfterValidator(str)]],
)  # fmt: skip
def test_other_types_have_no_short_way(model: Any) -> None:
    short = result_structs.short_way(model)
    assert short is None


def test_the_short_way_finds_each_fault_by_the_long_one() -> None:
    with pytest.raises(ResultError) as caught:
        converter(list[Item])([Item("too long", "x", MADE)])  # type: ignore[arg-type]
    assert str(caught.value).endswith("`0.name` must have at most 5 characters; 1 more fault")
    tag = Tag("a")
    tag.parent = tag
    with pytest.raises(ResultError, match="`parent` is an object that contains itself"):
        converter(Tag)(tag)
