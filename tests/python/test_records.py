"""Classes of fields that are made without `dataclasses`."""

from __future__ import annotations

import pytest

from snaxum._core.late_module import late_module
from snaxum._core.records import field, record


@record(repr=False)
class Plain:
    name: str
    size: int = 1
    items: list[int] = field(default_factory=list)


@record(eq=False, repr=False)
class Unequal:
    name: str


def test_fields_are_given_by_position_and_by_name_and_have_defaults() -> None:
    assert vars(Plain("a")) == {"name": "a", "size": 1, "items": []}
    assert vars(Plain("a", 2, items=[3])) == {"name": "a", "size": 2, "items": [3]}
    assert Plain("a").items is not Plain("a").items


def test_records_are_equal_if_their_fields_are_unless_they_opt_out() -> None:
    assert Plain("a") == Plain("a", 1, []) != Plain("b")
    assert Plain("a") != Unequal("a") != Unequal("a")
    with pytest.raises(TypeError, match="unhashable"):
        hash(Plain("a"))
    assert hash(Unequal("a"))


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {}, "Plain needs a value for `name`"),
        (("a", 1, [], 2), {}, "Plain has the fields name, size, items, each once"),
        (("a",), {"name": "b"}, "Plain has the fields name, size, items, each once"),
        (("a",), {"colour": "b"}, "Plain has no field `colour`"),
    ],
)
def test_wrong_fields_are_an_error(
    values: tuple[object, ...], named: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        Plain(*values, **named)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_a_late_module_has_the_attributes_of_the_module() -> None:
    late = late_module("colorsys")
    assert late.rgb_to_hls(0.5, 0.5, 0.5) == (0.0, 0.5, 0.0)
    assert not hasattr(late, "nothing")
    assert not hasattr(late, "__wrapped__")
