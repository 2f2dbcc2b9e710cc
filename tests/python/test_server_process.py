"""`snaxum.process`: the place of a process in its server."""

from collections.abc import Iterator

import pytest

import snaxum
from snaxum import server_process


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    server_process.assign(1, 1)


def test_without_a_server_there_is_one_process() -> None:
    assert (snaxum.process.number, snaxum.process.count) == (1, 1)


def test_the_server_assigns_the_place_and_handlers_cannot_change_it() -> None:
    server_process.assign(2, 4)
    assert (snaxum.process.number, snaxum.process.count) == (2, 4)
    assert repr(snaxum.process) == "<process 2 of 4>"
    with pytest.raises(AttributeError):
        snaxum.process.number = 3  # type: ignore[misc]
