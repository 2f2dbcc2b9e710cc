"""Routes, and the table that finds the route of a request.

Owns `Route`, `RouteTable` and the results of a lookup. A table is built once for a generation and
never changes. Never runs a handler, and knows nothing of HTTP but methods and paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._core import calls, foreign_patterns, handlers, parameters, return_types
from ._core.arguments import Argument
from ._core.body_use import decide
from ._core.digests import sha256
from ._core.handlers import Handler, code_of, innermost, lines, source_file, where
from ._core.hooks import Scope
from ._core.hosted import Hosted
from ._core.late_module import late_module
from ._core.methods import checked_methods
from ._core.patterns import Pattern, parse
from ._core.route_errors import DuplicateRoute, RouteError
from ._core.route_options import converted, described
from ._core.route_rows import row_of
from ._core.route_tree import TreeNode, bound, follow, parent_of_last, search
from ._core.unmatched import ImpliedOptions, MethodNotAllowed, NotFound, UpgradeRequired
from ._validation.faults import Unresolved, Unsupported

if TYPE_CHECKING:
    import inspect
else:
    inspect = late_module("inspect")

if TYPE_CHECKING:
    from ._core.served_handlers import ServedHandler


class Route:
    """A pattern, its methods and their handler. Do not change one."""

    __slots__ = (
        "__weakref__",
        "_namespaces",
        "arguments",
        "call",
        "called",
        "handler",
        "hosted",
        "id",
        "is_async",
        "is_planned",
        "methods",
        "names",
        "parsed",
        "pattern",
        "response_model",
        "scope",
        "served",
        "status",
        "streams_body",
        "summary",
        "tags",
        "use_process_pool",
    )

    is_mount = False  # that of `Mount` is true
    pattern: str
    parsed: Pattern
    methods: tuple[str, ...]
    handler: Handler
    # The function that a request calls: the handler, or one that adds the request to a batch.
    called: Handler
    id: str
    is_async: bool
    is_planned: bool
    names: tuple[str, ...]
    use_process_pool: bool
    # For the description of the route; `status` is also that of a result without one.
    tags: tuple[str, ...]
    summary: str
    response_model: Any
    status: int | None
    # The blueprint that it belongs to.
    scope: Scope | None
    # Runs an application that is not a function of this framework.
    hosted: Hosted | None
    # The handler with its options `batch`, `workers` and `warm_up`.
    served: ServedHandler | None
    # For its annotations, while a type is not defined yet.
    _namespaces: parameters.Namespaces | None

    def __init__(
        self,
        pattern: str,
        methods: Iterable[str] | None,
        handler: Handler,
        *,
        use_process_pool: bool = False,
        tags: Iterable[str] = (),
        summary: str = "",
        response_model: Any = None,
        status: int | None = None,
        scope: Scope | None = None,
        stream_body: bool | None = None,
        batch: Any = None,
        workers: Any = None,
        warm_up: Any = None,
    ) -> None:
        try:
            self.parsed = parse(pattern)
            self.methods = self._checked(methods)
            self.tags, self.summary, self.status = described(tags, summary, status)
        except (TypeError, ValueError) as error:
            raise RouteError(f"route `{pattern}` at {where(handler)}: {error}") from None
        if not callable(handler):
            kind = type(handler).__name__
            raise RouteError(
                f"route `{pattern}` has a {kind} for a handler; put `@route` on a function"
            )
        self.pattern = pattern
        self.handler = self.called = handler
        self.response_model = response_model
        self.scope = scope
        self.hosted = self.served = None
        self.use_process_pool = bool(use_process_pool)
        self.is_async = handlers.is_async(handler)
        self.names = tuple(name for name, _ in self.parsed.params)
        is_served = not (batch is workers is warm_up is None)
        if use_process_pool and (reason := handlers.reason_for_no_pool(handler, is_served)):
            raise RouteError(f"{self._place}: {reason}, or drop `use_process_pool`")
        if is_served:
            from ._core.served_handlers import serve  # most projects have none

            try:
                self.served = serve(
                    handler, batch, workers, warm_up, self.use_process_pool, stream_body
                )
            except (TypeError, ValueError) as error:
                raise RouteError(f"{self._place}: {error}") from None
            if not self.served.is_called_alone:  # its requests wait on the loop
                self.is_async, self.use_process_pool = True, False
        self.arguments: list[Argument] | None = None
        # `call` takes the request, and the pool, and fills the arguments.
        self.call: Handler = handler
        self.is_planned, self._namespaces = False, None
        # Whether the handler starts before the body has arrived; None until it is decided.
        self.streams_body = stream_body
        try:
            self._plan()
        except Unresolved:
            pass  # a type that is defined below the handler: see `finish`
        key = f"{' '.join(self.methods)} {pattern}"
        self.id = "r_" + sha256(key.encode(errors="surrogatepass")).hexdigest()[:8]

    def _checked(self, methods: Iterable[str] | None) -> tuple[str, ...]:
        return checked_methods(methods)

    def finish(self) -> None:
        """Plan the call if a type was not defined when the route was made.

        Raises RouteError if it still is not. A return type that is not defined counts as none.
        """
        if not self.is_planned:
            try:
                self._plan(is_last=True)
            except Unresolved as error:
                raise RouteError(f"{self._place}: {error}") from None

    def _plan(self, *, is_last: bool = False) -> None:
        known = self._namespaces = parameters.namespaces_inside(self.handler, self._namespaces)
        served = self.served
        with_pool = self.use_process_pool or (served is not None and served.with_pool)
        try:
            if served is not None and not served.is_called_alone:
                self.called = served.entry(known, is_last=is_last)
            self.arguments = parameters.plan(
                self.called,
                {name: converter.kind_of() for name, converter in self.parsed.params},
                with_pool=with_pool,
                methods=self.methods,
                pattern=self.pattern,
                namespaces=known,
            )
            call = calls.bind(self.called, self.arguments, with_pool=with_pool)
            if self.called is not self.handler and served is not None:
                call = served.bound(call, self.arguments)
            model, to_returned = self.response_model, None
            if model is None and "WS" not in self.methods:
                to_returned = return_types.converter_of(self.called, known, is_last=is_last)
            self.call = converted(
                call, model, self.status, to_returned=to_returned, is_async=self.is_async
            )
            self.streams_body = decide(self.handler, self.arguments, self.streams_body)
        except Unresolved:
            raise
        except parameters.PoolRequired as error:
            if served is not None or "WS" in self.methods:
                raise RouteError(f"{self._place}: {error}") from None
            if reason := handlers.reason_for_no_pool(self.handler):
                fact = str(error).partition(";")[0]
                raise RouteError(f"{self._place}: {fact}, and {reason}") from None
            self.use_process_pool = True
            self._plan(is_last=is_last)
        except (ValueError, Unsupported) as error:
            raise RouteError(f"{self._place}: {error}") from None
        self.is_planned, self._namespaces = True, None

    @property
    def place(self) -> str:
        """The `file:line` of its declaration."""
        return where(self.handler)

    @property
    def _place(self) -> str:
        return f"route `{self.pattern}` at {self.place}"

    def conflict_with(self, first: Route, method: str) -> str:
        """Explain that an earlier route has its paths, with this method."""
        return (
            f"two handlers for {method} {self.pattern}: {first.place} (as {first.pattern}) and "
            f"{self.place}; change the path or the methods of one of them"
        )

    @property
    def body_prefix(self) -> str:
        """The text that each of its paths begins with, for Rust: its body may be streamed."""
        return self.pattern.partition("<")[0]

    @property
    def params(self) -> list[dict[str, str]]:
        return [{"name": name, "type": converter.name} for name, converter in self.parsed.params]

    @property
    def endpoint(self) -> str:
        """The name that `url_for` knows it by."""
        name = self.qualname.rpartition(".")[2]
        return f"{self.scope.name}.{name}" if self.scope else name

    @property
    def via(self) -> list[str]:
        """The hooks that a request meets, as `before_request module.function`, in their order."""
        return []

    @property
    def origin(self) -> Route:
        """The route as it was declared, without hooks."""
        return self

    @property
    def mode(self) -> str:
        """Where the handler runs: `in-thread`, `async`, `process pool` or `workers`."""
        if self.served is not None:
            return self.served.mode
        if self.use_process_pool:
            return "process pool"
        return "async" if self.is_async else "in-thread"

    @property
    def module(self) -> str:
        return str(getattr(innermost(self.handler), "__module__", None) or "")

    @property
    def qualname(self) -> str:
        target = innermost(self.handler)
        return str(getattr(target, "__qualname__", None) or type(target).__qualname__)

    @property
    def handler_name(self) -> str:
        return f"{self.module}.{self.qualname}" if self.module else self.qualname

    # Read from the code object at each call: a reload may move a function without running it.
    @property
    def file(self) -> str:
        """The handler's source file as an absolute path; empty if it has none."""
        return source_file(self.handler)

    @property
    def line(self) -> int:
        """The line the handler begins on, which is that of its first decorator; 0 if unknown."""
        code = code_of(self.handler)
        return code.co_firstlineno if code else 0

    @property
    def end_line(self) -> int:
        """The line of the handler's last code; 0 if unknown."""
        code = code_of(self.handler)
        return max(lines(code)) if code else 0

    @property
    def doc(self) -> str:
        text = innermost(self.handler).__doc__ or ""
        return inspect.cleandoc(text) if "\n" in text else text.expandtabs().lstrip()

    @property
    def warnings(self) -> list[str]:
        """Legal patterns that are probably mistakes."""
        found = foreign_patterns.warnings(self.pattern)
        return found + parameters.warnings(self.handler, self.arguments, self.names)

    def to_dict(self, root: str) -> dict[str, Any]:
        """Describe the route as JSON; `file` is relative to `root` if it is below it."""
        return row_of(self, root)

    def __repr__(self) -> str:
        return f"<Route {','.join(self.methods)} {self.pattern} -> {self.handler_name}>"


