"""Data frames as bytes and back: CSV, Parquet, Arrow IPC and JSON records, by content type.

Owns the formats of polars and pandas frames and of pyarrow tables. Imports the library of
the frame, and pyarrow where pandas needs it.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from .accept import quality
from .json_decoding import DecodingError, loads
from .json_encoding import dumps
from .libraries import ByClass
from .text_encoding import text_codec

Library = Literal["polars", "pandas", "pyarrow"]

JSON = "application/json"
LINES = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"

FORMATS = (JSON, LINES, CSV, PARQUET, ARROW_STREAM, ARROW_FILE)
_OTHER_NAMES = {
    "application/csv": CSV,
    "application/parquet": PARQUET,
    "application/x-parquet": PARQUET,
    "application/jsonl": LINES,
    "application/x-jsonlines": LINES,
    "application/json-lines": LINES,
}
_NAMES = {
    JSON: "JSON records",
    LINES: "JSON lines",
    CSV: "CSV",
    PARQUET: "Parquet",
    ARROW_STREAM: "an Arrow IPC stream",
    ARROW_FILE: "an Arrow IPC file",
}
_CLASSES = ByClass[Library](
    {"polars.DataFrame": "polars", "pandas.DataFrame": "pandas", "pyarrow.Table": "pyarrow"}
)
_RANGE = ByClass({"pandas.RangeIndex": True})


class FrameError(ValueError):
    """A body that cannot be read as a frame; `status` is 400, or 415 for another content type."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def library_of(kind: object) -> Library | None:
    """Return the library of a class of frames; None for any other class."""
    return _CLASSES.of_class(kind) if isinstance(kind, type) else None


def is_frame(value: object) -> bool:
    """Report whether `value` is a frame of polars or pandas, or a table of pyarrow."""
    return _CLASSES.of(value) is not None


def read(kind: type, content_type: str, data: bytes) -> Any:
    """Read a frame of the class `kind` from a body with this content type. Raises FrameError.

    JSON is a list of objects, one for each row. CSV has a header line, and its charset is that of
    the content type, else UTF-8.
    """
    mime, _, parameters = content_type.lower().partition(";")
    mime = _OTHER_NAMES.get(mime.strip(), mime.strip())
    if mime not in FORMATS:
        sent = f"the body is `{content_type}`" if content_type else "the body has no content type"
        raise FrameError(415, f"{sent}; send a table as {', '.join(FORMATS)}")
    library = library_of(kind)
    assert library is not None, "the caller asks `library_of` first"
    try:
        if mime in (JSON, LINES):
            return _READERS[library](mime, _records(mime, data))
        if mime == CSV:
            data = _utf8(data, parameters)
        return _READERS[library](mime, io.BytesIO(data))
    except (FrameError, ImportError, MemoryError):
        raise
    except DecodingError as error:
        raise _unreadable(mime, error) from None
    except Exception as error:  # each library has errors of its own
        if not data:
            raise FrameError(400, f"the body is empty; send {_NAMES[mime]}") from None
        raise _unreadable(mime, error) from None


def choose(accept: str) -> str:
    """Choose the content type for a client: the one it prefers, and else JSON."""
    best = max(FORMATS, key=lambda mime: (quality(accept, mime), -FORMATS.index(mime)))
    return best if quality(accept, best) > 0 else JSON


