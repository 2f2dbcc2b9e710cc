"""Errors that are responses: `HTTPError`, and `ValidationError` for the values of a request.

Owns the members of their problem documents. Rust writes the document, or the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ._core.foreign_names import explain_keyword
from .headers import Pairs, ResponseHeaders

GivenHeaders = Mapping[str, str] | Pairs | None


class HTTPError(Exception):
    """Raise in a handler to respond with an error status instead of a return value.

    `errors` and `members` are further members of the problem document (RFC 9457), as JSON values.
    """

    if not TYPE_CHECKING:

        def __new__(cls, *args: object, **named: object) -> HTTPError:
            """Explain the parameter of FastAPI's `HTTPException`."""
            if "status_code" in named:
                raise TypeError(
                    "`HTTPError` has no `status_code`; the status is its first argument: "
                    f"HTTPError({named['status_code']!r}, detail)"
                )
            for name in ("description", "code"):  # the names in Flask
                if name in named:
                    raise TypeError(
                        f"`HTTPError` got an unexpected keyword argument {name!r}; "
                        f"{explain_keyword('HTTPError', name)}"
                    )
            return super().__new__(cls, *args, **named)

    def __init__(
        self,
        status: int,
        detail: str = "",
        headers: GivenHeaders = None,
        errors: Sequence[Mapping[str, Any]] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        self.status: int = checked_status(status, 400)
        self.detail: str = str(detail)
        self.headers: list[tuple[str, str]] = ResponseHeaders(headers).multi_items()
        self.errors: list[Mapping[str, Any]] | None = None if errors is None else list(errors)
        self.members: dict[str, Any] = dict(members or {})
        for name in self.members:
            if name in _PROBLEM:
                raise ValueError(f"a problem document has its own `{name}`; use another name")
        # Pickling uses these: a pool worker may raise it.
        given = (self.status, self.detail, self.headers, self.errors, self.members)
        super().__init__(*(given if self.errors or self.members else given[:3]))

    def extensions(self) -> dict[str, Any]:
        """Return the members of the problem document that the status and detail do not make."""
        return self.members if self.errors is None else {**self.members, "errors": self.errors}

    def __str__(self) -> str:
        name = f"{self.status} {_phrase(self.status)}".strip()
        return f"{name}: {self.detail}" if self.detail else name


class ValidationError(HTTPError):
    """422: values of a request that do not have their type.

    `errors` lists every one: `{"in": "query", "loc": ["limit"], "msg": ..., "type": ...}`.
    """

    errors: list[Mapping[str, Any]]

    def __init__(self, errors: Sequence[Mapping[str, Any]], detail: str = "") -> None:
        """List the errors; without `detail`, a sentence about the first is made."""
        super().__init__(422, detail or _summary(errors), errors=errors)
        self.args: tuple[Any, ...] = (self.errors, self.detail)  # for pickling


_PROBLEM = frozenset(("type", "title", "status", "detail", "request_id", "traceback", "errors"))


def _summary(errors: Sequence[Mapping[str, Any]]) -> str:
    if not errors:
        return ""
    first, more = errors[0], len(errors) - 1
    part, msg = str(first.get("in", "value")), str(first.get("msg", "is not valid"))
    place = ".".join(map(str, first.get("loc", ())))
    named = f"{_PARTS.get(part, part)} `{place}`" if place else part
    others = f"; {more} more fault{'s' if more > 1 else ''}" if more else ""
    colon = "" if msg.startswith(("must ", "is ")) else ":"
    return f"the {named}{colon} {msg}{others}"


_PARTS = {"query": "query parameter", "path": "value of the path", "form": "form field"}


def checked_status(status: object, lowest: int) -> int:
    """Return the status as an int. Raises TypeError or ValueError if a response cannot have it."""
    if type(status) is int and lowest <= status <= 599:
        return status
    if isinstance(status, bool) or not isinstance(status, int):
        kind = type(status).__name__
        raise TypeError(f"status {status!r} is {kind}; use an int such as 200, or http.HTTPStatus")
    if not lowest <= status <= 599:
        raise ValueError(f"status {int(status)} is out of range; use {lowest} to 599")
    return int(status)


def _phrase(status: int) -> str:
    from http import HTTPStatus  # its enumeration is large

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
