"""Regular expressions of the framework, compiled at their first use."""

from __future__ import annotations

import re

import pytest

from snaxum._core.late_regex import late


@pytest.mark.parametrize("text", ["", "a1", "A1 b22", "b"])
def test_an_expression_does_what_a_compiled_one_does(text: str) -> None:
    expression = r"([a-z])(\d+)?"
    ours, compiled = (
        late(expression, re.IGNORECASE),
        re.compile(expression, re.IGNORECASE),
    )
    for _ in range(2):
        assert ours.findall(text) == compiled.findall(text)
        assert ours.sub("x", text) == compiled.sub("x", text)
        assert [m.groups() for m in ours.finditer(text)] == [
            m.groups() for m in compiled.finditer(text)
        ]
        for method in ("match", "search", "fullmatch"):
            found, expected = (getattr(each, method)(text) for each in (ours, compiled))
            assert (found and found.span()) == (expected and expected.span())
    assert (ours.pattern, ours.flags) == (compiled.pattern, compiled.flags)


def test_an_expression_is_compiled_at_its_first_use() -> None:
    wrong = late("(")
    with pytest.raises(re.error):
        wrong.match("")


def test_bytes_have_expressions_too() -> None:
    assert late(rb"\d").sub(b"-", b"a1") == b"a-"
