"""WebSockets and channels without a server: a link of the test's own replaces the connection."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import deque
from collections.abc import Callable

import pytest

from snaxum import (
    BlockingWebSocket,
    Channel,
    InvalidMessage,
    Request,
    RouteError,
    WebSocket,
    WebSocketClosed,
    route,
    websocket,
)
from snaxum._core.websocket_routes import WebSocketRoute
from snaxum.websockets import MAX_REASON, current, short_reason


class FakeLink:
    """A connection whose client has sent `messages`, and reads nothing while `is_full`."""

    subprotocol: str | None = None
    is_stale = False

    def __init__(self, *messages: str | bytes) -> None:
        self.received: deque[str | bytes] = deque(messages)
        self.sent: list[str | bytes] = []
        self.is_full = False
        self._closed: tuple[int, str] | None = None
        self._calls: list[Callable[[], None]] = []
        self._changed = asyncio.Event()

    def accept(self, subprotocol: str | None = None, headers: object = ()) -> None:
        self.subprotocol, self.headers = subprotocol, headers

    def try_receive(self) -> str | bytes | tuple[int, str] | None:
        return self.received.popleft() if self.received else self._closed

    def try_send(self, message: str | bytes) -> bool | None:
        if self._closed is not None:
            return False
        if self.is_full:
            return None
        self.sent.append(message)
        return True

    async def wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def changed(self) -> None:
        self._changed.set()

    def receive(self) -> str | bytes | tuple[int, str]:
        message = self.try_receive()
        assert message is not None
        return message

    def send(self, message: str | bytes) -> bool:
        return bool(self.try_send(message))

    def close(self, code: int, reason: str) -> None:
        self._closed = self._closed or (code, reason)
        self.changed()
        for call in self._calls:
            call()

    def closed(self) -> tuple[int, str] | None:
        return self._closed

    def on_close(self, call: Callable[[], None]) -> None:
        self._calls.append(call)


def made(*messages: str | bytes) -> tuple[WebSocket, FakeLink]:
    link = FakeLink(*messages)
    return WebSocket(Request.build(path="/a", query="q=1"), link), link


def test_messages_are_received_in_order_and_iteration_ends_with_the_close() -> None:
    async def main() -> None:
        ws, link = made("a", b"b", '{"n": 1}')
        assert (await ws.receive(), await ws.receive()) == ("a", b"b")
        assert await ws.receive_json() == {"n": 1}
        link.received.append("last")
        link.close(4000, "done")
        assert [message async for message in ws] == ["last"]
        assert (ws.closed, ws.close_code, ws.close_reason) == (True, 4000, "done")
        with pytest.raises(WebSocketClosed) as raised:
            await ws.receive()
        assert (raised.value.code, raised.value.reason) == (4000, "done")
        with pytest.raises(WebSocketClosed):
            await ws.send("x")

    asyncio.run(main())


def test_send_waits_for_room() -> None:
    async def main() -> None:
        ws, link = made()
        link.is_full = True
        sending = asyncio.create_task(ws.send("x"))
        await asyncio.sleep(0)
        assert not sending.done()
        link.is_full = False
        link.changed()
        await sending
        await ws.send(bytearray(b"y"))
        await ws.send_json({"z": None})
        assert link.sent == ["x", b"y", '{"z":null}']

    asyncio.run(main())


def test_the_handshake_takes_headers_as_a_response_does() -> None:
    for given in ({"X-A": "b"}, [("x-a", "b")]):
        ws, link = made()
        asyncio.run(ws.accept("v1", given))
        assert (link.subprotocol, link.headers) == ("v1", [("x-a", "b")])
    blocking = BlockingWebSocket(Request.build(), link)
    blocking.accept(headers={"X-A": "c"})
    assert link.headers == [("x-a", "c")]
    with pytest.raises(ValueError, match=r"header `x-a` has '\\r' at character 2"):
        blocking.accept(headers={"x-a": "b\r\nset-cookie: c=d"})


def test_other_values_are_refused() -> None:
    async def main() -> None:
        ws, _ = made("{", "NaN")
        with pytest.raises(TypeError, match="not dict; `send_json`"):
            await ws.send({"a": 1})  # type: ignore[arg-type]
        for _ in range(2):
            with pytest.raises(InvalidMessage, match="not valid JSON"):
                await ws.receive_json()

    asyncio.run(main())


def test_only_codes_for_applications_close() -> None:
    for code in (1004, 1005, 1006, 1015, 2999, 5000, 0):
        ws, _ = made()
        with pytest.raises(ValueError, match="not a code to close with"):
            ws.close(code)
    for code in (1000, 1001, 1011, 1014, 3000, 4999):
        ws, link = made()
        ws.close(code, "ä" * 100)
        assert link.closed() == (code, "ä" * (MAX_REASON // 2))
    assert short_reason("a\ud800b") == "a?b"


def test_the_names_of_other_frameworks_name_the_right_one() -> None:
    ws, _ = made()
    assert (ws.path, ws.query_params["q"]) == ("/a", "1")
    for name, instead in [("receive_text", "ws.receive()"), ("send_bytes", "ws.send(")]:
        with pytest.raises(AttributeError, match="has no") as raised:
            getattr(ws, name)
        assert instead in str(raised.value)


def test_a_blocking_websocket_blocks() -> None:
    link = FakeLink("a", "[1]")
    ws = BlockingWebSocket(Request.build(), link)
    assert (ws.receive(), ws.receive_json()) == ("a", [1])
    ws.send_json([2])
    ws.close()
    assert list(ws) == []
    assert link.sent == ["[2]"]


def test_a_route_of_a_websocket() -> None:
    async def handler(ws: WebSocket, room: str) -> None: ...

    made_route = WebSocketRoute("/chat/<room>", handler, ["b", "a"])
    assert (made_route.methods, made_route.mode) == (("WS",), "websocket")
    assert made_route.subprotocols == ("b", "a")
    assert websocket("/chat/<room>")(handler) is handler
    with pytest.raises(RouteError, match="is a WebSocket; declare its handler with"):

        @route("/a")
        def in_vain(ws: WebSocket) -> None: ...

    with pytest.raises(RouteError, match="a WebSocket has none"):

        @websocket("/a")
        async def with_body(ws: WebSocket, body: dict[str, int]) -> None: ...

    with pytest.raises(RouteError, match="has no path"):
        websocket(handler)  # type: ignore[arg-type]


def test_parameters_are_filled_by_name_and_class() -> None:
    async def handler(room: str, ws, request: Request, limit: int = 3) -> list[object]:  # type: ignore[no-untyped-def]
        return [room, ws, request, limit]

    link = FakeLink()
    request = Request.build(path="/chat/tea", query="limit=5", path_params={"room": "tea"})
    ws = WebSocket(request, link)
    call = WebSocketRoute("/chat/<room>", handler).call
    assert asyncio.run(call(ws)) == ["tea", ws, request, 5]


def test_a_channel_is_found_by_its_name_while_something_refers_to_it() -> None:
    one = Channel("one")
    assert Channel("one") is one
    assert Channel("two") is not one
    subscription = Channel("three").subscribe()
    gc.collect()
    assert Channel("three").publish("x") == 1
    del subscription
    gc.collect()
    assert Channel("three").publish("x") == 0
    with pytest.raises(TypeError, match="name of a channel"):
        Channel(3)  # type: ignore[arg-type]


def test_every_subscriber_gets_every_message_from_any_thread() -> None:
    async def main() -> None:
        channel = Channel("news")
        subscriptions = [channel.subscribe() for _ in range(3)]

        async def read(index: int) -> list[int]:
            found = []
            async for message in subscriptions[index]:
                found.append(message)
                if len(found) == 100:
                    break
            return found

        tasks = [asyncio.create_task(read(index)) for index in range(3)]
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: [channel.publish(n) for n in range(100)])
        thread.start()
        for task in tasks:
            assert await task == list(range(100))
        thread.join()

    asyncio.run(main())


def test_a_slow_subscriber_loses_the_oldest_messages_and_their_number_is_counted() -> None:
    async def main() -> None:
        channel = Channel("fast")
        slow = channel.subscribe(max_waiting=3)
        for n in range(10):
            channel.publish(n)
        assert slow.dropped == 7
        assert [await anext(slow) for _ in range(3)] == [7, 8, 9]
        with pytest.raises(ValueError, match="max_waiting is 0"):
            channel.subscribe(max_waiting=0)

    asyncio.run(main())


def test_a_subscription_in_a_thread_ends_when_it_is_closed() -> None:
    channel = Channel("threads")
    subscription = channel.subscribe()
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(subscription))
    thread.start()
    channel.publish("a")
    while not found:
        pass
    subscription.close()
    thread.join()
    assert (found, channel.subscribers) == (["a"], 0)


def test_a_subscription_ends_with_the_websocket_of_its_handler() -> None:
    async def main() -> None:
        ws, link = made()
        current.set(ws)

        async def handler() -> list[str]:
            return [message async for message in Channel("bound").subscribe()]

        task = asyncio.create_task(handler())
        await asyncio.sleep(0)
        Channel("bound").publish("a")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        link.close(1006, "")
        assert await task == ["a"]

    asyncio.run(main())


def test_forwarding_sends_while_the_block_runs() -> None:
    async def main() -> None:
        ws, link = made()
        channel = Channel("forwarded")
        async with channel.forward_to(ws):
            await asyncio.sleep(0)
            channel.publish("text")
            channel.publish({"n": 1})
            while len(link.sent) < 2:
                await asyncio.sleep(0)
        assert channel.publish("after") == 0
        assert link.sent == ["text", '{"n":1}']

        async def forward_what_has_no_json() -> None:
            async with channel.forward_to(ws):
                channel.publish(object())
                async for _ in ws:
                    pass

        with pytest.raises(TypeError):
            await forward_what_has_no_json()
        assert ws.close_code == 1011

    asyncio.run(main())
