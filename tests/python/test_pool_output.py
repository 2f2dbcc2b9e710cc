"""Lines of a pool worker reach the server in order, before the answer; printing never waits."""

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
    """Read to the next answer."""
    lines: list[Line] = []
    while (some := read(message := server.recv_bytes())) is not None:
        lines += some
    return lines, message


def test_the_lines_of_a_task_come_before_its_answer(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    sender.send_line(None, "stdout", "one", False)
    assert read(server.recv_bytes()) == [(True, "stdout", "one")]
    sender.send_line(None, "stderr", "two\nof it", False)
    sender.send_reply(b"\x80an answer")
    assert received(server) == ([(True, "stderr", "two\nof it")], b"\x80an answer")


def test_the_lines_of_a_thread_are_no_tasks(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    thread = threading.Thread(target=sender.send_line, args=(None, "stdout", "aside", False))
    thread.start()
    thread.join()
    assert read(server.recv_bytes()) == [(False, "stdout", "aside")]


def test_printing_does_not_wait_for_who_does_not_read(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    count = 0
    while not sender._dropped:
        sender.send_line(None, "stdout", f"{count} {'x' * 1000}", False)
        count += 1
    assert count > MAX_WAITING
    # The answer waits for room, so somebody else has to send it.
    answering = threading.Thread(target=sender.send_reply, args=(b"\x80",))
    answering.start()
    lines, _ = received(server)
    answering.join()
    *kept, last = lines
    assert [line.split()[0] for _, _, line in kept] == [str(n) for n in range(count - 1)]
    assert last == (True, "stdout", "… (dropped lines: 1)")


def test_what_found_no_room_comes_without_a_further_line(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    count = 0
    while not sender._lines:
        sender.send_line(None, "stdout", f"{count} {'x' * 1000}", False)
        count += 1
    lines: list[Line] = []
    while len(lines) < count:
        lines += read(server.recv_bytes()) or []
    assert lines[-1][2].startswith(f"{count - 1} ")


def test_who_prints_while_it_sends_is_told_of_too(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    with sender._sending:  # a destructor runs here
        sender.send_line(None, "stdout", "goodbye", False)
    sender.send_reply(b"\x80")
    assert received(server)[0] == [(True, "stdout", "goodbye")]


def test_what_is_printed_as_the_thread_ends_its_turn_is_told_of(
    ends: tuple[Connection, Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, sender = ends
    sends_all, late = sender._try_send_all, ["late"]

    def sends_all_then_somebody_prints() -> bool:
        is_done = sends_all()
        if is_done and late and threading.current_thread() is sender._thread:
            sender.send_line(None, "stdout", late.pop(), False)
        return is_done

    monkeypatch.setattr(sender, "_try_send_all", sends_all_then_somebody_prints)
    while not sender._lines:
        sender.send_line(None, "stdout", "x" * 1000, False)
    while server.poll(10):
        if ("stdout", "late") in [line[1:] for line in read(server.recv_bytes()) or []]:
            return
    pytest.fail("the last line was left lying")


def test_lines_that_were_dropped_end_with_the_server() -> None:
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


def test_a_server_that_is_gone_holds_up_nobody() -> None:
    server, worker = multiprocessing.Pipe()
    sender = Sender(worker)
    server.close()
    for _ in range(2):
        sender.send_line(None, "stdout", "x", False)
    worker.close()
    assert not sender._lines


def test_a_process_that_a_task_forks_tells_of_nothing(ends: tuple[Connection, Sender]) -> None:
    server, sender = ends
    child = os.fork()
    if child == 0:
        sender.send_line(None, "stdout", "from the child", False)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    sender.send_reply(b"\x80")
    assert received(server)[0] == []
