"""`snaxum.testing` where no project is loaded: under plain pytest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import snaxum
from snaxum._runtime import runtime
from snaxum._testing import in_process
from snaxum.testing import Client


@pytest.mark.parametrize("arguments", [(), ("shop",)])
def test_a_client_outside_of_snaxum_test_names_the_command(
    arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_runtime", None)
    with pytest.raises(RuntimeError, match=r"no project is loaded .*; run the tests with `snaxum"):
        Client(*arguments).get("/")


def test_each_client_of_a_project_that_does_not_load_gets_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads: list[str] = []

    def load(_: object, directory: str) -> None:
        loads.append(directory)
        if directory.endswith("missing"):
            raise RuntimeError("no directory")
        monkeypatch.setattr(runtime, "_runtime", object())  # a runtime begins before modules load
        raise RuntimeError("nothing to serve: no module loads")

    monkeypatch.setattr(snaxum, "_snaxum", SimpleNamespace(load=load), raising=False)
    monkeypatch.setattr(runtime, "_runtime", None)
    monkeypatch.setattr(in_process, "_failure", None)
    with pytest.raises(RuntimeError, match="no directory"):
        Client("/missing").get("/")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="nothing to serve: no module loads"):
            Client("/shop").get("/")
    assert loads == ["/missing", "/shop"]
