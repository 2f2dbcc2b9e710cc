"""Headers, queries and forms: names with values.

Owns the mappings that a handler reads and fills, and the checks of what HTTP can send. Knows
neither requests nor responses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ._core.late_module import late_module
from ._core.late_regex import late

if TYPE_CHECKING:
    import urllib.parse as url_parts
else:
    url_parts = late_module("urllib.parse")

Pairs = Iterable[tuple[str, str]]
HeaderList = list[tuple[str, str]]


_V = TypeVar("_V")
_D = TypeVar("_D")


class MultiDict(Mapping[str, _V]):
    """A read-only mapping that may have several values for a name; the last one counts."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, _V]] = ()) -> None:
        self._values: dict[str, list[_V]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, name: str) -> _V:
        return self._values[name][-1]

    def get_all(self, name: str) -> list[_V]:
        """Return every value of `name`, in order."""
        return list(self._values.get(name, ()))

    def getlist(self, name: str) -> list[_V]:
        """Do the same as `get_all`, by its name in Flask and Starlette."""
        return self.get_all(name)

    def multi_items(self) -> list[tuple[str, _V]]:
        """List every name with every value."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.multi_items()!r})"


class MissingField(KeyError):
    """A field that the client has not sent; a handler that does not catch it responds with 400."""

    def __str__(self) -> str:
        return str(self.args[0])


class Fields(MultiDict[_V]):
    """Values that a client sends by name; a missing one that a handler needs is a 400."""

    __slots__ = ("_kind", "_note")

    def __init__(self, pairs: Iterable[tuple[str, _V]], *, kind: str, note: str = "") -> None:
        """Take the fields; `kind` and `note` are for the message about a missing one."""
        super().__init__(pairs)
        self._kind, self._note = kind, note

    def __getitem__(self, name: str) -> _V:
        try:
            return self._values[name][-1]
        except KeyError:
            raise MissingField(self._explain(name)) from None

    @overload
    def get(self, name: str, /) -> _V | None: ...
    @overload
    def get(self, name: str, /, default: _V | _D) -> _V | _D: ...
    @overload
    def get(self, name: str, /, default: None = None, *, type: Callable[[_V], _D]) -> _D | None: ...
    @overload
    def get(self, name: str, /, default: _D, type: Callable[[_V], _D]) -> _D: ...
    def get(
        self, name: str, /, default: Any = None, type: Callable[[_V], Any] | None = None
    ) -> Any:
        """Return the last value of `name`, or `default`; as `type`, unless that refuses it."""
        values = self._values.get(name)
        if values is None:
            return default
        if type is None:
            return values[-1]
        try:
            return type(values[-1])
        except (ValueError, TypeError):
            return default

    def _explain(self, name: str) -> str:
        sent = ", ".join(f"`{each}`" for each in list(self._values)[:10])
        note = self._note or f"the request has {sent or 'none'}"
        return f"the {self._kind} `{name}` is missing; {note}"


class QueryParams(Fields[str]):
    """The fields of a query string or a form; the last value of a name counts."""

    __slots__ = ()

    def __init__(self, pairs: Pairs = (), *, kind: str = "query parameter", note: str = "") -> None:
        """Take the fields; `kind` and `note` are for the message about a missing one."""
        super().__init__(pairs, kind=kind, note=note)

    @classmethod
    def parse(cls, text: str, charset: str = "utf-8", kind: str = "query parameter") -> QueryParams:
        """Parse `a=1&b=&a=2`; blank values stay, undecodable bytes become U+FFFD."""
        if "%" in text or "+" in text:
            pairs = url_parts.parse_qsl(
                text, keep_blank_values=True, encoding=charset, errors="replace"
            )
            return cls(pairs, kind=kind)
        params = cls(kind=kind)  # nothing to decode: several times as fast
        values = params._values
        for field in text.split("&"):
            if field:
                name, _, value = field.partition("=")
                if name in values:
                    values[name].append(value)
                else:
                    values[name] = [value]
        return params


class Headers(MultiDict[str]):
    """Headers by name in any case; several values with one name read as one, joined with commas."""

    __slots__ = ()

    def __init__(self, pairs: Pairs = ()) -> None:
        super().__init__((name.lower(), value) for name, value in pairs)

    def __getitem__(self, name: str) -> str:
        name = name.lower()
        return ("; " if name == "cookie" else ", ").join(self._values[name])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name` as it was sent."""
        return super().get_all(name.lower())


class RequestHeaders(Headers):
    """The headers of a request; a missing one that a handler needs is a 400."""

    __slots__ = ()

    def __getitem__(self, name: str) -> str:
        try:
            return super().__getitem__(name)
        except KeyError:
            raise MissingField(f"the header `{name}` is missing") from None


class Cookies(dict[str, str]):
    """The cookies of a request; a missing one that a handler needs is a 400."""

    __slots__ = ()

    def __missing__(self, name: str) -> str:
        sent = ", ".join(f"`{each}`" for each in list(self)[:10])
        raise MissingField(f"the cookie `{name}` is missing; the request has {sent or 'none'}")


class ResponseHeaders(Headers):
    """The headers of a response: they can be set, and each is checked on the way."""

    __slots__ = ()

    def __init__(self, given: Mapping[str, str] | Pairs | None = None) -> None:
        self._values = {}
        if given is not None:
            for name, value in _pairs(given):
                self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Add one more value for `name`."""
        self._values.setdefault(checked_name(name), []).append(checked_value(name, value))

    def __setitem__(self, name: str, value: str) -> None:
        self._values[checked_name(name)] = [checked_value(name, value)]

    def __delitem__(self, name: str) -> None:
        del self._values[name.lower()]

    def pop(self, name: str, default: str | None = None) -> str | None:
        """Remove every value of `name`, and return them as one."""
        value = self.get(name)
        self._values.pop(name.lower(), None)
        return default if value is None else value

    def set_default_type(self, content_type: str) -> None:
        """Set the content type unless there is one; the framework's own types need no check."""
        self._values.setdefault("content-type", [content_type])


def _pairs(given: Mapping[str, str] | Pairs) -> Pairs:
    if isinstance(given, MultiDict):
        return given.multi_items()
    if isinstance(given, Mapping):
        return given.items()
    wrong = f"headers is {type(given).__name__}; pass a dict or a list of (name, value) pairs"
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(wrong)
    pairs = list(given)
    if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
        raise TypeError(f"{wrong}; an item is not a pair")
    return pairs


def checked_name(name: object) -> str:
    """Return a header's name in lower case. Raises TypeError or ValueError."""
    if not isinstance(name, str):
        raise TypeError(f"header name {name!r} is {type(name).__name__}; use a str")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name; use letters, digits and hyphens")
    return name.lower()


def checked_value(name: str, value: object) -> str:
    """Return a header's value, stripped. Raises TypeError or ValueError if it cannot be sent."""
    if not isinstance(value, str):
        kind = type(value).__name__
        raise TypeError(f"header `{name}` has the value {value!r}, a {kind}; use a str")
    if bad := _NOT_IN_VALUE.search(value):
        raise ValueError(
            f"header `{name}` has {bad[0]!r} at character {bad.start() + 1} of its value; "
            "remove it, or percent-encode it with urllib.parse.quote"
        )
    return value.strip(" \t")


_TOKEN = late(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE = late(r"[^\t\x20-\x7e\xa0-\xff]")


def is_token(text: str) -> bool:
    """Report whether `text` is an HTTP token: a method, a header's or cookie's name."""
    return _TOKEN.fullmatch(text) is not None
