"""Functions that Rust calls: how they are found, what they get, and the form of their results."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import functools
import json
import sys
import types
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated, Any, cast

import pytest

from snaxum import HTTPError, Query, Request, abort, no_capture
from snaxum._runtime import respond
from snaxum._runtime.called_functions import NoSuchFunction, blocks, dispatch_call, find
from snaxum._runtime.generations import Generation
from snaxum.routing import Route, RouteTable


@dataclasses.dataclass
class Order:
    id: int
    prices: list[float]
    placed: dt.date | None = None


def add(left: int, right: int = 10, /, *more: int, scale: float = 1) -> float:
    return (left + right + sum(more)) * scale


def total(order: Order, currency: Annotated[str, Query(min_length=3)] = "EUR") -> dict[str, Any]:
    return {"sum": sum(order.prices), "currency": currency, "placed": order.placed}


def echo(value: Any, *rest: Any, **named: Any) -> list[Any]:
    return [value, rest, named]


def unresolved(value: NotDefined) -> Any:  # type: ignore[name-defined]  # noqa: F821
    return value


def refuses(status: int) -> None:
    abort(status, "no")


def unencodable() -> Any:
    return {"a": [1, object()]}


def with_pool(n: int, pool: ProcessPoolExecutor) -> str:
    return f"{n} {pool}"


async def later(n: int) -> int:
    await asyncio.sleep(0)
    return n + 1


def first_of(order: Order, *rest: Any) -> list[Any]:
    return [type(order).__name__, *rest]


def by_position(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return function(*args)

    return call


@by_position
def wrapped(order: Order) -> str:
    return type(order).__name__


def pool_first(pool: ProcessPoolExecutor, n: int = 1, *rest: int) -> list[Any]:
    return [str(pool), n, *rest]


def pool_by_position(n: int = 1, pool: ProcessPoolExecutor | None = None, /) -> str:
    return f"{n} {pool}"


def with_pool_and_names(pool: ProcessPoolExecutor, **named: Any) -> Any:
    return named


def swims(pool: Any, amount: int) -> list[Any]:
    return [pool, amount]


async def later_with_pool(n: int, pool: ProcessPoolExecutor) -> str:
    return f"{n} {pool}"


async def later_without_pool(n: int, pool: ProcessPoolExecutor | None = None) -> list[Any]:
    return [n, pool]


@dataclasses.dataclass
class Known:
    id: int

    def __post_init__(self) -> None:
        abort(404, f"no order {self.id}")


def known(order: Known) -> None: ...


async def known_later(order: Known) -> None: ...


def no_type(value: {1: 2}, order: Order) -> list[Any]:  # type: ignore[valid-type]
    return [value, type(order).__name__]


class WithoutText:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


NO_TEXT = WithoutText()


def default_without_text(value: Any, other: Any = NO_TEXT) -> Any:
    return value


class Proxy:
    """A callable that refuses every attribute, as a proxy without its target does."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no target: {name}")

    def __call__(self) -> None: ...


proxy = Proxy()


@no_capture
def secret() -> str:
    return "s"


dict = dict  # without a signature
not_a_function = 3


class Sent:
    """A request of Rust with these arguments."""

    def __init__(self, arguments: Any) -> None:
        self.arguments = arguments

    def body(self) -> bytes:
        return json.dumps(self.arguments).encode()


@pytest.fixture
def generation() -> Generation:
    modules = {"shop": sys.modules[__name__], "empty": types.ModuleType("empty")}
    broken = {"bad": {"type": "SyntaxError"}}
    return Generation(1, RouteTable([]), modules=modules, broken=cast(Any, broken))


def called(generation: Generation, name: str, *args: Any, **kwargs: Any) -> Any:
    request = Request(cast(Any, Sent({"args": args, "kwargs": kwargs})), {})
    response = find(generation, f"shop:{name}").call(request)
    if asyncio.iscoroutine(response):
        response = asyncio.run(response)
    assert response.content_type == "application/json"
    return json.loads(response.body)


