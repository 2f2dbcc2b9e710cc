"""Marks of tests that run with the codec in Rust and without it.

The former needs a server: tests/python/run.rs runs such files in one with `snaxum test`.
"""

from __future__ import annotations

import pytest

from snaxum._core import json_codec

in_server = pytest.mark.skipif(json_codec.encode is None, reason="only a server has the codec")

both_encoders = pytest.mark.parametrize(
    "encode",
    [pytest.param(None, id="python"), pytest.param(json_codec.encode, id="rust", marks=in_server)],
)
both_decoders = pytest.mark.parametrize(
    "decode",
    [pytest.param(None, id="python"), pytest.param(json_codec.decode, id="rust", marks=in_server)],
)
