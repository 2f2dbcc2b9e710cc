"""What Rust lends to Python: the host as Python sees it.

Owns the shapes of the objects that `python_runtime/bridge.rs` implements, and nothing else.
"""

from __future__ import annotations

# By name: the user's code may replace `json.dumps`.
from json import dumps
from typing import Protocol


class HostApi(Protocol):
    """What Rust lends to the whole runtime."""

    def framework(self) -> tuple[dict[str, str], bytes]:
        """Give the files of `snaxum` by name, and what the build has compiled them to."""

    @property
    def wake_fd(self) -> int:
        """A pipe that is readable after `wake_loop`, or when there is something in `take_signals`."""

    def wake_loop(self) -> None:
        """Make the pipe readable: at once, or with the next wake if this thread leaves answers."""

    def take_signals(self) -> tuple[list[int], list[int]]:
        """List what is new: requests that nobody waits for, and those whose stream has room."""

    def defer_wakes(self) -> None:
        """Let the answers of this thread wait for `flush_wakes` from now on."""

    def flush_wakes(self) -> None:
        """Send what has been left."""

    def print(self, request: int | None, stream: str, line: str, loads: bool) -> None:
        """Tell observers of a line on `stdout` or `stderr`; `loads`: by what is loading now."""

    def worker_event(self, event: bytes) -> None:
        """Tell observers what happened to a process of the pool, as JSON."""

    def parse_env(self, text: str) -> list[tuple[str, str]] | tuple[int, str]:
        """Read environment variables, or say which line cannot be read, and why."""


class BodyStream(Protocol):
    """The sending end of a streamed answer; implemented in Rust."""

    id: int

    def send(self, chunk: bytes) -> bool:
        """Wait for room and send; False when the client is gone."""

    def try_send(self, chunk: bytes, host: HostApi) -> bool | None:
        """Send if there is room; None if not, and `host` will tell. False: the client is gone."""

    def finish(self) -> None:
        """End the answer as complete."""


class Exchange(Protocol):
    """One request and its answer; implemented in Rust. Exactly one of the last four is called.

    `began`, `resumed`, `suspended`, `pooled` and `returned` are for dev mode: they say when what
    happened.
    """

    id: int
    method: str
    path: str
    query: str

    def headers(self) -> list[tuple[str, str]]: ...
    def body(self) -> bytes: ...
    def cancelled(self) -> bool: ...
    def began(self) -> None: ...
    def resumed(self) -> None: ...
    def suspended(self) -> None: ...
    def pooled(self, tasks: int, waited: float, ran: float) -> None: ...
    def returned(self) -> None: ...
    def respond_ok(
        self, generation: int, route: str, content_type: str, body: bytes
    ) -> None: ...
    def respond(
        self,
        generation: int,
        route: str | None,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None: ...
    def stream(
        self, generation: int, route: str | None, status: int, headers: list[tuple[str, str]]
    ) -> BodyStream: ...
    def fail(
        self,
        generation: int,
        route: str | None,
        status: int,
        detail: str,
        headers: list[tuple[str, str]],
        traceback: bytes | None,
    ) -> None: ...


def to_json(value: object) -> bytes:
    """Encode plain data for Rust; a character that UTF-8 cannot encode becomes `?`."""
    return dumps(value, ensure_ascii=False).encode("utf-8", "replace")
