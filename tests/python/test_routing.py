"""Route patterns, the table, and the decorator.

Covers routing as a user sees it: the handler of each path, and the message of each error.
Never compares with another implementation (`test_routing_oracle.py`) and needs no Rust.
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest

from snaxum import Path as PathMarker
from snaxum import Request, RouteError, _registry, route
from snaxum.routing import (
    DuplicateRoute,
    ImpliedOptions,
    MethodNotAllowed,
    NotFound,
    Route,
    RouteTable,
)

UUID = "12345678-1234-5678-1234-567812345678"


def handler(request: object) -> None:
    """Return nothing.

    At length.
    """


def other(request: object) -> None: ...


async def waiting(request: object) -> None: ...


async def streaming(request: object) -> Any:
    yield "chunk"


def table(*rules: str) -> RouteTable:
    """Make a table of rules such as "GET,POST /a"; without methods, of GET."""
    routes = []
    for rule in rules:
        methods, _, pattern = rule.rpartition(" ")
        routes.append(Route(pattern, methods.split(",") if methods else None, handler))
    return RouteTable(routes)


def result_of(rules: list[str], path: str, method: str = "GET") -> Any:
    """Return pattern and parameters of a found route, else the result of the table."""
    found = table(*rules).match(method, path)
    return (found[0].pattern, found[1]) if isinstance(found, tuple) else found


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/", "/", {}),
        ("/a/b", "/a/b", {}),
        ("/<name>", "/ada", {"name": "ada"}),
        ("/<string:name>", "/a b\n", {"name": "a b\n"}),
        ("/<int:n>", "/007", {"n": 7}),
        ("/<int:n>", "/٣", {"n": 3}),
        ("/<float:x>", "/1.50", {"x": 1.5}),
        ("/<uuid:u>", f"/{UUID.upper()}", {"u": uuid.UUID(UUID)}),
        ("/<path:p>", "/a/b/", {"p": "a/b/"}),
        ("/files/<path:p>/edit", "/files/a/b/edit", {"p": "a/b"}),
        ("/<path:p>/<int:n>", "/a/1/2", {"p": "a/1", "n": 2}),
        ("/a-<int:x>.<name>", "/a-5.txt", {"x": 5, "name": "txt"}),
        ("/<a>-<b>", "/x-y-z", {"a": "x-y", "b": "z"}),
        ("/<a>/<b>/", "/x/y/", {"a": "x", "b": "y"}),
        ("/a.b", "/a.b", {}),
        ("/{x}", "/{x}", {}),
    ],
)
def test_a_pattern_matches_and_converts(pattern: str, path: str, params: dict[str, Any]) -> None:
    assert result_of([pattern], path) == (pattern, params)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/a", "/a/"),
        ("/a/", "/a"),
        ("/a", "/A"),
        ("/a", ""),
        ("/a", "a"),
        ("/a", "*"),
        ("/<int:n>", "1"),
        ("/a/<int:n>", "a/1"),
        ("/a/<int:n>", "/a//1"),
        ("/a/<int:n>", "/a/b/1"),
        ("/a.b", "/axb"),
        ("/<name>", "/"),
        ("/<name>", "/a/b"),
        ("/<int:n>", "/-1"),
        ("/<int:n>", "/1.0"),
        ("/<int:n>", "/²"),
        ("/<int:n>", "/1\n"),
        ("/<float:x>", "/1"),
        ("/<float:x>", "/.5"),
        ("/<float:x>", "/1e5"),
        ("/<uuid:u>", f"/{UUID[:-1]}"),
        ("/<uuid:u>", f"/{UUID.replace('-', '')}"),
        ("/x/<path:p>", "/x/"),
        ("/x/<path:p>", "/x//a"),
        ("/<path:p>/edit", "/edit"),
        ("/<path:p>/", "/a//"),
    ],
)
def test_a_path_that_does_not_fit_is_not_found(pattern: str, path: str) -> None:
    assert result_of([pattern], path) == NotFound()


@pytest.mark.parametrize(
    ("narrow", "wide", "path"),
    [
        ("/a", "/<name>", "/a"),
        ("/<int:n>", "/<name>", "/1"),
        ("/<float:x>", "/<name>", "/1.5"),
        ("/<uuid:u>", "/<name>", f"/{UUID}"),
        ("/<name>", "/<path:p>", "/a"),
        ("/<name>/b", "/<path:p>", "/a/b"),
        ("/a<name>", "/<name>", "/ab"),
        ("/abc<name>", "/a<name>", "/abcd"),
        ("/<a>-<b>", "/a<b>", "/a-b"),
        ("/<path:p>/edit", "/<path:p>", "/a/edit"),
        ("/<path:p>/", "/<path:p>", "/a/"),
        ("/<path:p>/b", "/<name>/b", "/a/b"),
    ],
)
def test_the_narrower_pattern_wins_in_any_order(narrow: str, wide: str, path: str) -> None:
    assert result_of([narrow, wide], path)[0] == narrow
    assert result_of([wide, narrow], path)[0] == narrow


def test_the_lookup_backtracks_from_a_dead_end() -> None:
    rules = ["/a/<int:n>/x", "/<name>/1/y", "/<path:p>"]

    assert result_of(rules, "/a/1/x")[0] == "/a/<int:n>/x"
    assert result_of(rules, "/a/1/y")[0] == "/<name>/1/y"
    assert result_of(rules, "/a/1/z")[0] == "/<path:p>"


def test_a_wider_route_may_have_the_method_that_a_narrower_one_lacks() -> None:
    rules = ["POST /a", "GET /<name>"]

    assert result_of(rules, "/a") == ("/<name>", {"name": "a"})
    assert result_of(rules, "/a", "POST") == ("/a", {})


def test_a_parameter_at_the_end_takes_the_methods_that_a_text_there_lacks() -> None:
    rules = ["POST /a/new", "GET /a/<name>", "PUT /a/<int:n>", "GET /a/<int:x>-<int:y>"]

    assert result_of(rules, "/a/new", "POST") == ("/a/new", {})
    assert result_of(rules, "/a/new") == ("/a/<name>", {"name": "new"})
    assert result_of(rules, "/a/1", "PUT") == ("/a/<int:n>", {"n": 1})
    assert result_of(rules, "/a/1", "HEAD") == ("/a/<name>", {"name": "1"})
    assert result_of(rules, "/a/1-2") == ("/a/<int:x>-<int:y>", {"x": 1, "y": 2})
    assert result_of(rules, "/a/1-2", "PUT") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))
    assert result_of(rules, "/a/1", "OPTIONS") == ImpliedOptions(("GET", "HEAD", "OPTIONS", "PUT"))


def test_allow_lists_every_method_of_the_path_and_the_implied_ones() -> None:
    rules = ["POST /a", "GET /<name>", "PATCH /b"]

    assert result_of(rules, "/a", "PUT") == MethodNotAllowed(("GET", "HEAD", "OPTIONS", "POST"))
    assert result_of(rules, "/a", "OPTIONS") == ImpliedOptions(("GET", "HEAD", "OPTIONS", "POST"))
    assert result_of(["POST /a"], "/a", "HEAD") == MethodNotAllowed(("OPTIONS", "POST"))


def test_head_falls_to_get_unless_it_has_a_handler() -> None:
    get, head = Route("/a", ["GET"], handler), Route("/a", ["HEAD"], other)

    assert result_of(["/a"], "/a", "HEAD") == ("/a", {})
    assert RouteTable([get, head]).match("HEAD", "/a") == (head, {})
    assert RouteTable([head, get]).match("HEAD", "/a") == (head, {})


def test_an_explicit_options_handler_is_called() -> None:
    assert result_of(["GET,OPTIONS /a"], "/a", "OPTIONS") == ("/a", {})


def test_slashes_at_the_start_of_a_path_count_as_one() -> None:
    assert result_of(["/a/<b>"], "//a/b") == ("/a/<b>", {"b": "b"})
    assert result_of(["/a"], "///a") == ("/a", {})


def test_an_empty_table_finds_nothing() -> None:
    assert RouteTable([]).match("GET", "/") == NotFound()


def test_the_values_of_a_path_are_a_plain_dict() -> None:
    params = result_of(["/users/<int:user_id>/posts/<slug>"], "/users/7/posts/a")[1]
    assert type(params) is dict  # a subclass costs 5 % of a lookup
    assert params == {"user_id": 7, "slug": "a"}
    assert type(result_of(["/plain"], "/plain")[1]) is dict


def test_routes_of_one_shape_may_name_their_parameters_differently() -> None:
    rules = ["GET /<int:a>/<b>", "POST /<int:c>/<string:d>"]

    assert result_of(rules, "/1/x") == ("/<int:a>/<b>", {"a": 1, "b": "x"})
    assert result_of(rules, "/1/x", "POST") == ("/<int:c>/<string:d>", {"c": 1, "d": "x"})


def test_two_handlers_on_one_route_are_named_with_file_and_line() -> None:
    first = Route("/users/<int:a>", ["GET", "PUT"], handler)
    second = Route("/users/<int:b>", ["PUT"], other)

    with pytest.raises(DuplicateRoute) as caught:
        RouteTable([first, second])

    message = str(caught.value)
    assert "PUT /users/<int:b>" in message
    assert f"{__file__}:{first.line}" in message
    assert f"{__file__}:{second.line}" in message
    assert (caught.value.first, caught.value.second) == (first, second)
    assert isinstance(caught.value, RouteError)


def test_the_same_text_with_another_converter_is_another_route() -> None:
    table("/<int:a>", "/<a>", "/<path:a>", "/<uuid:a>")


@pytest.mark.parametrize(
    "path",
    [
        "/" + "1" * 100_000,
        "/" + "1" * 100_000 + ".5",
        "/" + "a/" * 100_000,
        "/" + "/" * 100_000,
        "/x" * 30_000,
        "/" + "-" * 60_000,
    ],
    ids=["digits", "float", "segments", "slashes", "repeats", "hyphens"],
)
def test_an_absurd_path_is_looked_up_at_once(path: str) -> None:
    rules = [
        "/<int:n>",
        "/a/<int:n>",
        "/<path:a>/x/<path:b>/x/<path:c>/y",
        "/<a>-<b>-<c>-<d>z",
        "/<name>/<int:a>-<int:b>",
    ]

    assert result_of(rules, path) == NotFound()


def test_an_integer_too_long_for_python_falls_to_a_wider_route() -> None:
    digits = "1" * 100_000

    assert result_of(["/<int:n>", "/<name>"], f"/{digits}") == ("/<name>", {"name": digits})


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a", "write `/a`"),
        ("", "starts with a slash"),
        ("//a", "write `/a`"),
        ("/<itn:a>", "unknown converter `itn`; did you mean `int`? there are float, int, path"),
        ("/<:a>", "unknown converter ``"),
        ("/<int(min=1):a>", "check the value in the handler"),
        ("/<a>/<int:a>", "parameter `a` occurs twice"),
        ("/<1a>", "`1a` is not a parameter name"),
        ("/<int: a>", "` a` is not a parameter name"),
        ("/<>", "`` is not a parameter name"),
        ("/<a", "unbalanced `<` at character 2"),
        ("/a>", "unbalanced `>` at character 3"),
        ("/<<a>>", "unbalanced `<` at character 2"),
        (7, "a pattern is a str"),
    ],
)
def test_a_bad_pattern_is_refused_with_the_place_and_the_way_out(pattern: Any, words: str) -> None:
    with pytest.raises(RouteError, match=re.escape(words)) as caught:
        Route(pattern, None, handler)

    assert f"{__file__}:{handler.__code__.co_firstlineno}" in str(caught.value)


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ("POST", "write `methods=['POST']`"),
        ([], "methods is empty"),
        (["GET ME"], "'GET ME' is not an HTTP method"),
        ([b"GET"], "b'GET' is not an HTTP method"),
        (["GET\n"], "is not an HTTP method"),
        (5, "methods is a int"),
    ],
)
def test_bad_methods_are_refused(methods: Any, words: str) -> None:
    with pytest.raises(RouteError, match=re.escape(words)):
        Route("/", methods, handler)


def test_methods_are_sorted_upper_case_and_unique() -> None:
    assert Route("/", {"post", "GET", "Post"}, handler).methods == ("GET", "POST")
    assert Route("/", None, handler).methods == ("GET",)


def test_a_handler_must_be_callable() -> None:
    with pytest.raises(RouteError, match="has a str for a handler; put `@route` on a function"):
        Route("/", None, "handler")  # type: ignore[arg-type]


def test_an_async_handler_has_the_pool_and_an_async_generator_has_none() -> None:
    route = Route("/", None, waiting, use_process_pool=True)
    assert (route.mode, route.is_async, route.use_process_pool) == ("process pool", True, True)
    for options in ({"use_process_pool": True}, {"use_process_pool": True, "warm_up": print}):
        with pytest.raises(RouteError, match=r"from an `async def`, or drop `use_process_pool`"):
            Route("/", None, streaming, **options)  # type: ignore[arg-type]
    with pytest.raises(RouteError, match=r"make it a `def`, or drop `use_process_pool`"):
        Route("/", None, waiting, use_process_pool=True, warm_up=print)


def test_the_decorator_returns_the_function_and_registers_each_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registered: list[Route] = []
    sink = SimpleNamespace(add_route=registered.append)
    monkeypatch.setattr(_registry, "sink", sink)

    @route("/one")
    @route("/two", methods=["POST"], use_process_pool=True)
    def endpoint(request: object, pool: object = None) -> str:
        return "called"

    assert endpoint(None) == "called"
    assert [(r.pattern, r.methods, r.use_process_pool) for r in registered] == [
        ("/two", ("POST",), True),
        ("/one", ("GET",), False),
    ]
    assert all(r.handler is endpoint for r in registered)


def test_the_decorator_without_a_path_shows_its_form() -> None:
    with pytest.raises(RouteError, match=re.escape("write `@route('/path')`")):
        route(handler)  # type: ignore[arg-type]


def test_a_mode_names_the_place_where_the_handler_runs() -> None:
    class Calling:
        async def __call__(self, request: object) -> None: ...

    assert Route("/", None, handler).mode == "in-thread"
    assert Route("/", None, handler, use_process_pool=True).mode == "process pool"
    assert Route("/", None, waiting).mode == "async"
    assert Route("/", None, Calling()).mode == "async"
    assert Route("/", None, functools.partial(waiting)).is_async
    # Calling an async generator function needs no await: what it gives is streamed.
    assert Route("/", None, streaming).mode == "in-thread"


def test_a_route_describes_the_function_under_its_decorators() -> None:
    @functools.wraps(handler)
    def wrapper(*args: object) -> None: ...

    described = Route("/", None, functools.partial(wrapper))

    assert described.handler_name == f"{__name__}.handler"
    assert described.file == __file__
    assert described.line == handler.__code__.co_firstlineno
    assert described.end_line == described.line  # a docstring is not code
    assert described.doc == "Return nothing.\n\nAt length."


def test_end_line_reaches_into_nested_functions() -> None:
    def outer(request: object) -> Any:
        def inner() -> int:
            return 1

        return [inner() for _ in range(2)]

    described = Route("/", None, outer)

    assert described.end_line - described.line == 4


def test_a_handler_without_source_has_no_file_and_line_zero() -> None:
    described = Route("/", None, dict)

    assert (described.file, described.line, described.end_line) == ("", 0, 0)
    assert described.handler_name == "builtins.dict"


def test_a_route_becomes_a_row_for_the_console_and_the_command_line() -> None:
    row = Route("/users/<int:id>/{x}/<path:rest>", ["PUT", "GET"], handler)
    folder = Path(__file__).parent

    described = row.to_dict(str(folder))

    assert json.loads(json.dumps(described)) == described
    assert described == {
        "v": 1,
        "id": row.id,
        "methods": ["GET", "PUT"],
        "path": "/users/<int:id>/{x}/<path:rest>",
        "pattern": "/users/{id}/{{x}}/{*rest}",
        "params": [{"name": "id", "type": "int"}, {"name": "rest", "type": "path"}],
        "handler": f"{__name__}.handler",
        "module": __name__,
        "file": "test_routing.py",
        "line": handler.__code__.co_firstlineno,
        "end_line": handler.__code__.co_firstlineno,
        "doc": "Return nothing.\n\nAt length.",
        "pool": False,
        "async": False,
        "mode": "in-thread",
        "via": [],
        "no_capture": False,
        "warnings": ["`{x}` is plain text here; a parameter is `<x>`"],
    }
    assert row.to_dict(str(folder.parent))["file"] == "python/test_routing.py"
    assert row.to_dict(str(folder / "below"))["file"] == __file__


def test_an_id_is_stable_and_depends_on_methods_and_pattern_only() -> None:
    assert Route("/a", ["GET", "PUT"], handler).id == Route("/a", ["PUT", "GET"], other).id
    assert Route("/a", ["GET"], handler).id != Route("/a", ["PUT"], handler).id
    assert re.fullmatch(r"r_[0-9a-f]{8}", Route("/a", None, handler).id)


def test_a_question_mark_in_a_pattern_is_a_warning() -> None:
    assert "request.query_params" in Route("/search?q=<q>", None, handler).warnings[0]


def test_braces_with_the_name_of_a_parameter_are_an_error_with_the_pattern_to_write() -> None:
    def plain(item_id): ...  # type: ignore[no-untyped-def]
    def number(item_id: int, q: str = "") -> None: ...
    def marked(item_id: Annotated[uuid.UUID, PathMarker()]) -> None: ...
    def rest(request: Request, item_id: str) -> None: ...

    for function, pattern, written in [
        (plain, "/items/{item_id}", "<item_id>"),
        (number, "/items/{item_id}", "<int:item_id>"),
        (marked, "/items/{item_id}", "<uuid:item_id>"),
        (rest, "/items/{item_id:path}", "<path:item_id>"),
        (rest, "/items/{*item_id}", "<path:item_id>"),
    ]:
        with pytest.raises(RouteError) as raised:
            Route(pattern, None, function)
        assert f"; write `{written}`" in str(raised.value)
        assert f"route `{pattern}` at {__file__}:" in str(raised.value)
    assert Route("/items/<item_id>", None, plain).warnings == []
    assert Route("/{other}/<item_id>", None, plain).warnings == [
        "`{other}` is plain text here; a parameter is `<other>`"
    ]


def test_a_first_parameter_that_gets_the_request_in_place_of_a_value_is_a_warning() -> None:
    def profile(user): ...  # type: ignore[no-untyped-def]
    def read(anything):  # type: ignore[no-untyped-def]
        return anything.path_params["username"]

    def short(req): ...  # type: ignore[no-untyped-def]
    def unused(_): ...  # type: ignore[no-untyped-def]
    def typed(user: Request) -> None: ...
    def both(user, username): ...  # type: ignore[no-untyped-def]

    (warning,) = Route("/user/<username>", None, profile).warnings
    assert warning == (
        "`user` gets the request, and no parameter the value of `<username>`; "
        "rename it to `username`, or to `request`"
    )
    for function in (read, short, unused, typed, both, handler):
        assert Route("/user/<username>", None, function).warnings == [], function
    assert Route("/users", None, profile).warnings == []
