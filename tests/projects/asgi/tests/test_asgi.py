"""Other servers and their test clients, with the project as their application."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import app as project
import httpx2
import pytest
import uvicorn
from asgiref.testing import ApplicationCommunicator
from httpx2 import ASGITransport
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from websockets.sync.client import connect

from snaxum.asgi import app, create_app

WITHIN_S = 30


def ask(use: Callable[[httpx2.AsyncClient], Awaitable[Any]], **options: Any) -> Any:
    """Run `use` with a client of the application."""

    async def run() -> Any:
        transport = ASGITransport(app, client=("192.0.2.7", 4321), **options)
        async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await asyncio.wait_for(use(client), WITHIN_S)

    return asyncio.run(run())


def get(path: str, **options: Any) -> httpx2.Response:
    response: httpx2.Response = ask(lambda client: client.get(path), **options)
    return response


def event() -> str:
    return project.EVENTS.get(timeout=WITHIN_S)


@pytest.fixture(autouse=True)
def _no_events() -> None:
    while not project.EVENTS.empty():
        project.EVENTS.get()
    project.GO.clear()


def test_requests_have_routes_arguments_hooks_and_error_handlers() -> None:
    response = get("/users/7?limit=3")
    assert (response.status_code, response.json()) == (200, {"id": 7, "limit": 3})
    assert (response.headers["x-mark"], response.http_version) == ("GET", "HTTP/1.1")
    assert response.headers["content-length"] == str(len(response.content))
    left_out = {"connection", "transfer-encoding", "date"}
    assert not left_out & set(response.headers)
    assert get("/nowhere").status_code == 404
    assert get("/users/7?limit=x").json()["errors"][0]["loc"] == ["limit"]
    response = get("/shop/item")
    assert (response.status_code, response.text) == (404, "no item")
    head = ask(lambda client: client.head("/users/7"))
    assert (head.status_code, head.content) == (200, b"")
    assert ask(lambda client: client.delete("/users/7")).headers["allow"].startswith("GET, HEAD")


def test_bodies_of_all_kinds_arrive_and_headers_of_the_connection_do_not() -> None:
    async def parts() -> Any:
        for _ in range(3):
            yield bytes(500_000)

    path = "/echo/a%2Fb%20%C3%A9?q=%20x"
    headers = [("x-twice", "1"), ("x-twice", "2"), ("expect", "100-continue")]
    for body, size in [(b"1234", 4), (b"", 0), (parts(), 1_500_000)]:
        response = ask(lambda client, body=body: client.post(path, content=body, headers=headers))
        seen = response.json()
        assert (seen["rest"], seen["size"], seen["query"]) == ("a/b é", size, "q=%20x")
        assert (seen["host"], seen["x-twice"]) == (["testserver"], ["1", "2"])
        assert "expect" not in seen
    files = {"file": ("a.txt", b"x" * 2_000_000)}
    response = ask(lambda client: client.post("/upload", files=files, data={"note": "n"}))
    assert response.json() == ["a.txt", 2_000_000, "n"]


def test_static_files_events_and_functions_after_the_response() -> None:
    response = get("/assets/style.css")
    assert response.headers["content-type"].startswith("text/css")
    assert "navy" in response.text
    etag = {"if-none-match": response.headers["etag"]}
    assert ask(lambda client: client.get("/assets/style.css", headers=etag)).status_code == 304
    assert 'data: {"n":1}' in get("/events").text
    assert get("/later").text == "soon"
    assert event() == "background"


def test_the_exception_of_a_handler_reaches_the_other_server() -> None:
    with pytest.raises(LookupError, match="a handler raised"):
        get("/raises")
    response = get("/raises", raise_app_exceptions=False)
    assert (response.status_code, response.json()["status"]) == (500, 500)
    assert response.headers["x-request-id"] == response.json()["request_id"]
    with pytest.raises(RuntimeError, match="broke off"):
        get("/breaks")


def test_the_parts_of_a_response_are_sent_as_they_are_made() -> None:
    sent: list[dict[str, Any]] = []
    first = threading.Event()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message.get("body"):
            first.set()

    async def run() -> None:
        running = asyncio.ensure_future(app(scope("/stream"), receiver(), send))
        await asyncio.to_thread(first.wait, WITHIN_S)
        assert [part.get("body") for part in sent] == [None, b"first "]
        project.GO.set()
        await asyncio.wait_for(running, WITHIN_S)

    asyncio.run(run())
    assert b"".join(part.get("body", b"") for part in sent) == b"first second"
    assert not sent[-1]["more_body"]


@pytest.mark.parametrize("path", ["/waits", "/endless"])
def test_a_client_that_leaves_ends_its_handler(path: str) -> None:
    async def run() -> None:
        leaves = asyncio.Event()
        room = asyncio.Semaphore(3)

        async def send(message: dict[str, Any]) -> None:
            await room.acquire()  # a client that does not read
            project.EVENTS.put("sent")

        running = asyncio.ensure_future(app(scope(path), receiver(leaves), send))
        assert await asyncio.to_thread(event) == ("waits" if path == "/waits" else "sent")
        leaves.set()
        if path == "/endless":
            running.cancel()  # as a server does whose `send` waits
        await asyncio.wait({running}, timeout=WITHIN_S)
        while await asyncio.to_thread(event) != "left":
            pass

    asyncio.run(run())


def scope(path: str, **parts: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "2",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [],
        **parts,
    }


def receiver(leaves: asyncio.Event | None = None) -> Callable[[], Awaitable[dict[str, Any]]]:
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return receive


def test_a_prefix_and_the_addresses_of_the_other_server_are_known() -> None:
    async def run(path: str, **parts: Any) -> str:
        sent = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message.get("body", b""))

        await asyncio.wait_for(app(scope(path, **parts), receiver(), send), WITHIN_S)
        return b"".join(sent).decode()

    client = ("192.0.2.7", 4321)
    for path, parts in [
        ("/inner/a b", {"raw_path": b"/inner/a%20b"}),
        ("/inner/a b", {}),
        ("/api/inner/a b", {"root_path": "/api", "raw_path": b"/api/inner/a%20b"}),
        ("/api/inner/a b", {"root_path": "/api", "raw_path": b"/inner/a%20b"}),
        ("/api/inner/a b", {"root_path": "/api/"}),
        ("/inner/a b", {"raw_path": b"/inner/a b"}),
    ]:
        seen = asyncio.run(run(path, client=client, **parts))
        assert seen == repr([client, "/inner/a b", b"/inner/a%20b"]), parts
    assert asyncio.run(run("/inner/x")).startswith("[None, ")
    for odd in (("/run/other.sock", None), ("testclient", 50000), ("::1", 65536), None):
        assert asyncio.run(run("/inner/x", client=odd)).startswith("[None, ")
    seen = asyncio.run(run("/inner/x", client=("::1", "80")))  # as granian writes it
    assert seen.startswith("[('::1', 80), ")
    with pytest.raises(ValueError, match="is not valid"):
        asyncio.run(run("/inner", headers=[(b"x-a", b"1\r\nx-b: 2")]))

    mounted = Starlette(routes=[Mount("/api", app=app)])
    with TestClient(mounted) as client:
        assert client.get("/api/users/1").json()["id"] == 1
        assert client.get("/api").status_code == 404


def test_an_exception_of_receive_reaches_its_caller() -> None:
    async def send(message: dict[str, Any]) -> None:
        pass

    http = {"type": "http.request", "body": b"a", "more_body": True}
    for path, kind, first in [
        ("/echo/x", "http", http),
        ("/chat/x", "websocket", {"type": "websocket.connect"}),
    ]:
        messages = [first]

        async def receive(messages: list[Any] = messages) -> dict[str, Any]:
            if messages:
                return messages.pop()
            raise LookupError("the body is too large")

        of = scope(path, type=kind, method="POST")
        with pytest.raises(LookupError, match="too large"):
            asyncio.run(asyncio.wait_for(app(of, receive, send), WITHIN_S))


def test_websockets_have_messages_subprotocols_closes_and_denials() -> None:
    client = TestClient(app)
    with client.websocket_connect("/chat/a b") as ws:
        assert ws.receive_json() == {"room": "a b"}
        for text in ("short", "x" * 200, "ü" * 40_000):
            ws.send_text(text)
            assert ws.receive_text() == text
        ws.send_bytes(b"\x00\xff")
        assert ws.receive_bytes() == b"\x00\xff"
        ws.send_text("close")
        with pytest.raises(WebSocketDisconnect) as closed:
            ws.receive_text()
        assert (closed.value.code, closed.value.reason) == (4001, "as asked")
    assert event() == "closed"
    with client.websocket_connect("/chat/x") as ws:
        ws.receive_json()
    assert event() == "closed"
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/nowhere"):
        pass
    assert denied.value.status_code == 404


def test_the_communicator_of_asgiref_drives_requests_and_websockets() -> None:
    async def run() -> None:
        http = ApplicationCommunicator(app, scope("/users/3"))
        await http.send_input({"type": "http.request", "body": b"", "more_body": False})
        start = await http.receive_output(WITHIN_S)
        assert (start["type"], start["status"]) == ("http.response.start", 200)
        body = await http.receive_output(WITHIN_S)
        assert (body["body"], body["more_body"]) == (b'{"id":3,"limit":10}', False)
        assert await http.receive_nothing()
        await http.wait(WITHIN_S)

        ws = ApplicationCommunicator(app, scope("/chat/a", type="websocket", subprotocols=[]))
        await ws.send_input({"type": "websocket.connect"})
        assert (await ws.receive_output(WITHIN_S))["type"] == "websocket.accept"
        assert (await ws.receive_output(WITHIN_S))["text"] == '{"room":"a"}'
        await ws.send_input({"type": "websocket.receive", "text": "close"})
        close = await ws.receive_output(WITHIN_S)
        assert (close["type"], close["code"]) == ("websocket.close", 4001)
        await ws.wait(WITHIN_S)

    asyncio.run(run())
    assert event() == "closed"


def test_a_lifespan_leaves_a_project_that_others_have_loaded() -> None:
    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/users/1").status_code == 200
    assert project.EVENTS.empty()
    own = create_app(os.getcwd())
    with TestClient(own) as client:
        assert client.get("/users/1").status_code == 200
    other = create_app("/")
    with pytest.raises(ValueError, match="a process has one project"), TestClient(other):
        pass

    async def send(message: dict[str, Any]) -> None:
        pass

    with pytest.raises(ValueError, match="a process has one project"):
        asyncio.run(other(scope("/users/1"), receiver(), send))


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve the application by uvicorn; yield host and port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(WITHIN_S)
        listener.close()
    assert not thread.is_alive()


def test_uvicorn_serves_the_project() -> None:
    with served() as address, httpx2.Client(base_url=f"http://{address}") as client:
        assert client.get("/users/7").json() == {"id": 7, "limit": 10}
        response = client.post("/echo/x", content=(bytes(100_000) for _ in range(3)))
        assert response.json()["size"] == 300_000
        assert response.headers.get_list("date") == [response.headers["date"]]
        assert client.get("/raises").status_code == 500
        assert client.get("/inner").text.startswith("[('127.0.0.1', ")
        with client.stream("GET", "/endless") as response:
            assert next(response.iter_bytes())
        assert event() == "left"
        with connect(f"ws://{address}/chat/r") as ws:
            assert ws.recv() == '{"room":"r"}'
            ws.send("hello")
            assert ws.recv() == "hello"
        assert event() == "closed"
