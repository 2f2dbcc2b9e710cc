"""The pytest plugin: the fixture `client`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..testing import Client


@pytest.fixture
def client() -> Iterator[Client]:
    """A `snaxum.testing.Client` of this project, without cookies."""
    with Client() as client:
        yield client
