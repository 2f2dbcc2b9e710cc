"""Server-sent events and JSON lines: the bytes, the headers, the end of the generator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaxum import Event, Request, Response, stream_events, stream_json_lines
from snaxum._core.event_head import EventHead
from snaxum.http import to_response


def content(response: Response) -> bytes:
    body = response.parts()[2]
    if isinstance(body, Iterator):
        return b"".join(body)

    async def read(chunks: AsyncIterator[bytes]) -> bytes:
        return b"".join([chunk async for chunk in chunks])

    return asyncio.run(read(body))  # type: ignore[arg-type]


async def ticks() -> AsyncIterator[object]:
    yield {"n": 1}
    yield Event("two", id=2)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("hello", "data: hello\n\n"),
        ("", "data: \n\n"),
        ("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        ({"a": [1, None]}, 'data: {"a":[1,null]}\n\n'),
        (7, "data: 7\n\n"),
        (Event(1, event="tick", id="7", retry=500), "event: tick\nid: 7\nretry: 500\ndata: 1\n\n"),
        (Event(None, retry=0), "retry: 0\n\n"),
        (Event("é", id=""), "id: \ndata: é\n\n"),
    ],
)  # fmt: skip
def test_a_value_is_one_event(value: object, sent: str) -> None:
    assert content(stream_events([value])).decode() == sent


def parse(stream: str) -> list[dict[str, str]]:
    """Parse events by section 9.2.6 of the HTML standard."""
    events, data, kind = [], "", ""
    for line in stream.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                events.append({"data": data.removesuffix("\n"), "event": kind or "message"})
            data, kind = "", ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
    return events


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_every_text_arrives_as_it_was_yielded(texts: list[str]) -> None:
    stream = content(stream_events(texts)).decode()
    normal = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert parse(stream) == [{"data": text, "event": "message"} for text in normal]


def test_the_headers_let_no_proxy_store_or_collect_the_events() -> None:
    status, headers, body = stream_events(ticks()).parts()
    assert (status, headers) == (
        200,
        [
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
            ("content-type", "text/event-stream"),
        ],
    )
    assert body.keep_alive == 15.0  # type: ignore[union-attr]
    assert stream_events([], keep_alive=None).parts()[2].keep_alive is None  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="keep_alive=0 is not a number of seconds"):
        stream_events([], keep_alive=0)


def test_json_lines_have_one_line_for_each_value() -> None:
    response = stream_json_lines({"n": n, "text": "a\nb"} for n in range(2))
    assert response.content_type == "application/x-ndjson"
    assert content(response) == b'{"n":0,"text":"a\\nb"}\n{"n":1,"text":"a\\nb"}\n'


def test_async_values_are_encoded_the_same_way() -> None:
    assert content(stream_events(ticks())) == b'data: {"n":1}\n\nid: 2\ndata: two\n\n'


def test_below_a_route_it_is_a_decorator() -> None:
    @stream_events
    def count(upto: int) -> Iterator[object]:
        yield from range(upto)

    @stream_json_lines
    async def later() -> AsyncIterator[object]:
        yield 1

    assert content(count(upto=2)) == b"data: 0\n\ndata: 1\n\n"
    assert content(later()) == b"1\n"
    assert count.__name__ == "count"


def test_a_stream_that_begins_with_an_event_is_one_of_events() -> None:
    def yields() -> Iterator[object]:
        yield Event(1)
        yield {"n": 2}

    head, *chunks = to_response(yields()).parts()[2]  # type: ignore[misc]
    assert type(head) is EventHead
    assert dict(head.headers)["content-type"] == "text/event-stream"
    assert chunks == [b"data: 1\n\n", b'data: {"n":2}\n\n']


def test_the_generator_is_closed_with_the_stream() -> None:
    closed = []

    def plain() -> Iterator[object]:
        try:
            yield 1
        finally:
            closed.append("plain")

    async def later() -> AsyncIterator[object]:
        try:
            yield 1
        finally:
            closed.append("async")

    async def begin_and_close(body: Any) -> None:
        await anext(body)
        await body.aclose()

    for stream in (stream_events, stream_json_lines):
        body: Any = stream(plain()).parts()[2]
        next(body)
        body.close()
        asyncio.run(begin_and_close(stream(later()).parts()[2]))
    assert closed == ["plain", "async"] * 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("text", r"got a str; pass a generator, or a list such as \[str"),
        ({"a": 1}, "`stream_events` got a dict; pass a generator"),
        (7, "got a int; pass a generator"),
        (print, r"call it: stream_events\(print\(\)\)"),
    ],
)
def test_values_that_are_not_a_stream_name_the_remedy(values: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        stream_events(values)


def test_a_coroutine_names_the_remedy() -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="await it first, or make its function yield"):
        stream_events(coroutine())  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "fields",
    [{"id": "a\nb"}, {"id": "\0"}, {"event": "a\rb"}, {"retry": -1}, {"retry": 0.5}, {"event": 7}],
)
def test_a_field_that_cannot_be_sent_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError), match="an event"):
        Event("x", **fields)


def test_the_last_event_id_of_a_client_is_an_attribute() -> None:
    assert Request.build(headers={"Last-Event-ID": "7"}).last_event_id == "7"
    assert Request.build().last_event_id is None


def test_a_stream_of_another_value_names_the_place() -> None:
    with pytest.raises(TypeError, match="`object`"):
        content(stream_json_lines([object()]))
