"""Profiles of hypothesis: tests run with the same examples, `just fuzz` with random ones."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("PROPTEST_CASES", "1000")), deadline=None
)
settings.register_profile("tests", derandomize=True)
settings.load_profile("tests")
