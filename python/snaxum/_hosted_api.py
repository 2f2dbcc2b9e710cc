"""The objects that Rust lends to Python for the applications of other frameworks.

Owns their types: `hosted_api.rs`, `asgi.rs` and `wsgi.rs` of `python_runtime` implement them. Never
calls them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any, Protocol

    from ._host import BodyStream, Exchange
else:
    Protocol = object  # only type checkers need it, and each one takes long to make


class HostedApi(Protocol):
    """The functions of Rust for the applications of other frameworks."""

    def asgi_application(
        self,
        root_path: str,
        route: str,
        versions: dict[str, str],
        state: dict[str, Any],
        client_disconnected: type[Exception],
    ) -> AsgiApplication:
        """Make what all requests of an application share; each gets a copy of the two dicts."""

    def wsgi_application(self, prefix: str, shared: dict[str, Any]) -> WsgiApplication:
        """Make what all requests of an application share: `shared` is a part of each environ."""

    def loop_flush(self, call_soon: Callable[..., Any]) -> LoopFlush:
        """Make what sends the responses of the loop with this `call_soon`."""

    def http_cycle(
        self,
        application: AsgiApplication,
        exchange: Exchange,
        loop_thread: Any,
        flush: LoopFlush,
        generation: int,
        reply: Any = None,
    ) -> HttpCycle:
        """Begin the messages of a request, whose task runs on `loop_thread`.

        With a `reply` (`_hosts.replies.Reply`), it gets the response in place of the client.
        """

    def take_calls(
        self, loop_thread: Any, flush: LoopFlush
    ) -> list[tuple[int, Exchange, HttpCycle, Callable[..., Any], Any]]:
        """Return the requests that have come to the loop without a dispatch worker.

        Each has its id, the function that runs it, and its route.
        """

    def has_calls(self) -> bool:
        """Report whether such requests wait."""


class AsgiApplication(Protocol):
    """The values that all requests of an application share."""

    def scope(self, exchange: Exchange) -> dict[str, Any]:
        """Make the scope of a request."""


class WsgiApplication(Protocol):
    """The values that all requests of an application share."""

    def environ(self, exchange: Exchange, input: Any) -> dict[str, Any]:
        """Make the environ of a request; a Unix socket has no name of the server."""


class LoopFlush(Protocol):
    """Sends the responses that a loop has made in one of its iterations together, at its end."""

    def flush(self) -> None: ...


class HttpCycle(Protocol):
    """The messages of one HTTP request of an ASGI application, in both directions."""

    # Whether a part of the response was sent, or all of it.
    has_begun: bool
    is_complete: bool
    # Whether the client has left, or the request has failed without the application.
    is_gone: bool
    # The body of a response that has begun, without a reply.
    stream: BodyStream | None

    def scope(self) -> dict[str, Any]:
        """Make the scope of the request."""

    def end(self) -> str | None:
        """End the messages; return the problem of an application that has returned too early."""

    def receive(self) -> Awaitable[dict[str, Any]]:
        """Return the next part of the body, or wait for the end of the request."""

    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Send a part of the response."""

    def disconnect(self) -> None:
        """Let `receive` return that the client has left."""