# The matching route, and the converted values of its parameters. Do not change them.
PathMatch = tuple[Route, dict[str, Any]]
Match = PathMatch | MethodNotAllowed | ImpliedOptions | UpgradeRequired | NotFound


class RouteTable:
    """Finds the route for a request, at a cost that does not grow with the number of routes.

    The routes form a tree with one level a path segment. At each level the text is looked up
    first, then the dynamic parts are tried from the narrowest to the widest, with backtracking.
    Raises DuplicateRoute, and RouteError for a handler with an undefined type.
    """

    __slots__ = ("_depth", "_start", "parents", "routes", "static")

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: tuple[Route, ...] = tuple(routes)
        self._start = TreeNode(0)
        # A path that is all text comes first at every level, so it needs no walk.
        self.static: dict[str, dict[str, PathMatch]] = {}
        # By the text before the last slash, the node whose branches match the last segment. Most
        # patterns with a parameter end with it, so they need no walk either.
        self.parents: dict[str, TreeNode] = {}
        self._depth = 1
        for route in self.routes:
            self._add(route)
        for node in self._start.walk():
            node.finish()
            if node.clash is not None:
                raise DuplicateRoute(*node.clash)

    def match(self, method: str, path: str) -> Match:
        """Find the route for a method and a decoded path.

        HEAD falls to GET. As in Werkzeug, several slashes at the start of a path count as one.
        """
        methods = self.static.get(path)
        if methods is not None:
            found = methods.get(method)
            if found is not None:
                return found
        start, _, last = path.rpartition("/")
        parent = self.parents.get(start)
        if parent is not None and last not in parent.static:
            for match, branch, _ in parent.dynamic:
                values = match(last)
                if values is not None:
                    route = branch.methods.get(method)
                    if route is None:
                        break  # the search finds a wider route, or the methods of this path
                    return bound(route, values)
        # No pattern is deeper than `_depth`: the rest of the path stays one piece with slashes.
        segments = path.split("/", self._depth)
        # Backtracking is needed only if the first branches lead to no route.
        found = follow(self._start, segments, method)
        if found is not None:
            return found
        if path[:1] != "/":
            return NotFound()
        if path[:2] == "//":
            segments = ("/" + path.lstrip("/")).split("/", self._depth)
        seen: list[dict[str, Route]] = []
        reached = search(self._start, segments, method, seen)
        if reached is not None:
            return bound(*reached)
        if not seen:
            return NotFound()
        known = set[str]().union(*seen)
        if known == {"WS"}:
            return UpgradeRequired()
        allow = tuple(sorted({"OPTIONS"} | known - {"WS"}))
        return ImpliedOptions(allow) if method == "OPTIONS" else MethodNotAllowed(allow)

    def _add(self, route: Route) -> None:
        route.finish()
        # The empty text before the first slash of a path is a segment, too.
        node = self._start.static.setdefault("", TreeNode(1))
        for part in route.parsed.parts:
            node = node.child(part)
        for method in route.methods:
            if method in node.methods:
                raise DuplicateRoute(method, node.methods[method], route)
            node.methods[method] = route
        self._depth = max(self._depth, len(route.parsed.parts))
        if not route.names:
            static = self.static.setdefault(route.pattern, {})
            static.update((method, (route, {})) for method in route.methods)
            if "GET" in static:
                static.setdefault("HEAD", static["GET"])
        else:
            parent = parent_of_last(self._start, route.parsed.parts)
            if parent is not None:
                self.parents[parent[0]] = parent[1]
