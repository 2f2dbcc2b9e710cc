"""Sends the same requests to two applications and compares their responses.

Owns `SentRequest`, `Reply`, what of a response has to be the same, and `Difference`, what need not.
The tests of a project give a function that sends a request to the original. Never knows which
framework that uses.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from snaxum.testing import Client

Headers = Iterable[tuple[str, str]]
# A file of a form: its field, its name, its content and its type.
File = tuple[str, str, bytes, str]

COMPARED = ("content-type", "location", "allow", "content-disposition", "www-authenticate")

CORS = (
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "access-control-allow-methods",
    "access-control-allow-headers",
)
# Every client may send these; a server need not allow them.
ALLOWED = {"accept", "accept-language", "content-language", "content-type"}
LISTS = ("allow", "access-control-allow-methods", "access-control-allow-headers")


@dataclass(frozen=True)
class SentRequest:
    """A request. `form` is sent URL-encoded, or as multipart/form-data if there are files."""

    method: str
    path: str
    json: Any = None
    form: Mapping[str, Any] | None = None
    files: tuple[File, ...] = ()
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def get(path: str, **headers: str) -> SentRequest:
    """Make a GET request; a `_` in the name of a header stands for `-`."""
    return SentRequest(
        "GET", path, headers={name.replace("_", "-"): headers[name] for name in headers}
    )


def form(path: str, **fields: str) -> SentRequest:
    """Make a POST request with a form."""
    return SentRequest("POST", path, form=fields)


def upload(path: str, field: str, *names: str, **fields: str) -> SentRequest:
    """Make a POST request with a form that has a file of each name in `field`."""
    files = tuple((field, name, b"content of " + name.encode(), _type_of(name)) for name in names)
    return SentRequest("POST", path, form=fields, files=files)


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


@dataclass
class Reply:
    """The parts of a response that a client relies on, and the `text` of its body."""

    status: int
    body: object
    headers: dict[str, object]
    text: str

    def replace_body(self, words: object) -> None:
        """Set the body to what stands for it, and leave out its type."""
        self.body = words
        self.headers.pop("content-type", None)

    def differences(self, other: Reply) -> dict[str, tuple[object, object]]:
        """Return the parts that are not equal: `status`, `body`, and names of headers."""
        pairs = {"status": (self.status, other.status), "body": (self.body, other.body)}
        for name in sorted({*self.headers, *other.headers}):
            pairs[name] = (self.headers.get(name), other.headers.get(name))
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def read_reply(
    sent: SentRequest, status: int, headers: Headers, content: bytes, *, also: Iterable[str] = ()
) -> Reply:
    """Read the response to `sent`; `also` names further headers to compare."""
    is_head = sent.method == "HEAD"
    pairs = [(name.lower(), value) for name, value in headers]
    kept: dict[str, object] = {}
    names = (*COMPARED, *also, *(CORS if "Origin" in sent.headers else ()))
    for name in names:
        values = [value for each, value in pairs if each == name]
        if values:
            kept[name] = _comparable(name, ", ".join(values))
    if cookies := [value for name, value in pairs if name == "set-cookie"]:
        kept["set-cookie"] = sorted(map(_cookie, cookies))
    kind = str(kept.get("content-type", ""))
    is_json = kind.partition(";")[0].endswith("json") and content
    if not content and not is_head:
        kept.pop("content-type", None)  # the type of nothing
    body = json.loads(content) if is_json else content
    return Reply(status, body, kept, content.decode("utf-8", "replace"))


def our_reply(sent: SentRequest, *, also: Iterable[str] = ()) -> Reply:
    """Send `sent` to the project whose tests run."""
    files: dict[str, list[Any]] = {}
    for name, filename, content, kind in sent.files:
        files.setdefault(name, []).append((filename, content, kind))
    response = Client(raise_exceptions=False).request(
        sent.method,
        sent.path,
        json=sent.json,
        data=sent.form if sent.form is not None else sent.body,
        files=files or None,
        headers=sent.headers,
    )
    headers = response.headers.multi_items()
    return read_reply(sent, response.status, headers, response.content, also=also)


def _comparable(name: str, value: str) -> object:
    if name in LISTS:
        return sorted({each.strip().lower() for each in value.split(",")} - ALLOWED)
    if name == "content-disposition":
        return value.replace('"', "")
    return value.lower().replace("; ", ";") if name == "content-type" else value


def _cookie(line: str) -> str:
    """Return a cookie with its attributes in order; a time that it ends at is left out."""
    (morsel,) = SimpleCookie(line).values()
    attributes = {
        name: str(value).lower()
        for name, value in morsel.items()
        if value and not (name == "expires" and "1970" not in str(value))
    }
    return f"{morsel.key}={morsel.value}; {sorted(attributes.items())}"


@dataclass(frozen=True)
class Difference:
    """A known difference: the parts that differ, the `reason`, and our response.

    `text` is in our body, which is empty if `text` is. `headers` are ours among the parts.
    """

    parts: Set[str]
    status: int
    text: str
    reason: str
    headers: Mapping[str, object] = field(default_factory=dict)

    def check(self, ours: Reply) -> None:
        """Raise AssertionError if our response is another one."""
        assert ours.status == self.status
        assert self.text in ours.text if self.text else not ours.text, ours.text
        assert self.headers.keys() == self.parts - {"status", "body"}, "state each header"
        assert self.headers == {name: ours.headers.get(name) for name in self.headers}


Rows = Mapping[str, list[SentRequest]]
Send = Callable[[SentRequest], Reply]
# By row and request.
Differences = Mapping[str, Mapping[str, Difference]]


def check_row(name: str, rows: Rows, known: Differences, theirs: Send, ours: Send) -> None:
    """Raise AssertionError unless the responses differ in what `known` lists, and nothing else."""
    for sent in rows[name]:
        listed = known.get(name, {}).get(str(sent))
        parts = listed.parts if listed else set()
        reply = ours(sent)
        found = theirs(sent).differences(reply)
        shown = "\n".join(f"  {part}: {a!r}, ours {b!r}" for part, (a, b) in found.items())
        assert found.keys() == parts, f"{sent} differs; {parts or 'nothing'} is known\n{shown}"
        if listed:
            listed.check(reply)


def check_tables(rows: Rows, known: Differences, impossible: Mapping[str, str]) -> None:
    """Raise AssertionError if a difference is listed for a request that is not sent.

    `impossible`, the sections that cannot be written, and what replaces each, have no row.
    """
    for name, requests in known.items():
        unknown = requests.keys() - set(map(str, rows[name]))
        assert not unknown, f"{name}: {unknown}"
    assert not impossible.keys() & rows.keys()
    assert all(impossible.values())
