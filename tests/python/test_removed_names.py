"""The search for code that uses a name which a reload has removed."""

from __future__ import annotations

from types import ModuleType

from snaxum._reload import removed_names, repeated_calls
from snaxum._reload.graph import Graph
from snaxum._reload.model import Node, Source

# Deeper than Python functions may call each other, and no problem for the compiler.
DEEP = " + ".join(["text"] * 1500)


def module(**names: object) -> ModuleType:
    made = ModuleType("pricing")
    made.__dict__.update(names)
    return made


def node(text: str) -> Node:
    made = Node("shop", Source("/project/shop.py", text.encode()))
    made.imports.add("pricing")
    return made


def test_a_deep_expression_does_not_end_the_search_with_an_error() -> None:
    text = f"import pricing\nprice = pricing.tax\ntext = ''\ntext = {DEEP}\n"
    before, after = {"pricing": module(tax=1)}, {"pricing": module()}
    (warning,) = removed_names.warnings(before, after, Graph([node(text)]))
    assert "`pricing.tax` was removed, but is still used: /project/shop.py:2" in warning


def test_a_deep_expression_that_is_called_is_not_compared() -> None:
    assert repeated_calls._callees(f"({DEEP})()".encode(), None) == set()
