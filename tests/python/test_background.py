"""`background` without a server: its checks, and that nothing runs."""

from __future__ import annotations

from typing import Any

import pytest

from snaxum import _registry, background


async def work() -> None: ...


def test_without_a_server_nothing_is_called() -> None:
    called: list[int] = []
    background(called.append, 1)
    assert called == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: work(), r"got a coroutine; write `background\(work, ...\)`"),
        (lambda: 7, r"got a int; pass a function and its arguments: background\(f, 1\)"),
    ],
)
def test_a_value_that_is_not_a_function_names_the_remedy(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        background(make())


def test_in_a_pool_task_it_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "sink", object())
    with pytest.raises(RuntimeError, match="in a pool task; call it in the handler"):
        background(print)
