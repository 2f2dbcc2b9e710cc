"""Blueprints, hooks, error handlers and middleware: what they declare, and in which order they run.

Covers chains of `def` parts, and all errors at load. Parts that are `async def` need the loop of a
server: `tests/it/api/blueprints.rs` covers those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hooked_module import Module

import snaxum
from snaxum import Blueprint, Request, Response, RouteError
from snaxum._core.hooks import RequestHook
from snaxum._reload.broken_routes import refusals
from snaxum._reload.model import Node
from snaxum._reload.route_plans import RoutePlans
from snaxum._reload.source_cache import SourceCache
from snaxum._runtime.hook_chain import HandlerFailed, HookedRoute
from snaxum.routing import Route


def hello(request: Request) -> str:
    return "hello"


def test_hooks_run_in_the_order_of_flask(module: Module) -> None:
    trail: list[str] = []
    shop = Blueprint("shop", prefix="/shop")

    def note(text: str) -> Callable[..., Any]:
        return lambda *args: trail.append(text)

    def around(text: str) -> Callable[..., Any]:
        def middleware(request: Request, call_next: Callable[[Request], Response]) -> Response:
            trail.append(f"{text} in")
            response = call_next(request)
            trail.append(f"{text} out")
            return response

        return middleware

    # The blueprint's come first here, and still run inside the others.
    for level, name in ((shop, "shop"), (snaxum, "all")):
        for number in "12":
            level.before_request(note(f"before {name} {number}"))
            level.after_request(note(f"after {name} {number}"))
            level.middleware(around(f"{name} {number}"))

    @shop.get("/")
    def handler() -> str:
        trail.append("handler")
        return "done"

    assert module.get("/shop/").body == "done"

    inner = [
        "before all 1",
        "before all 2",
        "before shop 1",
        "before shop 2",
        "handler",
        "after shop 2",
        "after shop 1",
        "after all 2",
        "after all 1",
    ]
    names = ["all 1", "all 2", "shop 1", "shop 2"]
    entered, left = [f"{n} in" for n in names], [f"{n} out" for n in reversed(names)]
    assert trail == entered + inner + left


def test_a_hook_before_may_respond_and_the_hooks_after_still_run(module: Module) -> None:
    calls: list[str] = []

    @snaxum.before_request
    def without_parameters() -> None:
        calls.append("first")

    @snaxum.before_request
    def refuse(request: Request) -> Any:
        return ("stop", 401) if request.query_params.get("stop") else None

    @snaxum.before_request
    def last() -> None:
        calls.append("last")

    @snaxum.after_request
    def mark(request: Request, response: Response) -> Response:
        response.headers["x-status"] = str(response.status)
        return response

    snaxum.get("/")(hello)

    stopped = module.get("/", "stop=1")
    assert (stopped.body, stopped.status, stopped.headers["x-status"]) == ("stop", 401, "401")
    assert calls == ["first"]
    assert module.get("/").headers["x-status"] == "200"
    assert calls == ["first", "first", "last"]


def test_a_hook_after_may_replace_the_response_and_change_a_stream(module: Module) -> None:
    @snaxum.after_request
    def replace(request: Request, response: Response) -> Any:
        response.headers["x-seen"] = type(response.body).__name__
        return ("other", 202) if request.path == "/text" else None

    @snaxum.get("/text")
    def text() -> str:
        return "text"

    @snaxum.get("/stream")
    def stream() -> Iterator[str]:
        yield "chunk"

    assert (module.get("/text").body, module.get("/text").status) == ("other", 202)
    assert module.get("/stream").headers["x-seen"] == "generator"


def test_a_route_without_hooks_is_the_declared_one_and_others_are_made_once(module: Module) -> None:
    shop = Blueprint("shop")
    shop.before_request(lambda request: None)
    snaxum.get("/plain")(hello)
    shop.get("/hooked")(hello)
    module.plan()
    plain, hooked = module.planned

    assert plain is module.node.routes[0]
    assert (plain.via, plain.call) == ([], hello)
    assert isinstance(hooked, HookedRoute)
    assert hooked.origin is module.node.routes[1]
    assert hooked.to_dict("/")["via"] == hooked.via != []

    module.plan()
    assert module.planned[1] is hooked
    shop.after_request(lambda request, response: None)
    module.plan()
    assert module.planned[1] is not hooked
    assert [each.split()[0] for each in module.planned[1].via] == [
        "before_request",
        "after_request",
    ]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_the_decorators_of_the_methods(module: Module, method: str) -> None:
    shop = Blueprint("shop", prefix="/shop/")
    getattr(snaxum, method)("/all")(hello)
    getattr(shop, method)("/<int:n>", tags=["a", "b"], summary="Short", status=201)(hello)

    first, second = module.node.routes
    assert (first.methods, first.pattern, first.tags) == ((method.upper(),), "/all", ())
    assert (second.methods, second.pattern) == ((method.upper(),), "/shop/<int:n>")
    assert (second.tags, second.summary, second.status) == (("a", "b"), "Short", 201)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("text", 201),
        (None, 201),
        ({"a": 1}, 201),
        (("text", {"a": "b"}), 201),
        (("text", 202), 202),
        (Response("x"), 200),
        ((Response("x"), {"a": "b"}), 200),
    ],
)
def test_the_status_of_a_route_is_that_of_a_result_without_one(result: Any, status: int) -> None:
    route = Route("/", None, lambda request: result, status=201)

    assert snaxum.http.to_response(route.call(Request.build())).status == status


def scope(prefix: str) -> Callable[..., Any]:
    return Blueprint("shop", prefix=prefix).get("/")


HERE = re.escape(__file__) + r":\d+"


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (
            lambda: snaxum.before_request(lambda a, b: None),
            rf"`@before_request` at {HERE}: `<lambda>` cannot take \(request\)",
        ),
        (
            lambda: snaxum.after_request(lambda response: None),
            rf"{HERE}: `<lambda>` cannot take \(request, response\); write it as `def",
        ),
        (lambda: snaxum.errorhandler(404)(lambda error: None), r"cannot take \(request, error\)"),
        (lambda: snaxum.middleware(lambda: None), r"cannot take \(request, call_next\)"),
        (lambda: snaxum.middleware(3), r"`@middleware` got a int; put it on a function"),  # type: ignore[type-var]
        (lambda: snaxum.errorhandler(200)(hello), r"200 is not the status of an error; use 400"),
        (lambda: snaxum.errorhandler(4040)(hello), r"4040 is not the status of an error"),
        (lambda: snaxum.errorhandler("404"), r"'404'; pass statuses such as 404"),  # type: ignore[arg-type]
        (lambda: snaxum.errorhandler(int), r"pass statuses such as 404, or classes of exc"),  # type: ignore[arg-type]
        (lambda: snaxum.errorhandler((404, 405)), r"write each as an argument of its own"),  # type: ignore[arg-type]
        (lambda: snaxum.errorhandler(404, 404), r"names an error twice"),
        (lambda: snaxum.errorhandler(), r"names no error; write `@errorhandler\(404\)`"),
        (lambda: snaxum.errorhandler(hello), rf"{HERE} names no error"),  # type: ignore[arg-type]
        (lambda: snaxum.get(hello), r"has no path; write `@route\('/path'\)`"),  # type: ignore[arg-type]
        (lambda: snaxum.get("/", status=99), rf"route `/` at {HERE}: status 99 is out of range"),
        (lambda: snaxum.get("/", tags="a"), r"tags is a str; write `tags=\['a'\]`"),
        (lambda: snaxum.get("/", tags=[1]), r"the tag 1 is not a str"),  # type: ignore[list-item]
        (lambda: snaxum.get("/", summary=1), r"the summary 1 is not a str"),  # type: ignore[arg-type]
        (lambda: scope("shop"), rf"{HERE}: the prefix 'shop' does not start with a slash"),
        (lambda: Blueprint("shop", __name__), r"write `Blueprint\('shop', prefix='/shop'\)`"),
        (lambda: Blueprint("a.b"), r"a name is a str without dots"),
        (lambda: Blueprint(""), r"a name is a str without dots"),
        (lambda: Blueprint("a", prefix="/a").get("b"), rf"{HERE}: a pattern starts with a slash"),
        (lambda: Blueprint("a", prefix="/<inte:x>").get("/"), r"unknown converter `inte`"),
    ],
)
def test_wrong_use_is_an_error_at_load_with_the_place_and_the_way_out(
    declaration: Callable[[], Any], message: str
) -> None:
    def declare() -> None:
        declaration()(hello)

    with pytest.raises(RouteError, match=message):
        declare()


def test_a_hook_that_yields_is_refused() -> None:
    def opens(request: Request) -> Iterator[None]:
        yield

    with pytest.raises(RouteError, match="the function has a `yield`; return the response"):
        snaxum.before_request(opens)


def test_two_declarations_of_one_thing_are_refused_with_both_places(module: Module) -> None:
    shop, again = Blueprint("shop"), Blueprint("shop")
    for level in (snaxum, shop, again):
        level.errorhandler(404)(lambda request, error: None)
    assert list(module.plan().conflicts) == ["app"]
    message = str(module.plan().conflicts["app"])
    assert re.search(rf"two blueprints have the name 'shop': at {HERE} and at {HERE}", message)

    module.node.scopes.clear()
    assert module.plan().conflicts == {}
    snaxum.errorhandler(ValueError, 404)(lambda request, error: None)
    message = str(module.plan().conflicts["app"])
    assert re.search(rf"two error handlers of all routes for 404: .*{HERE} and .*{HERE}", message)


def test_hooks_of_an_imported_module_come_before_the_hooks_of_its_importer() -> None:
    app, auth, last = Node("app", None), Node("auth", None), Node("last", None)
    app.imports = {"auth", "json"}
    auth.imports = {"app"}
    for node in (app, auth, last):
        hook = RequestHook("before_request", hello, None, (), hello, is_async=False)
        node.request_hooks.append(hook)

    before = RoutePlans([app, auth, last]).of_no_route().before

    nodes = (auth, app, last)
    assert [id(hook) for hook in before] == [id(node.request_hooks[0]) for node in nodes]


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("@before_request\ndef check(request): ...\nraise ValueError", True),
        ("def add():\n    @shop.before_request  # all\r\n    def check(): ...\nif (", True),
        ("@snaxum.middleware\nasync def around(request, call_next): ...", True),
        ("before_request(check)", True),
        ("check = before_request(check)", True),
        ("before_request(\n    check\n)", True),
        ("if SECURE: before_request(check)", True),
        ("for function in checks: app.before_request(function)", True),
        ("from snaxum import before_request as guard\n@guard\ndef check(): ...", True),
        ("from snaxum import *\nlist(map(before_request, checks))", True),
        ("getattr(snaxum, 'before_request')(check)", True),
        ("declare = snaxum.middleware\ndeclare(around)", True),
        ("middleware(name)(around)", True),
        # Without a syntax tree any word counts.
        ("# no middleware yet\nif (", True),
        ("# no middleware\n\x00", True),
        ("before_request(check)" + "\n" + "(" * 1000 + ")" * 1000, True),
        ("@after_request\ndef mark(request, response): ...", False),
        ("@after_request\ndef mark(request, response): ...\nif (", False),
        (
            "# the middleware (see before_request) is elsewhere\nfrom snaxum import middleware",
            False,
        ),
        ('"""Without middleware."""\nfrom .middleware import x\nimport a.middleware', False),
        ('@app.middleware("http")\nasync def of_fastapi(request, call_next): ...', False),
        ("app.middleware('http')(around)", False),
    ],
)
def test_no_request_passes_the_hooks_of_a_module_that_did_not_load(
    tmp_path: Path, text: str, refuses: bool
) -> None:
    file = tmp_path / "auth.py"
    file.write_bytes(text.encode())

    node = Node("app", None)
    node.routes.append(Route("/", ["GET"], lambda: "secret"))
    plans = RoutePlans([node], refusals({"auth": str(file)}, SourceCache()))
    ((_, route),) = plans.routes([node], [])

    if refuses:
        assert (route.via, route.is_async) == (["before_request auth.did_not_load"], False)
        with pytest.raises(HandlerFailed) as caught:
            route.call(Request.build())
        assert caught.value.response.status == 503
    else:
        assert route.call(Request.build()) == "secret"
