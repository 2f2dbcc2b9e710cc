"""Data frames as bodies: every format, both ways."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from snaxum import HTTPError, Request, Response
from snaxum._core import frames
from snaxum.response import to_response
from snaxum.routing import Route

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

ROWS = [
    {"n": 1, "text": "é", "day": dt.date(2024, 1, 2)},
    {"n": 2, "text": 'a,"b"', "day": dt.date(2024, 1, 3)},
]
KINDS = [polars.DataFrame, pandas.DataFrame, pyarrow.Table]


def frame_of(kind: type) -> Any:
    return pyarrow.Table.from_pylist(ROWS) if kind is pyarrow.Table else kind(ROWS)


def rows_of(frame: Any) -> list[tuple[Any, ...]]:
    if isinstance(frame, pandas.DataFrame):
        rows = frame.to_dict("records")
    else:
        rows = frame.to_pylist() if isinstance(frame, pyarrow.Table) else frame.to_dicts()
    return [(row["n"], row["text"], str(row["day"])[:10]) for row in rows]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content_type", frames.FORMATS)
def test_a_frame_comes_back_as_it_was_sent(kind: type, content_type: str) -> None:
    frame = frame_of(kind)

    data = frames.encode(frame, content_type)

    assert rows_of(frames.read(kind, content_type, data)) == rows_of(frame)


@pytest.mark.parametrize("kind", KINDS)
def test_the_client_chooses_the_format_of_a_frame(kind: type) -> None:
    for accept, chosen in [
        ("", frames.JSON),
        ("*/*", frames.JSON),
        ("text/html,*/*;q=0.8", frames.JSON),
        ("image/png", frames.JSON),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, application/vnd.apache.parquet", frames.PARQUET),
        ("application/vnd.apache.arrow.stream", frames.ARROW_STREAM),
        ("application/vnd.apache.arrow.file", frames.ARROW_FILE),
    ]:
        pairs = [("host", "x"), *([("accept", accept)] if accept else [])]
        status, headers, body = to_response(frame_of(kind)).parts(lambda pairs=pairs: pairs)  # type: ignore[misc]
        assert (status, dict(headers)) == (200, {"content-type": chosen, "vary": "accept"})
        assert rows_of(frames.read(kind, chosen, bytes(body))) == rows_of(frame_of(kind))  # type: ignore[arg-type]


def test_a_content_type_of_the_handler_comes_before_the_clients() -> None:
    frame = frame_of(polars.DataFrame)
    accept = [("accept", "application/json")]

    _, headers, body = Response(frame, content_type="text/csv").parts(lambda: accept)

    assert headers == [("content-type", "text/csv")]
    assert bytes(body).startswith(b"n,text,day\n")  # type: ignore[arg-type]
    _, _, body = Response(frame, content_type="application/x-own+json").parts(lambda: accept)
    assert bytes(body).startswith(b'[{"n":1')  # type: ignore[arg-type]


def test_an_index_of_pandas_is_a_column_unless_it_only_numbers_the_rows() -> None:
    frame = frame_of(pandas.DataFrame)

    assert frames.encode(frame, "text/csv").startswith(b"n,text,day\n")
    assert frames.encode(frame.set_index("n"), "text/csv").startswith(b"n,text,day\n")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("content_type", "data", "status", "message"),
    [
        ("", b"a\n1\n", 415, "no content type; send a table as application/json, "),
        ("text/plain", b"a\n1\n", 415, "the body is `text/plain`; send a table as "),
        ("text/csv", b"", 400, "the body is empty; send CSV"),
        ("text/csv; charset=rot-42", b"a\n1", 415, "the charset `rot-42` is unknown"),
        ("text/csv; charset=hex", b"a\n1", 415, "the charset `hex` is unknown"),
        # Its time grows with the square of the text.
        ("text/csv; charset=punycode", b"ab-" * 9, 415, "the charset `punycode` is unknown"),
        ("application/json", b"[{]", 400, "the body is not JSON records: .* line 1 column 3"),
        ("application/json", b'{"a": 1}', 400, "the body is an object; send a list"),
        ("application/json", b"[{}, 1]", 400, "row 2 of the body is not an object"),
        ("application/x-ndjson", b"{}\n{", 400, "line 2 of the body is not JSON"),
        (frames.PARQUET, b"PAR1 but no more", 400, "the body is not Parquet: "),
        (frames.ARROW_STREAM, b"no arrow", 400, "the body is not an Arrow IPC stream: "),
        (frames.ARROW_FILE, b"ARROW1 no", 400, "the body is not an Arrow IPC file: "),
    ],
)
def test_a_body_that_cannot_be_read_is_an_error_of_the_client(
    kind: type, content_type: str, data: bytes, status: int, message: str
) -> None:
    with pytest.raises(frames.FrameError, match=message) as raised:
        frames.read(kind, content_type, data)
    assert raised.value.status == status


def test_a_csv_may_have_another_charset() -> None:
    for kind in KINDS:
        frame = frames.read(kind, "text/csv; charset=latin-1", "n,text\n1,é\n".encode("latin-1"))
        assert "é" in str(frames.encode(frame, "text/csv").decode())


def test_a_parameter_gets_the_body_as_a_frame() -> None:
    for kind in KINDS:

        def handler(table: kind) -> object:  # type: ignore[valid-type]
            return table

        handler.__annotations__["table"] = kind
        route = Route("/", ["POST"], handler)

        def send(content_type: str, body: str, route: Route = route) -> Any:
            headers = {"content-type": content_type}
            return route.call(Request.build("POST", headers=headers, body=body))

        assert "7" in frames.encode(send("text/csv", "n\n7\n"), "text/csv").decode()
        with pytest.raises(HTTPError, match=r"415 .*send a table as application/json, "):
            send("text/plain", "n\n7\n")
        with pytest.raises(HTTPError, match=r"400 .*the body is not JSON records"):
            send("application/json", "[{")
