"""Tests as a user writes them; `snaxum test` runs them."""

import contextlib
import os
import stat
import threading

import app
import pytest

from snaxum.testing import Client, WebSocketClosed, override


def test_the_fixture_sends_requests(client: Client) -> None:
    response = client.get("/users/7")

    assert (response.status, response.json()) == (200, {"id": 7, "method": "GET"})
    assert client.put("/users/7").json()["method"] == "PUT"
    assert client.head("/users/7").content == b""
    assert client.options("/users/7").headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    assert client.delete("/users/7").status_code == 405
    assert client.get("/nowhere").status == 404
    assert client.get("/users/7").is_success


def open_files() -> list[os.stat_result]:
    found = []
    for fd in range(256):
        with contextlib.suppress(OSError):
            found.append(os.fstat(fd))
    return found


def test_the_client_opens_no_socket() -> None:
    before = [file.st_ino for file in open_files() if stat.S_ISSOCK(file.st_mode)]
    with Client() as client:
        client.get("/users/7")
        after = [file.st_ino for file in open_files() if stat.S_ISSOCK(file.st_mode)]
    assert after == before


def test_a_project_is_named_by_its_directory() -> None:
    assert Client(".").get("/users/1").status == 200
    assert Client(os.getcwd()).get("/users/1").status == 200
    with pytest.raises(ValueError, match=r"snaxum test /elsewhere"):
        Client("/elsewhere")


def test_parameters_and_headers_are_sent(client: Client) -> None:
    client.headers["X-Token"] = "secret"

    found = client.get("/echo?a=1", params={"b": "ä ö", "c": True, "d": None}).json()

    assert found["query"] == {"a": "1", "b": "ä ö", "c": "true"}
    assert found["token"] == "secret"
    assert client.get("/echo?b=ä <ö>%20").json()["query"] == {"b": "ä <ö> "}
    assert client.get("/echo", headers={"x-token": "other"}).json()["token"] == "other"


def test_a_body_is_json_a_form_or_bytes(client: Client) -> None:
    as_json = client.post("/echo", json={"a": [1]}).json()
    as_form = client.post("/echo", data={"a": "1", "b": "x y"}).json()
    as_bytes = client.post("/echo", data=b"raw", headers={"content-type": "text/x"}).json()

    assert (as_json["type"], as_json["body"]) == ("application/json", '{"a":[1]}')
    assert as_form["form"] == {"a": "1", "b": "x y"}
    assert (as_bytes["type"], as_bytes["body"]) == ("text/x", "raw")
    with pytest.raises(ValueError, match="one body"):
        client.post("/echo", json=1, data=b"2")


def test_a_large_body_is_sent_whole(client: Client) -> None:
    text = "ä" * 1_000_000

    assert client.post("/echo", data=text).json()["body"] == text


@pytest.mark.parametrize("value", ["a b", "x; y=z", 'with "quotes"', "ä €", "a=b", "{}"])
def test_a_cookie_comes_back_as_it_was_set(client: Client, value: str) -> None:
    sent = client.get("/set", params={"value": value})

    assert sent.cookies == {"any": value}
    assert client.get("/echo").json()["cookies"] == {"any": value}


def test_cookies_stay_until_they_are_deleted(client: Client) -> None:
    login = client.get("/login")
    assert (login.status, login.cookies) == (303, {"session": "abc"})

    assert client.get("/echo").json()["cookies"] == {"session": "abc"}
    client.get("/logout")
    assert client.get("/echo").json()["cookies"] == {}
    assert client.get("/echo", cookies={"a": "b"}).json()["cookies"] == {"a": "b"}


def test_a_redirect_is_followed_on_request(client: Client) -> None:
    response = client.post("/login", follow_redirects=True)
    assert response.status == 405

    response = client.get("/login", follow_redirects=True)
    assert response.json()["query"] == {"from": "login"}


def test_an_exception_of_a_handler_is_raised_in_the_test(client: Client) -> None:
    with pytest.raises(ZeroDivisionError, match="by the handler") as caught:
        client.get("/fails")
    assert caught.traceback[-1].name == "fails"
    quiet = Client(raise_exceptions=False)
    assert quiet.get("/fails").status == 500
    assert quiet.get("/users/1").status == 200


def test_an_http_error_is_a_response(client: Client) -> None:
    response = client.get("/refuses")

    assert (response.status, response.json()["detail"]) == (409, "taken")
    with pytest.raises(AssertionError, match=r"409.*taken"):
        response.raise_for_status()


def test_a_stream_is_read_as_it_arrives_and_closed(client: Client) -> None:
    app.CLOSED.clear()
    with client.stream("GET", "/lines") as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(3)] == ["0", "1", "2"]
    deadline = threading.Event()
    while not app.CLOSED and not deadline.wait(0.01):
        pass
    assert app.CLOSED == ["lines"]


def test_an_exception_in_a_stream_is_raised(client: Client) -> None:
    with pytest.raises(KeyError, match="in the stream"):
        client.get("/breaks")


def test_a_kept_value_is_overridden(client: Client) -> None:
    with override("greeting", {"text": "goodbye"}):
        assert client.get("/greeting").json() == {"text": "goodbye"}
    assert client.get("/greeting").json() == {"text": "hello"}
    with pytest.raises(KeyError, match="the keys are: 'greeting'"), override("grating", 1):
        pass


def test_requests_of_many_threads_are_served() -> None:
    found = []

    def send(number: int) -> None:
        with Client() as client:
            found.append(client.get(f"/users/{number}").json()["id"])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(8))


def test_a_websocket_that_is_refused_shows_the_response(client: Client) -> None:
    with pytest.raises(ConnectionRefusedError, match="/nowhere gave 404"):
        client.websocket("/nowhere")


def test_a_websocket_sends_and_receives(client: Client) -> None:
    with client.websocket("/chat/lobby", subprotocols=["other", "chat"]) as ws:
        assert ws.subprotocol == "chat"
        ws.send("hello")
        assert ws.receive_json() == {"room": "lobby", "text": "hello"}
        large = bytes(range(256)) * 400
        ws.send(large)
        assert ws.receive() == large
        ws.send("bye")
        with pytest.raises(WebSocketClosed) as closed:
            ws.receive()
    assert (closed.value.code, closed.value.reason) == (4000, "as asked")
