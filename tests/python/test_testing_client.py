"""`snaxum.testing` where no project is loaded: under plain pytest."""

from __future__ import annotations

from typing import Any

import pytest

from snaxum._runtime import runtime
from snaxum.testing import Client


@pytest.mark.parametrize("arguments", [(), ("shop",)])
def test_a_client_outside_of_snaxum_test_names_the_command(
    arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_runtime", None)
    with pytest.raises(RuntimeError, match=r"no project is loaded .*; run the tests with `snaxum"):
        Client(*arguments).get("/")