def test_arguments_go_by_position_and_by_name(generation: Generation) -> None:
    assert called(generation, "add", 1) == 11
    assert called(generation, "add", 1, 2, 3, scale=2) == 12
    assert called(generation, "echo", None, 1, x=[2]) == [None, [1], {"x": [2]}]
    assert called(generation, "later", 1) == 2
    request = Request(cast(Any, Sent({})), {})
    assert find(generation, "shop:secret").call(request).body == b'"s"'


def test_annotated_parameters_get_values_of_their_types(generation: Generation) -> None:
    order = {"id": 7, "prices": [1, 2.5], "placed": "2026-11-29"}
    result = {"sum": 3.5, "currency": "EUR", "placed": "2026-11-29"}
    assert called(generation, "total", order) == result
    assert called(generation, "total", order=order, currency="USD")["currency"] == "USD"
    assert called(generation, "unresolved", order) == order
    assert called(generation, "first_of", order, 1, 2) == ["Order", 1, 2]
    assert called(generation, "wrapped", order) == "Order"
    assert called(generation, "no_type", 1, order) == [1, "Order"]


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("add", [], "missing a required argument: 'left'; it is `add(left: "),
        ("later", [1, 2], "too many positional arguments; it is `later(n: "),
        ("later", ["x"], "`n` "),
        ("later", ["5"], "`n` must be an integer"),
        ("total", [{"id": 1, "prices": ["nan"]}], "`order.prices[0]` must be a number"),
        ("total", [{"id": "x", "prices": [1, "y"]}], "`order.prices[1]` "),
        ("total", [{"id": 1, "prices": []}, "EU"], "`currency` "),
        (
            "with_pool",
            [1, 2],
            "too many positional arguments; it is `with_pool(n: 'int') ",
        ),
        (
            "default_without_text",
            [],
            "'value'; it is `default_without_text(value, other)`",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    generation: Generation, name: str, args: list[Any], expected: str
) -> None:
    with pytest.raises(HTTPError) as caught:
        called(generation, name, *args)
    assert caught.value.status == 422
    assert expected in caught.value.detail


def test_every_fault_is_listed(generation: Generation) -> None:
    with pytest.raises(HTTPError) as caught:
        called(generation, "total", {"id": "x"}, "EU")
    places = [part.split("`")[1] for part in caught.value.detail.split("; ")]
    assert places == ["order.id", "order.prices", "currency"]


def test_the_first_of_very_many_faults_are_listed(generation: Generation) -> None:
    with pytest.raises(HTTPError) as caught:
        called(generation, "total", {"id": 1, "prices": ["x"] * 5000})
    assert caught.value.detail.count("; ") == 9


def test_a_result_without_a_json_form_is_named_with_its_place(
    generation: Generation,
) -> None:
    with pytest.raises(HTTPError) as caught:
        called(generation, "unencodable")
    assert caught.value.status == 500
    assert "`object` at `$.a[1]`" in caught.value.detail


@pytest.mark.parametrize(
    ("name", "argument", "function"),
    [
        ("refuses", 418, "refuses"),
        ("known", {"id": 1}, "Known.__post_init__"),
        ("known_later", {"id": 1}, "Known.__post_init__"),
    ],
)
def test_an_http_error_of_the_users_code_is_an_exception_with_a_traceback(
    generation: Generation,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    argument: Any,
    function: str,
) -> None:
    monkeypatch.setattr(respond, "running", lambda: types.SimpleNamespace(with_locals=False))
    route = find(generation, f"shop:{name}")
    with pytest.raises(respond.CalledFunctionError) as caught:
        called(generation, name, argument)
    status, _, _, traceback, _ = respond._failure(route, caught.value)
    assert status == 500
    assert traceback is not None
    failure = json.loads(traceback)
    assert failure["type"].endswith("HTTPError")
    assert function.rpartition(".")[2] in functions(failure)


def functions(failure: dict[str, Any]) -> list[str]:
    """Return the functions of its frames, without their class, which Python 3.10 does not know."""
    return [frame["function"].rpartition(".")[2] for frame in failure["frames"]]


