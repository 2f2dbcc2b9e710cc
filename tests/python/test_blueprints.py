"""Blueprints, hooks, error handlers and middleware: what they declare, and in which order they run.

Covers chains of `def` parts, and all errors at load. Parts that are `async def` need the loop of a
server: `tests/it/api/blueprints.rs` covers those.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest

import snaxum
from snaxum import Blueprint, HTTPError, Request, Response, RouteError, _registry, url_for
from snaxum._core.hooks import RequestHook, Scope
from snaxum._reload.broken_routes import refusals
from snaxum._reload.model import Node
from snaxum._reload.route_plans import RoutePlans
from snaxum._reload.source_cache import SourceCache
from snaxum._runtime import chains
from snaxum._runtime.chains import HookedRoute, Unanswered
from snaxum.headers import MissingField
from snaxum.routing import Route


class Module:
    """Receives declarations like the node of a module that is being loaded."""

    def __init__(self) -> None:
        self.node = Node("app", None)
        self.planned: list[Route] = []
        self.mounts: list[SimpleNamespace] = []

    def add_route(self, route: Route) -> None:
        self.node.routes.append(route)

    def add_request_hook(self, hook: RequestHook) -> None:
        self.node.request_hooks.append(hook)

    def add_scope(self, scope: Scope) -> None:
        self.node.scopes.append(scope)

    def routes(self) -> list[Route]:
        return self.planned

    def static_mounts(self) -> list[SimpleNamespace]:
        return self.mounts

    def plan(self) -> RoutePlans:
        plans = RoutePlans([self.node])
        self.planned = [route for _, route in plans.routes([self.node], self.planned)]
        return plans

    def get(self, path: str = "/", query: str = "") -> Response:
        """Respond to a request for the route with exactly this pattern."""
        self.plan()
        route = next(route for route in self.planned if route.pattern == path)
        response = route.call(Request.build(path=path, query=query))
        return response if isinstance(response, Response) else Response(response)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Module:
    module = Module()
    monkeypatch.setattr(_registry, "sink", module)
    return module


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


class Base(Exception): ...


class Derived(Base): ...


def fail_with(error: Exception) -> Callable[..., Any]:
    def fail(request: Request) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "globally", "in_blueprint", "winner", "status"),
    [
        (HTTPError(404), [404], [], "all 404", 404),
        (HTTPError(404), [404, HTTPError, Exception], [], "all 404", 404),
        (HTTPError(404), [HTTPError, Exception], [], "all HTTPError", 404),
        (HTTPError(404), [404], [404], "shop 404", 404),
        # As in Flask, a status comes before a class, also of the blueprint.
        (HTTPError(404), [404], [HTTPError], "all 404", 404),
        (Derived(), [Base, Derived, 500], [], "all Derived", 500),
        (Derived(), [Base, 500], [], "all Base", 500),
        # As in Flask, the blueprint comes before the class.
        (Derived(), [Derived], [Exception], "shop Exception", 500),
        (Derived(), [500], [], "all 500", 500),
        (Derived(), [500], [500], "shop 500", 500),
        (HTTPError(500), [500, Exception], [], "all 500", 500),
        (MissingField("q"), [400, KeyError], [], "all 400", 400),
        (MissingField("q"), [KeyError], [], "all KeyError", 400),
    ],
)
def test_the_most_specific_error_handler_responds(
    module: Module,
    error: Exception,
    globally: list[Any],
    in_blueprint: list[Any],
    winner: str,
    status: int,
) -> None:
    shop = Blueprint("shop")
    given: list[Exception] = []

    def responds(text: str) -> Callable[..., Any]:
        def respond(request: Request, error: Exception) -> str:
            given.append(error)
            return text

        return respond

    for level, name, kinds in ((snaxum, "all", globally), (shop, "shop", in_blueprint)):
        for kind in kinds:
            text = f"{name} {kind if isinstance(kind, int) else kind.__name__}"
            level.errorhandler(kind)(responds(text))
    shop.get("/")(fail_with(error))

    response = module.get("/")

    assert (response.body, response.status) == (winner, status)
    assert given == [error]


def test_the_result_of_an_error_handler_may_have_a_status_of_its_own(module: Module) -> None:
    snaxum.errorhandler(ValueError)(lambda request, error: (str(error), 400))
    snaxum.errorhandler(KeyError)(lambda request, error: Response("r", 418))
    snaxum.get("/value")(fail_with(ValueError("why")))
    snaxum.get("/key")(fail_with(KeyError("k")))

    assert (module.get("/value").body, module.get("/value").status) == ("why", 400)
    assert module.get("/key").status == 418


def test_errors_of_hooks_and_of_error_handlers_are_handled_too(module: Module) -> None:
    @snaxum.before_request
    def before(request: Request) -> None:
        if request.query_params.get("at") == "before":
            raise ValueError("before")

    @snaxum.after_request
    def after(request: Request, response: Response) -> None:
        if request.query_params.get("at") == "after":
            raise ValueError("after")

    @snaxum.middleware
    def around(request: Request, call_next: Callable[[Request], Response]) -> Any:
        if request.query_params.get("at") == "middleware":
            raise ValueError("middleware")
        if request.query_params.get("at") == "nothing":
            return None
        return call_next(request)

    @snaxum.errorhandler(ValueError)
    def value(request: Request, error: ValueError) -> str:
        if request.query_params.get("again"):
            raise error
        return f"value {error}"

    @snaxum.errorhandler(500)
    def internal(request: Request, error: Exception) -> str:
        return f"internal {error}"

    snaxum.get("/")(hello)
    snaxum.get("/bad")(lambda request: {"a": object()})
    snaxum.get("/file")(lambda request: Path("/no/such/file"))
    snaxum.errorhandler(404)(lambda request, error: error.detail)

    for place in ("before", "after", "middleware"):
        assert module.get("/", f"at={place}").body == f"value {place}"
    assert module.get("/", "at=before&again=1").body == "internal before"
    assert "returned None; return the response of" in str(module.get("/", "at=nothing").body)
    # The body is encoded, and the file found, after the last hook.
    assert module.get("/file").body == "the file `file` does not exist"
    assert str(module.get("/bad").body).startswith("internal cannot encode `object` at `$.a`")


def test_an_error_without_a_handler_reaches_the_hooks_as_a_response_without_body(
    module: Module,
) -> None:
    @snaxum.after_request
    def after(request: Request, response: Response) -> None:
        response.headers["x-seen"] = f"{response.status} {response.body}"

    snaxum.get("/gone")(fail_with(HTTPError(410, "gone", {"x-own": "1"})))
    snaxum.get("/bug")(fail_with(ValueError("bug")))

    for path, status, own in (("/gone", 410, "1"), ("/bug", 500, "")):
        with pytest.raises(Unanswered) as raised:
            module.get(path)
        response = raised.value.response
        assert (response.status, response.headers.get("x-own", "")) == (status, own)
        assert response.headers["x-seen"] == f"{status} None"


@pytest.mark.parametrize("has_error_handlers", [False, True])
def test_a_body_that_a_hook_gives_to_a_failure_has_its_type_and_the_traceback_stays(
    module: Module, monkeypatch: pytest.MonkeyPatch, has_error_handlers: bool
) -> None:
    reported: list[Exception] = []
    monkeypatch.setattr(
        chains._Passage, "_report", lambda _, request, error: reported.append(error)
    )

    @snaxum.after_request
    def after(request: Request, response: Response) -> None:
        response.body = {"status": response.status} if request.path == "/bug" else "<p>gone</p>"

    if has_error_handlers:
        snaxum.errorhandler(KeyError)(lambda request, error: "")
    error = ValueError("bug")
    snaxum.get("/gone")(fail_with(HTTPError(410)))
    snaxum.get("/bug")(fail_with(error))

    html = [("content-type", "text/html; charset=utf-8")]
    assert module.get("/gone").parts() == (410, html, b"<p>gone</p>")
    assert reported == []
    json = [("content-type", "application/json")]
    assert module.get("/bug").parts() == (500, json, b'{"status":500}')
    assert reported == [error]


def test_a_middleware_sees_an_exception_and_every_other_failure_as_a_response(
    module: Module,
) -> None:
    seen: list[Any] = []

    @snaxum.middleware
    def around(request: Request, call_next: Callable[[Request], Response]) -> Response:
        try:
            response = call_next(request)
        except KeyError as error:
            return Response(f"caught {error}", 409)
        except ValueError as error:
            seen.append(error)
            raise
        seen.append(response.status)
        return response

    @snaxum.after_request
    def after(request: Request, response: Response) -> None:
        response.headers["x-after"] = "1"

    error = ValueError("bug")
    snaxum.get("/gone")(fail_with(HTTPError(410)))
    snaxum.get("/key")(fail_with(KeyError("k")))
    snaxum.get("/bug")(fail_with(error))

    assert module.get("/key").status == 409
    for path in ("/gone", "/bug"):
        with pytest.raises(Unanswered) as raised:
            module.get(path)
        assert raised.value.response.headers["x-after"] == "1"
    assert seen == [410, error]


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


@pytest.fixture
def shop(module: Module) -> Blueprint:
    shop = Blueprint("shop", prefix="/shop")

    @snaxum.get("/")
    def index() -> None: ...

    @shop.get("/items/<int:n>")
    @shop.get("/items/<int:n>/<name>.html")
    def item(n: int, name: str = "") -> None: ...

    @shop.get("/files/<path:rest>/<float:x>/é <uuid:u>")
    def file(rest: str, x: float, u: uuid.UUID) -> None: ...

    module.plan()
    return shop


UUID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("name", "params", "path"),
    [
        ("index", {}, "/"),
        ("index", {"q": "a b&c", "n": [1, 2], "none": None}, "/?q=a+b%26c&n=1&n=2"),
        ("index", {"next": "/a?b"}, "/?next=/a?b"),
        ("shop.item", {"n": 3}, "/shop/items/3"),
        ("shop.item", {"n": 3, "page": 2}, "/shop/items/3?page=2"),
        ("shop.item", {"n": 3, "name": "a?#%é b"}, "/shop/items/3/a%3F%23%25%C3%A9%20b.html"),
        (
            "shop.file",
            {"rest": "a/b c", "x": 2, "u": UUID},
            f"/shop/files/a/b%20c/2.0/%C3%A9%20{UUID}",
        ),
    ],
)
def test_url_for_writes_the_path(
    shop: Blueprint, name: str, params: dict[str, Any], path: str
) -> None:
    assert url_for(name, **params) == path


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("item", {"n": 3}, r"no function of a route has this name; did you mean 'shop.item'\?"),
        ("shop.itme", {}, r"did you mean 'shop.item'"),
        ("zzz", {}, r"there are 'index', 'shop.file', 'shop.item'"),
        ("shop.item", {}, r"needs a value for `n`; write `url_for\('shop.item', n=...\)`"),
        ("shop.item", {"n": "x"}, r"'x' is not a value of `<int:n>` in `/shop/items/<int:n>`"),
        ("shop.item", {"n": -1}, r"-1 is not a value of `<int:n>`"),
        ("shop.item", {"n": 1, "name": "a/b"}, r"'a/b' is not a value of `<string:name>`"),
        ("shop.item", {"n": True}, r"True is not a value of"),
        ("shop.item", {"n": 1, "_external": True}, r"has no `_external`; it returns a path, so "),
        ("index", {"_anchor": "top"}, r"has no `_anchor`; add `#` and the anchor to its result"),
    ],
)
def test_url_for_refuses_what_no_route_would_match(
    shop: Blueprint, name: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(RouteError, match=message):
        url_for(name, **params)


def test_url_for_a_name_of_two_functions_asks_for_the_module(module: Module) -> None:
    def index() -> None: ...

    snaxum.get("/one")(index)
    other = FunctionType(index.__code__, {"__name__": "admin"}, "index")
    other.__module__, other.__qualname__ = "admin", "index"
    snaxum.get("/two")(other)
    module.plan()

    with pytest.raises(RouteError, match=r"2 functions have this name; use one of 'admin.index'"):
        url_for("index")
    assert url_for("admin.index") == "/two"


def test_url_for_static_is_the_path_of_a_file(module: Module, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        mount = SimpleNamespace(prefix=f"/{name}", path=f"/{name}", directory=tmp_path / name)
        module.mounts.append(mount)
    (tmp_path / "two" / "app é.css").touch()

    assert url_for("static", filename="app é.css", v=2) == "/two/app%20%C3%A9.css?v=2"
    with pytest.raises(RouteError, match="no directory of `static` has this file: /one, /two"):
        url_for("static", filename="missing.css")
    with pytest.raises(RouteError, match="name the file"):
        url_for("static")
    del module.mounts[0]
    assert url_for("static", filename="later.css") == "/two/later.css"


def test_url_for_without_routes_names_the_place_to_call_it() -> None:
    with pytest.raises(RouteError, match="there are no routes yet; call it in a handler"):
        url_for("index")


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
        with pytest.raises(Unanswered) as caught:
            route.call(Request.build())
        assert caught.value.response.status == 503
    else:
        assert route.call(Request.build()) == "secret"
