"""The profile of `just fuzz`: the same properties, with more examples."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("PROPTEST_CASES", "1000")), deadline=None
)
