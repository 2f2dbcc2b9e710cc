"""Uploaded files and the forms they come in, without a server."""

from __future__ import annotations

import asyncio
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from snaxum import HTTPError, Request, RouteError, UploadFile
from snaxum._core.body_use import reads_chunks
from snaxum.routing import Route

URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


def test_an_upload_is_read_like_any_open_file() -> None:
    with UploadFile.build(b"a,b\n1,2\n3,4", "table.csv", "text/csv") as file:
        assert (file.filename, file.name, file.content_type, file.size) == (
            *("table.csv", "table.csv"),
            *("text/csv", 11),
        )
        assert file.read(2) == b"a,"
        assert list(file) == [b"b\n", b"1,2\n", b"3,4"]
        assert (file.seek(-3, io.SEEK_END), file.tell(), file.read()) == (8, 8, b"3,4")
        assert file.seek(4) == 4
        assert file.readline() == b"1,2\n"
        assert file.seek(0) == 0
        assert asyncio.run(file.aread(3)) == b"a,b"
        assert asyncio.run(file.aread()) == b"\n1,2\n3,4"
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        file.read()


def test_a_large_upload_does_not_block_the_loop() -> None:
    data = bytes(2_000_000)

    async def read() -> bytes:
        return await UploadFile.build(data).aread()

    assert asyncio.run(read()) == data


def test_libraries_read_an_upload() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "hello")
    upload = UploadFile.build(buffer.getvalue(), "a.zip")

    with zipfile.ZipFile(upload) as archive:
        assert archive.read("a.txt") == b"hello"
    assert io.TextIOWrapper(UploadFile.build("é".encode()), encoding="utf-8").read() == "é"


def test_an_upload_is_saved_whole_wherever_it_was_read_to(tmp_path: Path) -> None:
    file = UploadFile.build(b"hello")
    file.read(2)

    assert file.save(tmp_path / "x") == tmp_path / "x"
    assert file.save(str(tmp_path / "x")).read_bytes() == b"hello"
    assert file.read() == b"llo"
    with pytest.raises(IsADirectoryError, match="is a directory; add a name"):
        file.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        file.save(tmp_path / "missing" / "x")
    file.close()
    with pytest.raises(ValueError, match="the upload is closed; save it before the response"):
        file.save(tmp_path / "x")


def test_an_upload_stays_in_its_process() -> None:
    with pytest.raises(TypeError, match=r"send `file\.read\(\)`"):
        pickle.dumps(UploadFile.build(b""))


def test_a_request_for_a_unit_test_has_fields_and_files() -> None:
    upload = UploadFile.build(b"x", "x.txt", "text/plain")
    request = Request.build("POST", form={"a": ["1", "2"]}, files={"f": upload, "g": b"data"})

    assert request.content_type == "multipart/form-data"
    assert request.form.multi_items() == [("a", "1"), ("a", "2")]
    assert request.files["f"] is upload
    assert request.files["g"].read() == b"data"
    assert request.files.get_all("f") == [upload]
    with pytest.raises(KeyError, match="the file `h` is missing; the request has `f`, `g`"):
        _ = request.files["h"]
    with pytest.raises(KeyError, match="the body is `text/plain`, not multipart/form-data"):
        _ = Request.build(headers={"content-type": "text/plain"}).files["f"]
    assert Request.build("POST", form={"a": "é"}).form == {"a": "é"}
    with pytest.raises(ValueError, match="pass one of them"):
        Request.build(json={}, form={})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a=%zz", "at byte 3, in its field 1: `%zz` is not a percent-encoded byte"),
        (b"a=1&b=%e", "at byte 7, in its field 2: `%e` is not"),
        (b"a=1&b=%", "at byte 7, in its field 2: `%` is not"),
        (b"a=\xff", "at byte 3, in its field 1"),
        (b"a=1&b=%ff", "at byte 5, in its field 2: `b=%ff` is not utf-8"),
    ],
)
def test_a_malformed_form_is_a_400_with_its_place(body: bytes, message: str) -> None:
    request = Request.build("POST", headers=URLENCODED, body=body)

    with pytest.raises(HTTPError, match=f"400 Bad Request: the form is malformed {message}"):
        _ = request.form


def test_a_form_has_a_limit_of_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snaxum.request._max_form_fields", 2)

    assert len(Request.build("POST", headers=URLENCODED, body=b"a=1&b=2").form) == 2
    with pytest.raises(HTTPError, match=r"413 .*: the form has 3 fields; this server accepts 2"):
        _ = Request.build("POST", headers=URLENCODED, body=b"a=1&b=2&c=3").form


def test_a_cookie_that_no_browser_sends_is_a_400_with_its_place() -> None:
    for header, message in [
        ("a=1; b c=2", "'b c' at character 5 is not the name of a cookie"),
        ('a=1; b="2', "the cookie `b` at character 5 has no closing quote"),
    ]:
        with pytest.raises(HTTPError, match=f"400 Bad Request: the header Cookie .*{message}"):
            _ = Request.build(headers={"cookie": header}).cookies


def test_a_whole_body_is_read_in_chunks_too() -> None:
    request = Request.build("POST", body=b"x" * 100_000)

    async def read() -> list[int]:
        return [len(chunk) async for chunk in request.stream()]

    assert [len(chunk) for chunk in request.stream()] == [65_536, 34_464]
    assert asyncio.run(read()) == [65_536, 34_464]
    assert list(Request.build().stream()) == []


async def loops(request: Request) -> None:
    async for _ in request.stream():
        pass


def generates(r: Request) -> Any:
    def pieces() -> Any:
        yield from r.stream()

    return pieces()


def unannotated(any_name):  # type: ignore[no-untyped-def]
    return list(any_name.stream())


def of_another_object(request: Request, log: Any) -> Any:
    return log.stream(request)


def of_a_parameter(ticker: Any) -> Any:
    return ticker.stream()


def without(request: Request) -> Any:
    return request.data


class Callable:
    def __call__(self, request: Request) -> Any:
        return request.stream()


def test_a_handler_that_calls_stream_reads_its_body_in_chunks() -> None:
    for handler in (loops, generates, unannotated, Callable()):
        assert reads_chunks(handler), handler
    for handler in (of_another_object, of_a_parameter, without, len):
        assert not reads_chunks(handler), handler


def test_a_route_reads_its_body_in_one_way() -> None:
    def with_upload(request: Request, photo: UploadFile) -> object:
        return request.stream()

    def plain(request: Request) -> object:
        return request.data

    assert not Route("/", ["POST"], with_upload).streams_body
    assert Route("/", ["POST"], plain, stream_body=True).streams_body
    assert not Route("/", ["POST"], loops, stream_body=False).streams_body
    with pytest.raises(RouteError, match="`photo` needs the whole body, and `stream_body=True`"):
        Route("/", ["POST"], with_upload, stream_body=True)
