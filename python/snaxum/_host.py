"""The objects that Rust lends to Python, as Python sees them.

Owns their types (`python_runtime/host.rs` and `exchange.rs` implement them) and the JSON for Rust.
Never calls them.
"""

from __future__ import annotations

# By name: the user's code may replace `json.dumps`.
from json import dumps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from .uploads import RawFile

    # By method, the names of a route's parameters, its id, and the object that Rust calls it by.
    IndexedRoutes = list[tuple[str, list[str], str, Any]]
else:
    Protocol = object  # only type checkers need it, and each one takes long to make

Address = tuple[str, int]


class HostApi(Protocol):
    """The functions that Rust lends to the runtime."""

    def framework(self) -> tuple[dict[str, str], bytes]:
        """Return the files of `snaxum` by name, and the build's compiled code."""

    def encode_json(self, value: object, simplify: Callable[[object], object]) -> bytes | None:
        """Encode a value, of other types by `simplify`; None if Python is to encode it."""

    def decode_json(self, document: bytes) -> Any:
        """Decode JSON. Raises ValueError if Python is to decode it."""

    def index_routes(
        self,
        request: Callable[[Exchange, dict[str, Any]], Any],
        texts: list[tuple[str, IndexedRoutes]],
        ends: list[tuple[str, set[str], list[tuple[str, IndexedRoutes]]]],
        applications: list[tuple[str, bool, str, Any]],
    ) -> None:
        """Let Rust find these routes from now on; `request` makes the request of a handler.

        See `_core.route_index` for the rows of routes, and `_hosts.install` for the mounts.
        """

    def return_freed_memory(self) -> None:
        """Return memory to the system that this process has freed."""

    @property
    def wake_fd(self) -> int:
        """A pipe that is readable after `wake_loop`, and while `take_signals` returns some."""

    def wake_loop(self) -> None:
        """Make the pipe readable: at once, or with the next wake if this thread defers wakes."""

    def take_signals(self) -> list[int]:
        """Return the ids of the requests whose stream has room again.

        A negative id is of a request whose body arrives.
        """

    def wait_for_ended(self, timeout: float | None) -> list[tuple[int, bool]]:
        """Wait for requests that were cancelled, or whose response has been sent, or for a wake.

        Returns their ids, each with whether its response has been sent.
        """

    def wait_for_profiled(
        self, timeout: float | None, known: list[int]
    ) -> tuple[list[tuple[int, float]], list[tuple[int, float]], list[int]]:
        """Wait for requests to profile, for the end of a known one, or for the timeout.

        Returns the requests that ask for a profile and the slow ones, with their ages in s, and the
        known requests that have ended.
        """

    def called(self, request: int, call: bytes) -> None:
        """Report a call of a request to a database or an HTTP server, as JSON."""

    def profiled(self, request: int, profile: bytes) -> None:
        """Report the profile of a request so far, as JSON."""

    def dispatched(self) -> Exchange | None:
        """Return the request that the calling thread dispatches, if it is a dispatch worker."""

    def wake_overseer(self) -> None:
        """End the wait of `wait_for_ended`, if it was announced as long."""

    def set_overseer_asleep(self, is_asleep: bool) -> None:
        """Announce whether the next `wait_for_ended` may be long."""

    def set_exhausted(self, is_exhausted: bool) -> None:
        """Report whether so many requests of a kind hang that they are no longer replaced."""

    def defer_wakes(self) -> None:
        """Delay the responses of this thread until `flush_wakes`, from now on."""

    def flush_wakes(self) -> None:
        """Send the delayed responses."""

    def running_request(self, request: int) -> str | None:
        """Return the method and the escaped path of a request, or None once it has ended."""

    def print(
        self,
        request: int | None,
        stream: str,
        line: str,
        loads: bool,
        origin: tuple[str | None, str | None, str | None, int | None] = ...,
    ) -> None:
        """Report a line on `stdout` or `stderr`; `loads`: a loading module printed it.

        `origin`: the level and the logger of a record, and file and line of the user's code.
        """

    def worker_event(self, event: bytes) -> None:
        """Report a change of a pool worker, as JSON."""

    def wrote(self, path: str) -> None:
        """Report a file of the project that this process opens for writing."""

    def connect(self) -> InProcessConnection:
        """Connect to the server within this process. Raises RuntimeError unless tests run."""

    def connect_socket(
        self, client: tuple[str, int] | None, server: tuple[str, int] | None, is_https: bool
    ) -> int:
        """Connect to it by a socket; return its descriptor, which the caller closes.

        The addresses, and whether it has TLS, belong to the connection of the request.
        """

    def docs_page(self, title: str, document: str, assets: str, root: str) -> str:
        """Return the page that documents the API; the last two are URLs."""

    def docs_file(self, name: str) -> tuple[str, bytes] | None:
        """Return the content type and the bytes of a file of that page."""

    def detach_child(self) -> None:
        """Close the server's sockets, and reset its signal handlers, in a forked process."""


