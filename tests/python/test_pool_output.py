"""Lines of a pool worker reach the server in order, before the reply; printing never waits."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from snaxum._pool.output import MAX_WAITING, Line, Sender, read


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Sender]]:
    server, worker = multiprocessing.Pipe()
    with server, worker:
        sender = Sender(worker)
        yield server, sender
        sender._close()
        if sender._thread is not None:
            sender._thread.join()


def received(server: Connection) -> tuple[list[Line], bytes]:
    """Read to the next reply."""
    lines: list[Line] = []
    while (some := read(message := server.recv_bytes())) is not None:
        lines += some
    return lines, message


def test_the_lines_of_a_task_come_before_its_reply(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    sender.send_line(None, "stdout", "one", False)
    assert read(server.recv_bytes()) == [(True, "stdout", "one")]
    sender.send_line(None, "stderr", "two\nof it", False)
    sender.send_reply(b"\x80a reply")
    assert received(server) == ([(True, "stderr", "two\nof it")], b"\x80a reply")


def test_the_lines_of_a_thread_do_not_belong_to_a_task(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    thread = threading.Thread(target=sender.send_line, args=(None, "stdout", "thread", False))
    thread.start()
    thread.join()
    assert read(server.recv_bytes()) == [(False, "stdout", "thread")]


def test_printing_does_not_wait_for_a_busy_server(
    ends: tuple[Connection, Sender],
) -> None:
    server, sender = ends
    count = 0
    while not sender._dropped:
        sender.send_line(None, "stdout", f"{count} {'x' * 1000}", False)
        count += 1
    assert count > MAX_WAITING
    # The reply waits for room, so another thread has to send it.
    replying = threading.Thread(target=sender.send_reply, args=(b"\x80",))
    replying.start()
    lines, _ = received(server)
    replying.join()
    *sent, last = lines
    assert [line.split()[0] for _, _, line in sent] == [str(n) for n in range(count - 1)]
    assert last == (True, "stdout", "… (dropped lines: 1)")


def test_lines_without_room_come_without_a_further_line(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    count = 0
    while not sender._lines:
        sender.send_line(None, "stdout", f"{count} {'x' * 1000}", False)
        count += 1
    lines: list[Line] = []
    while len(lines) < count:
        lines += read(server.recv_bytes()) or []
    assert lines[-1][2].startswith(f"{count - 1} ")


def test_a_line_printed_during_a_send_is_sent_too(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    with sender._sending:  # a destructor runs here
        sender.send_line(None, "stdout", "goodbye", False)
    sender.send_reply(b"\x80")
    assert received(server)[0] == [(True, "stdout", "goodbye")]


def test_a_line_printed_as_the_thread_finishes_is_sent(
    ends: tuple[Connection, Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, sender = ends
    try_send_all, late = sender._try_send_all, ["late"]

    def send_all_then_print() -> bool:
        is_done = try_send_all()
        if is_done and late and threading.current_thread() is sender._thread:
            sender.send_line(None, "stdout", late.pop(), False)
        return is_done

    monkeypatch.setattr(sender, "_try_send_all", send_all_then_print)
    while not sender._lines:
        sender.send_line(None, "stdout", "x" * 1000, False)
    while server.poll(10):
        if ("stdout", "late") in [line[1:] for line in read(server.recv_bytes()) or []]:
            return
    pytest.fail("the last line was not sent")


def test_dropped_lines_end_with_the_server() -> None:
    server, worker = multiprocessing.Pipe()
    sender = Sender(worker)
    sender._thread = threading.Thread()  # which does not start: only the caller sends
    while not sender._dropped:
        sender.send_line(None, "stdout", "x" * 1000, False)
    server.close()
    worker.close()
    ending = threading.Thread(target=sender._send, daemon=True)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()


def test_a_closed_server_does_not_block_printing() -> None:
    server, worker = multiprocessing.Pipe()
    sender = Sender(worker)
    server.close()
    for _ in range(2):
        sender.send_line(None, "stdout", "x", False)
    worker.close()
    assert not sender._lines


def test_a_forked_process_sends_nothing(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    child = os.fork()
    if child == 0:
        sender.send_line(None, "stdout", "from the child", False)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    sender.send_reply(b"\x80")
    assert received(server)[0] == []
