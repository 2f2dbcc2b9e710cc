"""Sends the same requests to two applications and compares their responses.

Owns `Ask`, a request, and `Reply`, what of a response has to be the same. The tests of a project
give a function that sends an `Ask` to each application. Never knows which frameworks they are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

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
class Ask:
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


def get(path: str, **headers: str) -> Ask:
    """Make a GET request; a `_` in the name of a header stands for `-`."""
    return Ask("GET", path, headers={name.replace("_", "-"): headers[name] for name in headers})


@dataclass
class Reply:
    """The parts of a response that a client relies on."""

    status: int
    body: object
    headers: dict[str, object]

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
    ask: Ask, status: int, headers: Headers, content: bytes, *, also: Iterable[str] = ()
) -> Reply:
    """Read the response to `ask`; `also` names further headers to compare."""
    is_head = ask.method == "HEAD"
    pairs = [(name.lower(), value) for name, value in headers]
    kept: dict[str, object] = {}
    names = (*COMPARED, *also, *(CORS if "Origin" in ask.headers else ()))
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
    return Reply(status, json.loads(content) if is_json else content, kept)


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


Rows = Mapping[str, list[Ask]]
Send = Callable[[Ask], Reply]
# By row and request: the parts that differ, with the reason.
Differences = Mapping[str, Mapping[str, tuple[set[str], str]]]


def check_row(name: str, rows: Rows, known: Differences, theirs: Send, ours: Send) -> None:
    """Raise AssertionError unless the responses differ in what `known` lists, and nothing else."""
    for ask in rows[name]:
        listed, _ = known.get(name, {}).get(str(ask), (set(), ""))
        found = theirs(ask).differences(ours(ask))
        shown = "\n".join(f"  {part}: {a!r}, ours {b!r}" for part, (a, b) in found.items())
        assert found.keys() == listed, f"{ask} differs; {listed or 'nothing'} is known\n{shown}"


def check_tables(rows: Rows, known: Differences) -> None:
    """Raise AssertionError if a difference is listed for a request that is not sent."""
    for name, requests in known.items():
        unknown = requests.keys() - set(map(str, rows[name]))
        assert not unknown, f"{name}: {unknown}"
