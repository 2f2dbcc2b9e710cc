"""Printing never waits for the reader of a stream; without room, lines are dropped and counted."""

from __future__ import annotations

import io
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snaxum._runtime.streams import Writer

LINE = b"x" * 99 + b"\n"
LIMIT = 100 * len(LINE)
# Room in a pipe or socket, and the queue: 1 MiB is more than both.
MANY = (1 << 20) // len(LINE)


def pipe() -> tuple[int, int]:
    return os.pipe()


def socket_pair() -> tuple[int, int]:
    reader, writer = socket.socketpair()
    return reader.detach(), writer.detach()


def terminal() -> tuple[int, int]:
    return os.openpty()


@pytest.fixture(params=[pipe, socket_pair, terminal], ids=lambda kind: kind.__name__)
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    make: Callable[[], tuple[int, int]] = request.param
    reader, descriptor = make()
    yield reader, descriptor
    os.close(descriptor)
    os.close(reader)


def read_until(reader: int, end: bytes) -> bytes:
    got = b""
    while end not in got:
        got += os.read(reader, 1 << 16).replace(b"\r\n", b"\n")
    return got


def test_lines_without_a_reader_are_dropped_and_counted_where_they_are_missing(
    ends: tuple[int, int],
) -> None:
    reader, descriptor = ends
    writer = Writer(descriptor, "<test>", LIMIT)
    for _ in range(MANY):
        assert writer.write(LINE) == len(LINE)
    got, written, dropped = b"", 0, 0
    # A terminal may have room again between two lines: then there are several reports.
    while written + dropped < MANY:
        got += read_until(reader, b"\n")
        *lines, got = got.split(b"\n")
        for line in lines:
            report = re.search(rb"(\d+) lines dropped, as nothing read it\)$", line)
            assert report or line == LINE[:-1], line
            written += not report
            dropped += int(report[1]) if report else 0
    assert (written + dropped, got) == (MANY, b"")
    assert dropped
    writer.write(b"after\n")
    assert read_until(reader, b"after\n") == b"after\n"


def test_text_is_written_before_the_call_returns_while_there_is_room(ends: tuple[int, int]) -> None:
    reader, descriptor = ends
    writer = Writer(descriptor, "<test>")
    writer.write(b"now\n")
    assert writer._thread is None
    assert read_until(reader, b"now\n") == b"now\n"


def test_a_file_gets_everything(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w+b") as file:
        file.write(b"before\n")
        file.flush()
        writer = Writer(file.fileno(), "<test>", LIMIT)
        for _ in range(MANY):
            writer.write(LINE)
    assert (tmp_path / "log").read_bytes() == b"before\n" + MANY * LINE


def test_a_reader_that_is_gone_costs_nothing_and_raises_nothing() -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor, "<test>", LIMIT)
    os.close(reader)
    for _ in range(MANY):
        writer.write(LINE)
    writer.wait_until_written(10)
    assert not writer._waiting
    os.close(descriptor)
    writer.write(LINE)


def test_a_replaced_descriptor_is_followed(tmp_path: Path) -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor, "<test>", LIMIT)
    writer.write(b"pipe\n")
    with open(tmp_path / "log", "wb") as file:
        os.dup2(file.fileno(), descriptor)
    writer.write(b"file\n")
    assert os.read(reader, 100) == b"pipe\n"
    assert (tmp_path / "log").read_bytes() == b"file\n"
    os.close(reader)
    os.close(descriptor)


def test_the_last_lines_wait_a_limited_time_for_a_reader() -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor, "<test>", 1 << 20)
    for _ in range(2000):
        writer.write(LINE)
    writer.wait_until_written(0.01)
    assert writer._waiting
    got = b""
    while len(got) < 2000 * len(LINE):
        got += os.read(reader, 1 << 16)
    writer.wait_until_written(10)
    assert not writer._waiting
    os.close(descriptor)
    os.close(reader)


def test_a_fork_has_a_stream_of_its_own() -> None:
    reader, descriptor = os.pipe()
    stream = io.TextIOWrapper(io.BufferedWriter(Writer(descriptor, "<test>")), line_buffering=True)
    child = os.fork()
    if child == 0:
        print("from the child", file=stream)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 100) == b"from the child\n"
    stream.detach()
    os.close(descriptor)
    os.close(reader)


def test_it_is_a_raw_stream() -> None:
    reader, descriptor = os.pipe()
    writer = Writer(descriptor, "<test>")
    assert isinstance(writer, io.RawIOBase)
    assert (writer.writable(), writer.readable(), writer.isatty()) == (True, False, False)
    writer.close()
    os.write(descriptor, b"the descriptor stays open")
    os.close(descriptor)
    os.close(reader)
