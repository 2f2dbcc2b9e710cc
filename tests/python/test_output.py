"""Printed lines cannot control the terminal, and are sent with their request."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from snaxum._core.current_record import current
from snaxum._debug.output import MAX_KEY_LINES, MAX_LINE, _Stream
from snaxum._debug.output_heads import PAUSE_S, Heads
from snaxum._debug.redact import MASK, SLACK
from snaxum._reload import user_paths
from snaxum._runtime.generations import Generation
from snaxum._runtime.leases import pin_thread, unpin_thread


class Printed:
    def __init__(self) -> None:
        self.through = io.BytesIO()
        self.lines: list[tuple[int | None, str, str]] = []
        self.stream = _Stream(self.through, "stdout", self.on_line)

    def on_line(self, request: int | None, stream: str, line: str, loads: bool) -> None:
        assert not loads
        self.lines.append((request, stream, line))


@pytest.fixture
def printed() -> Iterator[Printed]:
    yield Printed()
    unpin_thread()


def test_a_line_is_sent_when_it_ends(printed: Printed) -> None:
    print("a", end="", file=printed.stream)
    assert printed.lines == []
    print("b\nc", file=printed.stream)
    assert printed.lines == [(None, "stdout", "ab"), (None, "stdout", "c")]
    assert printed.through.getvalue() == b"ab\nc\n"


def test_a_line_belongs_to_the_request_that_its_thread_works_for(printed: Printed) -> None:
    pin_thread(Generation(1, None), 7)  # type: ignore[arg-type]
    printed.stream.writelines(["x\n"])
    assert printed.lines == [(7, "stdout", "x")]


def test_a_long_line_is_truncated_with_a_note(printed: Printed) -> None:
    for _ in range(3):
        printed.stream.write("x" * MAX_LINE)
    printed.stream.write("\n")
    assert printed.lines[0][2] == "x" * MAX_LINE + f"… ({2 * MAX_LINE} characters more)"
    assert len(printed.through.getvalue()) == 3 * MAX_LINE + 1


def test_secrets_are_masked_in_sent_lines_and_surrogates_replaced(printed: Printed) -> None:
    printed.stream.write("postgres://ada:hunter2@db \ud800\n")
    assert printed.lines[0][2] == f"postgres://ada:{MASK}@db ?"


@pytest.mark.parametrize("place", [MAX_LINE, SLACK * MAX_LINE])
def test_a_secret_across_a_cut_shows_no_part(
    printed: Printed, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "correct horse")
    printed.stream.write("-" * (place - 7) + "correct horse" + "-" * MAX_LINE + "\n")
    assert "correct" not in printed.lines[0][2]
    assert printed.lines[0][2].endswith(" characters more)")


KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n\nabc==\n-----END PRIVATE KEY-----"


def test_a_private_key_is_masked_line_by_line(printed: Printed) -> None:
    print(f"is {KEY}, of 5 lines\nMIIE", file=printed.stream)
    lines = [line for _, _, line in printed.lines]
    assert lines == [f"is {MASK}", MASK, MASK, MASK, f"{MASK}, of 5 lines", "MIIE"]


def test_a_key_that_does_not_end_hides_neither_all_nor_another_request(printed: Printed) -> None:
    printed.stream.write(KEY.splitlines()[0] + "\n" + "x\n" * (MAX_KEY_LINES + 1))
    lines = [line for _, _, line in printed.lines]
    assert lines == [MASK] * (MAX_KEY_LINES + 1) + ["x"]

    printed.stream.write(KEY.splitlines()[0] + "\n")
    pin_thread(Generation(1, None), 7)  # type: ignore[arg-type]
    printed.stream.write("y\n")
    assert printed.lines[-1] == (7, "stdout", "y")


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def written(through: io.BytesIO, *texts: str, is_raw: bool = False) -> str:
    stream = _Stream(through, "stdout", lambda *line: None, is_raw=is_raw)
    for text in texts:
        assert stream.write(text) == len(text)
    stream.flush()
    return through.getvalue().decode()


NASTY = "a\rb\x1b[2J\x1b]0;x\x07\x9b1m\x7f\u202ec\u2066\td\r\ne\n"
ESCAPED = "a\\u{d}b\\u{1b}[2J\\u{1b}]0;x\\u{7}\\u{9b}1m\\u{7f}\\u{202e}c\\u{2066}\td\r\ne\n"


@pytest.mark.parametrize("through", [io.BytesIO, Terminal])
def test_control_characters_are_escaped(through: type[io.BytesIO]) -> None:
    assert written(through(), NASTY) == ESCAPED
    assert written(through(), "a\x1b", "[2J") == "a\\u{1b}[2J"


def test_colours_stay_on_a_terminal_and_end_with_their_line() -> None:
    assert written(Terminal(), "\x1b[1;31mred", "\n", "x\n") == "\x1b[1;31mred\x1b[0m\nx\n"
    assert written(Terminal(), "\x1b[31mred\x1b[0m\n") == "\x1b[31mred\x1b[0m\n"
    assert written(io.BytesIO(), "\x1b[31mred\x1b[0m\n") == "\\u{1b}[31mred\\u{1b}[0m\n"


def test_raw_output_goes_through_unchanged() -> None:
    assert written(io.BytesIO(), NASTY, is_raw=True) == NASTY


def test_sent_lines_are_not_escaped(printed: Printed) -> None:
    printed.stream.write("a\x1b[31m\n")
    assert printed.lines[0][2] == "a\x1b[31m"


def test_it_is_a_text_stream_as_libraries_expect_it(printed: Printed) -> None:
    stream = printed.stream
    assert isinstance(stream, io.TextIOBase)
    assert (stream.isatty(), stream.encoding, stream.errors) == (False, "utf-8", "backslashreplace")
    stream.reconfigure(errors="replace", line_buffering=False)
    stream.buffer.write(b"bytes\n")
    with pytest.raises(TypeError, match="must be str"):
        stream.write(b"")  # type: ignore[arg-type]


def test_a_line_has_the_record_or_the_place_that_wrote_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[object, ...]] = []
    stream = _Stream(io.BytesIO(), "stdout", lambda *line: lines.append(line[2:3] + line[4:]))
    stream.finds_origin = True
    roots = user_paths.roots()
    user_paths.configure([str(tmp_path)], str(tmp_path))
    try:
        code = compile("\nprint('printed', file=stream)\n", str(tmp_path / "app.py"), "exec")
        exec(code, {"stream": stream})
        args = ("app", logging.WARNING, str(tmp_path / "app.py"), 7, "logged", (), None)
        monkeypatch.setattr(current, "record", logging.LogRecord(*args))
        stream.write("logged\n")
    finally:
        user_paths.configure(roots, str(tmp_path))
    assert lines == [
        ("printed", (None, None, "app.py", 2)),
        ("logged", ("warning", "app", "app.py", 7)),
    ]


def test_the_lines_of_a_request_are_below_its_head(printed: Printed) -> None:
    times = [10.0]
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    paths = {7: "GET    /a", 8: "POST   /b", 6: f"GET    /{key}/c"}
    heads = Heads(paths.get, lambda: times[-1])
    printed.stream.head_of = heads.head

    def written(request: int | None, *parts: str) -> list[str]:
        printed.through.seek(0)
        printed.through.truncate()
        pin_thread(Generation(1, None), request)  # type: ignore[arg-type]
        for part in parts:
            printed.stream.write(part)
        return printed.through.getvalue().decode().splitlines()

    head, *lines = written(7, "one ", "line\n", "two\n")
    assert head.endswith("  GET    /a  #7 prints:")
    assert lines == ["one line", "two"]
    assert written(7, "three\n") == ["three"]
    assert [line[-8:] for line in written(8, "other\n")][1:] == ["other"]
    assert len(written(7, "again\n")) == 2
    times.append(times[-1] + 2 * PAUSE_S)
    assert len(written(7, "later\n")) == 2
    assert written(None, "without one\n") == ["without one"]
    assert written(9, "after its end\n") == ["after its end"]
    assert written(6, "secret\n")[0].endswith(f"  GET    /{MASK}/c  #6 prints:")
    assert ("prints" in str(printed.lines)) is False