class InProcessConnection(Protocol):
    """The client's end of a connection to the server within this process."""

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises BrokenPipeError once the server has closed the connection."""

    def receive(self, size: int, limit: float | None) -> bytes:
        """Wait for bytes, at most `limit` s; return up to `size`. Raises TimeoutError."""

    def close(self) -> None:
        """Close the connection."""


class BodyStream(Protocol):
    """The sending end of a streamed response."""

    id: int

    def cancelled(self) -> bool:
        """Report whether the client is gone."""

    def send(self, chunk: bytes) -> bool:
        """Wait for room and send; False when the client is gone."""

    def try_send(self, chunk: bytes, host: HostApi) -> bool | None:
        """Send; None without room, which `host` signals later; False if the client is gone."""

    def fail(
        self,
        status: int,
        detail: str,
        headers: list[tuple[str, str]],
        traceback: bytes | None,
        extensions: bytes | None = None,
    ) -> bool:
        """Send a failure instead of the response; False if that has begun."""

    def become_events(self, headers: list[tuple[str, str]], keep_alive: float) -> bool:
        """Make the response an event stream, before its first chunk; False if it has begun."""

    def finish(self, trailers: list[tuple[str, str]] | None = None) -> None:
        """End the response as complete, perhaps with fields after its body."""


class Socket(Protocol):
    """The handler's end of an accepted WebSocket.

    It receives a str for a text, bytes for a binary message, and a tuple of code and reason once it
    is closed.
    """

    id: int

    def try_receive(self, host: HostApi) -> str | bytes | tuple[int, str] | None:
        """Receive; None without a message, which `host` signals later."""

    def receive(self) -> str | bytes | tuple[int, str]:
        """Wait for a message or the close."""

    def try_send(self, message: str | bytes, host: HostApi) -> bool | None:
        """Send; None without room, which `host` signals later; False if it is closed."""

    def send(self, message: str | bytes) -> bool:
        """Wait for room and send; False if it is closed."""

    def watch_close(self, host: HostApi) -> bool:
        """Let `host` signal the close; True if it is closed."""

    def close(self, code: int, reason: str) -> None:
        """Close it after the messages that wait, unless it is closed."""

    def closed(self) -> tuple[int, str] | None:
        """Return code and reason of the close."""

    def finish(self, traceback: bytes | None) -> None:
        """Report that the handler has ended."""


class Exchange(Protocol):
    """One request and its response. Exactly one of the last methods responds.

    `found`, `began`, `pooled` and `returned` record route and times, where these are
    used; `resumed` and `suspended` do so in dev mode only; `raised` records the exception that an
    error handler responds to.
    """

    id: int
    method: str
    path: str
    query: str
    # Whether the body arrives in chunks.
    is_streamed: bool

    def headers(self) -> list[tuple[str, str]]: ...
    def origin(self) -> tuple[Address | None, str, str]:
        """Return the client's address, the scheme, and the host; a trusted proxy reports them.

        The port is 0 if a proxy reports none. The host is empty if the request names none.
        """

    def content_type(self) -> str: ...
    def identity(self) -> tuple[str, str, str]:
        """Return the id in responses and logs, the id of the trace, and `traceparent` to send."""

    def state(self) -> bytes | None:
        """Return the state that layers in Rust have set, as JSON."""

    def body(self) -> bytes: ...
    def json(self) -> tuple[Any] | None:
        """Return the value of a body that is declared as JSON; None if Python is to read it."""

    def form(self) -> tuple[list[tuple[str, str]], list[RawFile]] | None: ...
    def receive(self) -> bytes | tuple[int, str]:
        """Wait for a chunk of a streamed body, b"" at its end; a status and a reason without it."""

    def try_receive(self, host: HostApi) -> bytes | tuple[int, str] | None:
        """Do the same without the wait; None without a chunk, which `host` signals later."""

    def need_body(self, generation: int) -> None:
        """Ask for the request again, with its body; instead of the last four methods."""

    def cancelled(self) -> bool: ...
    def began(self) -> None: ...
    def resumed(self) -> None: ...
    def suspended(self) -> None: ...
    def pooled(
        self, tasks: int, waited: float, ran: float, spans: list[tuple[str, float, float]]
    ) -> None:
        """Record the number and the times of its pool tasks, in s.

        A span is the name of a task, how long ago it began, and how long it ran.
        """

    def returned(self) -> None: ...
    def raised(self, traceback: bytes) -> None: ...
    def found(self, route: str) -> None:
        """Record the route before its handler runs, and then that within an application."""

    def report_when_sent(self) -> bool:
        """Ask for the report of `wait_for_ended`; False if the response has been sent already."""

    def respond_ok(self, generation: int, route: str, content_type: str, body: bytes) -> None: ...
    def respond_json(
        self, generation: int, route: str, value: object, simplify: Callable[[object], object]
    ) -> bool:
        """Respond with a value as JSON; false if Python is to encode it."""

    def respond(
        self,
        generation: int,
        route: str | None,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None: ...
    def send_file(
        self,
        generation: int,
        route: str | None,
        status: int,
        headers: list[tuple[str, str]],
        path: str,
    ) -> None:
        """Respond with a file. Raises OSError, and then another method is to be called."""

    def stream(
        self,
        generation: int,
        route: str | None,
        status: int,
        headers: list[tuple[str, str]],
        keep_alive: float | None,
    ) -> BodyStream:
        """Begin a stream; after each `keep_alive` seconds without a chunk, a comment is sent."""

    def accept(
        self,
        generation: int,
        route: str,
        subprotocol: str | None,
        headers: list[tuple[str, str]],
    ) -> Socket: ...
    def fail(
        self,
        generation: int,
        route: str | None,
        status: int,
        detail: str,
        headers: list[tuple[str, str]],
        traceback: bytes | None,
        extensions: bytes | None = None,
    ) -> None: ...


def to_json(value: object) -> bytes:
    """Encode plain data for Rust; a character that UTF-8 cannot encode becomes `?`."""
    return dumps(value, ensure_ascii=False).encode("utf-8", "replace")