def choose_headers(request_headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers of a response whose format a client with these headers chooses."""
    chosen = choose(",".join(value for name, value in request_headers if name == "accept"))
    shown = f"{chosen}; charset=utf-8" if chosen == CSV else chosen
    vary = [("vary", "accept")] if request_headers else []
    return [("content-type", shown), *vary]


def encode(frame: Any, content_type: str) -> bytes:
    """Encode a frame as one of the `FORMATS`; as JSON for any other content type."""
    mime = content_type.lower().partition(";")[0].strip()
    mime = _OTHER_NAMES.get(mime, mime)
    if mime == JSON or mime not in FORMATS:
        return dumps(frame)
    library = _CLASSES.of(frame)
    assert library is not None, "the caller asks `is_frame` first"
    return _WRITERS[library](mime, frame)


def _unreadable(mime: str, error: Exception) -> FrameError:
    text = str(error).strip()
    reason = text.splitlines()[0] if text else type(error).__name__
    return FrameError(400, f"the body is not {_NAMES[mime]}: {reason}")


def _utf8(data: bytes, parameters: str) -> bytes:
    _, found, charset = parameters.partition("charset=")
    charset = charset.partition(";")[0].strip().strip('"')
    codec = text_codec(charset) if found else "utf-8"
    if codec is None:
        raise FrameError(415, f"the charset `{charset}` is unknown; send UTF-8")
    return data if codec == "utf-8" else data.decode(codec).encode()


def _records(mime: str, data: bytes) -> list[dict[str, Any]]:
    if mime == LINES:
        lines = (line for line in data.splitlines() if line.strip())
        rows: Any = []
        for number, line in enumerate(lines, 1):
            try:
                rows.append(loads(line))
            except DecodingError as error:
                raise FrameError(400, f"line {number} of the body is not JSON: {error}") from None
    else:
        rows = loads(data)
    if not isinstance(rows, list):
        kind = "an object" if isinstance(rows, dict) else "no list"
        raise FrameError(400, f"the body is {kind}; send a list with an object for each row")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise FrameError(400, f"row {number} of the body is not an object")
    return rows


def _read_polars(mime: str, source: Any) -> Any:
    polars: Any = sys.modules.get("polars") or importlib.import_module("polars")
    if mime in (JSON, LINES):
        return polars.DataFrame(source, infer_schema_length=None)
    read: dict[str, Callable[[Any], Any]] = {
        CSV: polars.read_csv,
        PARQUET: polars.read_parquet,
        ARROW_STREAM: polars.read_ipc_stream,
        ARROW_FILE: polars.read_ipc,
    }
    return read[mime](source)


def _read_pandas(mime: str, source: Any) -> Any:
    pandas: Any = sys.modules.get("pandas") or importlib.import_module("pandas")
    if mime in (JSON, LINES):
        return pandas.DataFrame.from_records(source)
    if mime == CSV:
        return pandas.read_csv(source)
    return _read_arrow(mime, source).to_pandas()


def _read_arrow(mime: str, source: Any) -> Any:
    if mime in (JSON, LINES):
        return _pyarrow("pyarrow").Table.from_pylist(source)
    if mime == CSV:
        return _pyarrow("pyarrow.csv").read_csv(source)
    if mime == PARQUET:
        return _pyarrow("pyarrow.parquet").read_table(source)
    ipc = _pyarrow("pyarrow.ipc")
    return (ipc.open_stream if mime == ARROW_STREAM else ipc.open_file)(source).read_all()


def _write_polars(mime: str, frame: Any) -> bytes:
    buffer = io.BytesIO()
    write = {
        LINES: frame.write_ndjson,
        CSV: frame.write_csv,
        PARQUET: frame.write_parquet,
        ARROW_STREAM: frame.write_ipc_stream,
        ARROW_FILE: frame.write_ipc,
    }
    write[mime](buffer)
    return buffer.getvalue()


def _write_pandas(mime: str, frame: Any) -> bytes:
    # A plain numbering of the rows contains no data; in JSON it is left out as well.
    is_plain = _RANGE.of(frame.index) and frame.index.name is None
    if mime == LINES:
        return _lines(frame)
    if mime == CSV:
        text: str = frame.to_csv(index=not is_plain)
        return text.encode()
    table = _pyarrow("pyarrow").Table.from_pandas(frame, preserve_index=not is_plain)
    return _write_arrow(mime, table)


def _write_arrow(mime: str, table: Any) -> bytes:
    buffer = io.BytesIO()
    if mime == LINES:
        return _lines(table)
    if mime == CSV:
        _pyarrow("pyarrow.csv").write_csv(table, buffer)
    elif mime == PARQUET:
        _pyarrow("pyarrow.parquet").write_table(table, buffer)
    else:
        ipc = _pyarrow("pyarrow.ipc")
        new = ipc.new_stream if mime == ARROW_STREAM else ipc.new_file
        with new(buffer, table.schema) as writer:
            writer.write_table(table)
    return buffer.getvalue()


def _lines(frame: Any) -> bytes:
    rows = loads(dumps(frame))
    return b"".join(dumps(row) + b"\n" for row in rows)


def _pyarrow(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ImportError(
            "Parquet and Arrow need pyarrow for a pandas frame; add `pyarrow` to the project"
        ) from None


_READERS: Mapping[Library, Callable[[str, Any], Any]] = {
    "polars": _read_polars,
    "pandas": _read_pandas,
    "pyarrow": _read_arrow,
}
_WRITERS: Mapping[Library, Callable[[str, Any], bytes]] = {
    "polars": _write_polars,
    "pandas": _write_pandas,
    "pyarrow": _write_arrow,
}
