"""The weights of media types in `Accept`."""

from __future__ import annotations

import pytest

from snaxum._core.accept import quality


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", 1.0),
        ("text/html", 1.0),
        ("text/*;q=0.5, */*;q=0.1", 0.5),
        ("*/*;q=0.8, text/html;level=1;q=0.3", 0.3),
        ("application/json", 0.0),
        # No weight of the standard.
        ("text/html;q=1.8", 0.0),
        ("text/html;q=-1", 0.0),
        ("text/html;q=nan", 0.0),
        ("text/html;q=inf", 0.0),
        ("text/html;q=high", 0.0),
    ],
)
def test_a_type_has_the_weight_of_its_most_specific_range(header: str, expected: float) -> None:
    assert quality(header, "text/html") == expected
