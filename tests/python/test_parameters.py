"""The arguments of a handler: filled by name, or refused when the route is made.

Owns the plan of a call for each form of a handler. Never sends a request: `Route.call` gets one
that was built here.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

import snaxum
from snaxum import Cookie, Form, Header, Path, Query, Request, RouteError
from snaxum import Request as Req
from snaxum._core import parameters
from snaxum.routing import Route, RouteTable

POOL: Any = object()


@dataclass
class Point:
    x: int
    y: int = 0


@dataclass
class Box:
    thread: threading.Thread


def call(handler: Callable[..., Any], pattern: str = "/<int:id>/<name>") -> Any:
    route = Route(pattern, None, handler)
    return route.call(Request.build(path_params={name: name.upper() for name in route.names}))


def plainly(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, **kwargs)

    return wrapper


def with_user(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapper(request: Request) -> Any:
        return handler(request, "ada")

    return wrapper


def injecting(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return handler(*args, user="ada", **kwargs)

    return wrapper


def with_request(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def wrapper(req: Request, **kwargs: Any) -> Any:
        return handler(req, **kwargs)

    return wrapper


class Greeter:
    def __call__(self, name: str) -> Any:
        return name

    def method(self, req, id):  # type: ignore[no-untyped-def]
        return req, id


def by_name(id, name):  # type: ignore[no-untyped-def]
    return id, name


def with_extra(extra, id, name):  # type: ignore[no-untyped-def]
    return extra, id, name


REQUEST = "<Request GET />"


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (by_name, "('ID', 'NAME')"),
        (lambda name, id: (name, id), "('NAME', 'ID')"),
        (lambda name: name, "NAME"),
        (lambda: 1, "1"),
        (lambda request: request, REQUEST),
        (lambda anything: anything, REQUEST),
        (lambda anything, id: (anything, id), f"({REQUEST}, 'ID')"),
        (lambda request, id, name: (request, id, name), f"({REQUEST}, 'ID', 'NAME')"),
        (lambda id, request: (id, request), f"('ID', {REQUEST})"),
        (lambda *, id, request: (id, request), f"('ID', {REQUEST})"),
        (lambda id, /, name: (id, name), "('ID', 'NAME')"),
        (lambda id, other=5: (id, other), "('ID', 5)"),
        (lambda other=5: other, "5"),
        (lambda id=5, request=None: (id, request), f"('ID', {REQUEST})"),
        (lambda request, pool=None: pool, "None"),
        (lambda *args: args, f"({REQUEST},)"),
        (lambda *args, **kwargs: (args, kwargs), f"(({REQUEST},), {{}})"),
        (lambda request, **kwargs: (request, kwargs), f"({REQUEST}, {{}})"),
        (functools.partial(with_extra, 1), "(1, 'ID', 'NAME')"),
        (functools.partial(with_extra, extra=1), "(1, 'ID', 'NAME')"),
        (Greeter(), "NAME"),
        (Greeter().method, f"({REQUEST}, 'ID')"),
        (plainly(by_name), "('ID', 'NAME')"),
        (plainly(lambda req, id: (req, id)), f"({REQUEST}, 'ID')"),
        (plainly(plainly(by_name)), "('ID', 'NAME')"),
        (functools.cache(by_name), "('ID', 'NAME')"),
        (with_user(lambda request, user: (request, user)), f"({REQUEST}, 'ada')"),
        (injecting(lambda request, user: (request, user)), f"({REQUEST}, 'ada')"),
        (injecting(lambda id, user: (id, user)), "('ID', 'ada')"),
        (with_request(lambda request, name: (request, name)), f"({REQUEST}, 'NAME')"),
        (repr, REQUEST),
    ],
    ids=range(31),
)
def test_each_parameter_gets_the_value_of_its_name(
    handler: Callable[..., Any], expected: str
) -> None:
    assert str(call(handler)) == expected


def annotated(id: int, r: Request) -> Any:
    return id, r


def aliased(id: int, r: Req) -> Any:
    return id, r


def qualified(id: int, r: snaxum.Request) -> Any:
    return id, r


def optional(id: int, r: Request | None) -> Any:
    return id, r


def described(id: int, r: Annotated[Request, "the request"]) -> Any:
    return id, r


def quoted(id: int, r: "Request") -> Any:  # noqa: UP037
    return id, r


def unresolved(id: int, r: nowhere.Request) -> Any:  # type: ignore[name-defined]  # noqa: F821
    return id, r


@pytest.mark.parametrize(
    "handler", [annotated, aliased, qualified, optional, described, quoted, unresolved]
)
def test_a_parameter_annotated_as_request_gets_it(handler: Callable[..., Any]) -> None:
    assert str(call(handler)) == f"('ID', {REQUEST})"


def annotated_pool(id: str, ex: ProcessPoolExecutor) -> Any:
    return id, ex


async def streamed_pool(id: str, pool: ProcessPoolExecutor) -> Any:
    yield id, pool


def general_pool(ex: Executor, request: Request) -> Any:
    return request, ex


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (lambda request, pool: (request, pool), f"({REQUEST}, POOL)"),
        (lambda req, executor: (req, executor), f"({REQUEST}, POOL)"),
        (lambda pool, id: (pool, id), "(POOL, 'ID')"),
        (lambda id, pool: (id, pool), "('ID', POOL)"),
        (lambda request: request, REQUEST),
        (lambda *args: args, f"({REQUEST}, POOL)"),
        (annotated_pool, "('ID', POOL)"),
        (general_pool, f"({REQUEST}, POOL)"),
    ],
    ids=range(8),
)
def test_a_pool_handler_gets_the_pool(handler: Callable[..., Any], expected: str) -> None:
    route = Route("/<id>", None, handler, use_process_pool=True)

    result = route.call(Request.build(path_params={"id": "ID"}), POOL)

    assert str(result).replace(str(POOL), "POOL") == expected


@pytest.mark.parametrize("handler", [annotated_pool, lambda id, pool: (id, pool)])
def test_a_parameter_for_the_pool_implies_the_pool(handler: Callable[..., Any]) -> None:
    route = Route("/<id>", None, handler)

    assert (route.mode, route.use_process_pool) == ("process pool", True)
    assert route.call(Request.build(path_params={"id": "ID"}), POOL) == ("ID", POOL)


def unknown_type(connection: threading.Thread) -> None: ...


def unknown_item(items: list[threading.Thread]) -> None: ...


def model_on_get(point: Point) -> None: ...


def form_on_get(name: Annotated[str, Form()]) -> None: ...


def body_and_form(point: Point, name: Annotated[str, Form()]) -> None: ...


def text_as_limit(limit: Annotated[int, Query(ge="1")]) -> Any: ...


def text_as_length(name: Annotated[str, Query(min_length="1")]) -> Any: ...  # type: ignore[arg-type]


def number_as_day(day: Annotated[dt.date, Query(le=2026)]) -> Any: ...


def multiple_of_none(limit: Annotated[int, Query(multiple_of=0)]) -> Any: ...


def wrong_limit(name: Annotated[str, Query(ge=1)]) -> None: ...


def wrong_pattern(name: Annotated[str, Query(pattern="(")]) -> None: ...


def two_markers(agent: Annotated[str, Query(), Header()]) -> None: ...


def marker_beside_default(agent: Annotated[str, Query()] = Header("x")) -> None: ...  # type: ignore[assignment]


def nested_markers(agent: Annotated[str, Query()] | None = Cookie(None)) -> None: ...  # type: ignore[assignment]


def not_in_path(user: Annotated[int, Path()]) -> None: ...


def undefined(request: Request, order: Ordre) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def deep_unknown(box: Box) -> None: ...


def method_of_a_class(self, request):  # type: ignore[no-untyped-def]
    ...


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (unknown_type, "`connection`: no text or JSON becomes a `Thread`; annotate it as"),
        (unknown_item, "`items`: no text or JSON becomes a `Thread`"),
        (model_on_get, "`point` is a `Point`, which comes from a body, and GET has none; add"),
        (form_on_get, "`name` is of a form, and GET has no body; add `methods=['POST']`"),
        (wrong_limit, "`name`: a `str` has no `ge`; remove it"),
        (text_as_limit, "`limit`: `ge='1'` is not a number"),
        (text_as_length, "`name`: `min_length='1'` is not a length, as an int"),
        (number_as_day, "`day`: `le=2026` is not a `date`"),
        (multiple_of_none, "`limit`: `multiple_of=0` is not a number above 0"),
        (wrong_pattern, "`name`: the pattern '(' is not a regular expression"),
        (two_markers, "`agent` is both a `Query` and a `Header`; leave one of them out"),
        (marker_beside_default, "`agent` is both a `"),
        (nested_markers, "`agent` is both a `Query` and a `Cookie`"),
        (not_in_path, "`user` is not in the path; add `<user>` to the path"),
        (streamed_pool, "`pool` is the pool, and an async generator has no pool; return one from"),
        (method_of_a_class, "nothing fills the parameter `self`; put `@route` on a function"),
    ],
    ids=range(16),
)
def test_what_cannot_be_filled_is_an_error_with_its_place(
    handler: Callable[..., Any], words: str
) -> None:
    with pytest.raises(RouteError, match=re.escape(words)) as caught:
        Route("/<id>", None, handler)

    assert re.match(r"route `/<id>` at .*test_parameters\.py:\d+: ", str(caught.value))


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (body_and_form, "`point` is the JSON body, and another parameter is of a form"),
        (deep_unknown, "the parameter `box` cannot be filled: no text or JSON becomes a `Thread`"),
    ],
    ids=range(2),
)
def test_a_body_that_cannot_be_filled_is_an_error(handler: Callable[..., Any], words: str) -> None:
    with pytest.raises(RouteError, match=re.escape(words)):
        Route("/", ["POST"], handler)


def test_limits_of_two_markers_of_one_kind_apply_together() -> None:
    Small = Annotated[int, Query(le=9)]

    def handler(n: Annotated[Small, Query(ge=1)]) -> int:
        return n

    (argument,) = Route("/", None, handler).arguments or ()
    assert argument.limits == {"le": 9, "ge": 1}


def test_a_type_that_is_not_defined_is_an_error_when_the_table_is_made() -> None:
    route = Route("/", ["POST"], undefined)

    with pytest.raises(RouteError, match="`order` is unknown: `Ordre` is not defined; define it"):
        RouteTable([route])


def test_a_mistyped_value_of_the_path_is_a_warning() -> None:
    route = Route("/<int:user_id>", None, lambda request, usr_id: None)

    assert route.warnings == ["`usr_id` is a query parameter; the path has `user_id`"]


def test_the_usual_handler_is_called_directly() -> None:
    def hello(request: object) -> None: ...

    assert Route("/", None, hello).call is hello


def test_the_usual_handler_has_the_plan_of_any_other() -> None:
    def plain(request): ...  # type: ignore[no-untyped-def]
    def annotated(request: Request) -> None: ...

    for handler in (plain, annotated):
        usual = parameters.plan(handler, {})
        # A partial has a signature only.
        other = parameters.plan(functools.partial(handler), {})
        assert usual is not None
        assert other is not None
        assert list(map(vars, usual)) == list(map(vars, other))
