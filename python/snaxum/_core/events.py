"""Server-sent events: `Event`, and its bytes.

Follows section 9.2 of the HTML standard. Never waits for an event and never sends one.
"""

from __future__ import annotations

from dataclasses import dataclass

from .json_encoding import dumps
from .late_regex import late
from .text_encoding import encode_text

_LINE_BREAK = late("\r\n|\r|\n")


@dataclass(frozen=True)
class Event:
    """One server-sent event.

    - `data`: a str as it is, of any number of lines; any other value as JSON; None for none, which
      the browser does not report as an event
    - `event`: the name that the browser's listener has; without one it is `message`
    - `id`: what the browser sends as `Last-Event-ID` when it connects again
    - `retry`: the milliseconds after which it connects again

    Raises TypeError or ValueError for a field that an event cannot have.
    """

    data: object
    event: str | None = None
    id: str | int | None = None
    retry: int | None = None

    def __post_init__(self) -> None:
        for name, value, forbidden in (("event", self.event, "\r\n"), ("id", self.id, "\r\n\0")):
            if isinstance(value, str):
                if any(character in value for character in forbidden):
                    raise ValueError(f"the {name} {value!r} of an event has a line break or NUL")
            elif value is not None and (name != "id" or type(value) is not int):
                kind = type(value).__name__
                raise TypeError(f"the {name} {value!r} of an event is a {kind}; use a str")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(
                f"the retry {self.retry!r} of an event is not a number of milliseconds, as an int"
            )

    def encode(self) -> bytes:
        """Return the event as it is sent, with the empty line that ends it."""
        fields = (("event", self.event), ("id", self.id), ("retry", self.retry))
        lines = [f"{name}: {value}\n".encode() for name, value in fields if value is not None]
        if self.data is not None:
            lines.append(_data(self.data))
        return b"".join(lines) + b"\n"


def encode_event(value: object) -> bytes:
    """Encode a value as an event: an `Event`, a str as it is, any other value as JSON."""
    return value.encode() if isinstance(value, Event) else _data(value) + b"\n"


def _data(value: object) -> bytes:
    if not isinstance(value, str):
        return b"data: " + dumps(value) + b"\n"
    lines = _LINE_BREAK.split(value)
    return encode_text("".join([f"data: {line}\n" for line in lines]))
