"""Where decorators register: the sink that the server sets.

Owns the sink, and the one of `background`. Without one, as in a unit test or a notebook, nothing
registers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # each one takes long to make


class Sink(Protocol):
    """Receives what user modules declare. `Any`: routes, hooks and kept values import this file.

    `routes` and `static_mounts` return what the caller's generation has.
    """

    def add_route(self, route: Any) -> None: ...
    def add_static(self, mount: Any) -> None: ...
    def add_mount(self, mount: Any) -> None: ...
    def add_input(self, path: str) -> None: ...
    def add_request_hook(self, hook: Any) -> None: ...
    def add_scope(self, scope: Any) -> None: ...
    def add_hook(self, hook: Any) -> None: ...
    def routes(self) -> Any: ...
    def static_mounts(self) -> Any: ...
    def keep(
        self,
        key: str,
        factory: Callable[[], Any],
        version: Hashable,
        unload: Callable[[Any], object] | None,
        *,
        migrate: bool,
    ) -> Any: ...


sink: Sink | None = None
# Takes a function, its arguments and its keyword arguments, to call after the response.
run_later: Callable[[Callable[..., object], tuple[Any, ...], dict[str, Any]], None] | None = None
# Makes the runtime's side of a handler with batches or workers, which imports this file.
make_calls: Callable[[Any], Any] | None = None
