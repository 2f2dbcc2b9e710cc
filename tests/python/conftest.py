"""Fixtures of several files, and profiles of hypothesis.

Tests run with the same examples, `just properties` with random ones.
"""

from __future__ import annotations

import os

import pytest
from hooked_module import Module
from hypothesis import settings

from snaxum import _registry
from snaxum._validation import libraries

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("PROPTEST_CASES", "1000")), deadline=None
)
settings.register_profile("tests", derandomize=True)
settings.load_profile("tests")


@pytest.fixture(params=["msgspec", "standard"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with msgspec, and again without it."""
    if request.param == "standard":
        monkeypatch.setattr(libraries, "msgspec", lambda: None)
    return str(request.param)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Module:
    """Return the module that declarations belong to."""
    module = Module()
    monkeypatch.setattr(_registry, "sink", module)
    return module
