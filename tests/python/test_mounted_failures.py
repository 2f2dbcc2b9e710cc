"""The traceback of an exception that leaves a mounted application."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import starlette.exceptions

from snaxum._hosts import failures
from snaxum.routing import Route


def test_an_exception_of_the_applications_framework_has_no_advice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runtime = SimpleNamespace(with_locals=False)
    monkeypatch.setattr(failures, "running", lambda: runtime)
    route = Route("/", None, lambda request: None)
    error = starlette.exceptions.HTTPException(404)
    assert failures.describe_failure(error, route)["hint"] is None
    unknown = ModuleNotFoundError("no", name="nope")
    assert "pyproject.toml" in failures.describe_failure(unknown, route)["hint"]