def test_an_exception_before_the_function_is_known_has_a_traceback(
    generation: Generation,
) -> None:
    assert not blocks(generation, "shop:proxy")
    sent: list[Any] = []
    exchange = types.SimpleNamespace(fail=lambda *failure: sent.extend(failure))
    dispatch_call(cast(Any, exchange), generation, "shop:proxy")
    number, route, status, _, _, traceback = sent
    assert (number, route, status) == (1, None, 500)
    failure = json.loads(traceback)
    assert failure["message"].startswith("no target: ")
    assert "__getattr__" in functions(failure)


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "result"),
    [
        ("with_pool", [1], {}, "1 POOL"),
        ("with_pool", [], {"n": 1}, "1 POOL"),
        ("pool_first", [5, 6, 7], {}, ["POOL", 5, 6, 7]),
        ("pool_first", [], {}, ["POOL", 1]),
        ("pool_by_position", [], {}, "1 POOL"),
    ],
)
def test_a_parameter_of_the_type_of_the_pool_gets_it(
    generation: Generation,
    name: str,
    args: list[Any],
    kwargs: dict[str, Any],
    result: Any,
) -> None:
    route = find(generation, f"shop:{name}")
    assert (route.use_process_pool, route.is_async) == (True, False)
    request = Request(cast(Any, Sent({"args": args, "kwargs": kwargs})), {})
    assert json.loads(route.call(request, "POOL").body) == result


def test_an_async_function_gets_the_pool_too(generation: Generation) -> None:
    route = find(generation, "shop:later_with_pool")
    assert (route.use_process_pool, route.is_async) == (True, True)
    request = Request(cast(Any, Sent({"args": [1], "kwargs": {}})), {})
    assert json.loads(asyncio.run(route.call(request, "POOL")).body) == "1 POOL"


def test_the_pool_is_known_by_its_type_alone_and_rust_cannot_send_it(
    generation: Generation,
) -> None:
    assert called(generation, "swims", 5, 6) == [5, 6]
    assert called(generation, "swims", pool=5, amount=6) == [5, 6]
    assert called(generation, "later_without_pool", 1) == [1, None]
    for name in ("with_pool", "with_pool_and_names"):
        with pytest.raises(HTTPError) as caught:
            called(generation, name, pool=1)
        assert caught.value.status == 422
        assert "`pool` is the process pool" in caught.value.detail


def test_only_plain_functions_block_their_worker(generation: Generation) -> None:
    names = ["add", "later", "with_pool", "nothing"]
    assert [blocks(generation, f"shop:{name}") for name in names] == [
        True,
        False,
        False,
        False,
    ]


def test_a_called_function_has_the_attributes_of_a_route_that_its_dispatch_reads(
    generation: Generation,
) -> None:
    found = find(generation, "shop:later")
    for name in ("call", "handler", "hosted", "id", "is_async", "use_process_pool"):
        assert hasattr(found, name), name
    assert found.hosted is None


def test_the_content_of_a_private_function_is_not_recorded(
    generation: Generation,
) -> None:
    assert not find(generation, "shop:secret").id.startswith("call:")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("add", "left,right,*more"),
        ("pool_first", "n,*rest"),
        ("wrapped", "order"),
        ("dict", ""),
    ],
)
def test_the_names_of_positional_arguments_are_reported(
    generation: Generation, name: str, names: str
) -> None:
    assert find(generation, f"shop:{name}").id == f"call:{names}"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("shop", "write `module:function`"),
        ("shopp:add", "no module `shopp` is loaded; did you mean `shop`?"),
        ("os:system", "no module `os` is loaded; loaded: `empty`, `shop`"),
        ("bad:add", "the module `bad` did not load: SyntaxError"),
        ("shop:ad", "has no `ad`; did you mean `add`?"),
        ("shop:not_a_function", "`not_a_function` in the module"),
        ("shop:Order.id", "has no `Order.id`; "),
        ("empty:add", "the module `empty` has no `add`; nothing is there"),
    ],
)
def test_an_unknown_name_gets_what_is_near(generation: Generation, name: str, reason: str) -> None:
    with pytest.raises(NoSuchFunction) as caught:
        find(generation, name)
    assert reason in str(caught.value)


def test_a_function_is_planned_once_and_again_when_it_is_replaced(
    generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find(generation, "shop:add")
    assert find(generation, "shop:add") is first
    monkeypatch.setattr(sys.modules[__name__], "add", lambda: 0)
    second: Route = find(generation, "shop:add")
    assert second is not first
