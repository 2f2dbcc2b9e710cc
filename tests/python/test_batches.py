"""The options `batch`, `workers` and `warm_up`: values of a request, and refused handlers."""

from __future__ import annotations

import asyncio
import functools
import pickle
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from snaxum import Batch, Body, HTTPError, Query, Request, Response, UploadFile, ValidationError
from snaxum._core.batch_results import POOL, BatchError, fill_pool, gather, results_in
from snaxum._openapi.outputs import result_type
from snaxum._pool import handler_calls
from snaxum.routing import Route, RouteError


@dataclass
class Item:
    n: int


@dataclass
class Receipt:
    n: int


@dataclass
class Secret(Receipt):
    key: str = "secret"


def route(handler: Callable[..., Any], pattern: str = "/", **options: Any) -> Route:
    return Route(pattern, ["POST"], handler, **{"batch": Batch(), **options})


def call(made: Route, **request: Any) -> Any:
    built = Request.build("POST", **request)
    return asyncio.run(made.call(built))


def test_each_parameter_is_a_list_and_the_item_is_the_result() -> None:
    def handler(items: list[Item]) -> list[Any]:
        return [item.n for item in items]

    assert call(route(handler), json={"n": 3}) == 3


def test_parameters_have_the_source_and_the_type_of_one_request() -> None:
    def handler(
        user_id: list[int],
        q: list[str],
        items: Sequence[Item],
        requests: list[Request],
        tags: list[list[str]],
        limit: list[Annotated[int, Query(ge=1)]],
        page: list[int] = Query(7),  # type: ignore[assignment]  # noqa: B008
    ) -> list[Any]:
        return [[user_id, q, items, requests[0].path, tags, limit, page]]

    made = route(handler, "/<int:user_id>")
    query = "q=a&tags=x&tags=y&limit=2"
    result = call(made, path="/4", query=query, json={"n": 1}, path_params={"user_id": 4})

    assert result == [[4], ["a"], [Item(1)], "/4", [["x", "y"]], [2], [7]]
    with pytest.raises(ValidationError):
        call(made, path="/4", query="q=a&limit=0", json={"n": 1}, path_params={"user_id": 4})


def test_a_first_parameter_without_an_annotation_gets_the_requests() -> None:
    def handler(requests):  # type: ignore[no-untyped-def]
        return [each.method for each in requests]

    assert call(route(handler)) == "POST"


def test_metadata_around_the_list_is_that_of_the_item() -> None:
    def handler(n: Annotated[list[int], Query(le=3)]) -> list[Any]:
        return n

    assert call(route(handler), query="n=3") == 3
    with pytest.raises(ValidationError):
        call(route(handler), query="n=4")


def test_types_that_are_defined_below_the_handler_are_found_later() -> None:
    def handler(items: list[Later]) -> list[Any]:
        return [item.n for item in items]

    made = route(handler)
    assert not made.is_planned

    @dataclass
    class Later:
        n: int

    made._namespaces = (globals(), {"Later": Later})
    made.finish()
    assert call(made, json={"n": 5}) == 5


def test_an_async_handler_and_a_class_with_call_are_called() -> None:
    async def handler(items: list[Item]) -> list[Any]:
        await asyncio.sleep(0)
        return [item.n for item in items]

    class Model:
        def __call__(self, items: list[Item]) -> list[Any]:
            return [item.n * 2 for item in items]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inner

    def plain(items: list[Item]) -> list[Any]:
        return [len(items)]

    assert call(route(handler), json={"n": 2}) == 2
    assert call(route(Model()), json={"n": 2}) == 4
    assert call(route(decorate(plain)), json={"n": 2}) == 1


def test_the_model_and_the_status_apply_to_each_result() -> None:
    def declared(items: list[Item]) -> list[Receipt | HTTPError]:
        return [Secret(item.n) for item in items]

    def given(items: list[Item]) -> Any:
        return [Secret(item.n) for item in items]

    def whole(items: list[Item]) -> list[Response]:
        return [Response("x", 202)]

    plain = call(route(declared), json={"n": 1})
    assert not hasattr(plain, "key")
    assert "secret" not in str(plain)
    assert "secret" not in str(call(route(given, response_model=Receipt), json={"n": 1}))
    assert call(route(declared, status=201), json={"n": 1}).status == 201
    assert call(route(whole, status=201), json={"n": 1}).status == 202
    assert result_type(route(declared)) is Receipt


def test_an_exception_in_the_list_is_raised() -> None:
    def handler(items: list[Item]) -> list[Any]:
        return [HTTPError(404, "none")]

    with pytest.raises(HTTPError, match="none"):
        call(route(handler), json={"n": 1})


def test_another_number_of_results_is_an_error_with_the_place() -> None:
    def handler(items: list[Item]) -> Any:
        return [] if items[0].n else {}

    place = f"{__file__}:{handler.__code__.co_firstlineno}"
    with pytest.raises(BatchError, match="returned 0 results for a batch of 1") as raised:
        call(route(handler), json={"n": 1})
    assert place in str(raised.value)
    with pytest.raises(BatchError, match="returned a dict for a batch of 1") as raised:
        call(route(handler), json={"n": 0})
    assert place in str(raised.value)
    with pytest.raises(BatchError, match="returned 1 result for a batch of 2"):
        results_in([1], 2, handler)


def test_arrays_and_series_are_lists() -> None:
    np = pytest.importorskip("numpy")
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")

    for returned in (np.array([1.5, 2]), pd.Series([1.5, 2]), pl.Series([1.5, 2])):
        assert results_in(returned, 2, print) == [1.5, 2]
    assert results_in(np.array([[1, 2], [3, 4]]), 2, print) == [[1, 2], [3, 4]]
    for returned in (np.float64(3), pd.DataFrame({"a": [1]}), (1, 2), "ab", None, iter([1])):
        with pytest.raises(BatchError):
            results_in(returned, 2, print)


def test_the_values_of_many_requests_become_lists_and_the_pool_stays_one() -> None:
    requests = [((1, POOL), {"a": "x"}), ((2, POOL), {"a": "y"})]

    assert gather(requests, "pool") == (([1, 2], "pool"), {"a": ["x", "y"]})
    assert fill_pool(requests[0], "pool") == ((1, "pool"), {"a": "x"})


def with_pool(items: list[Item], pool: ProcessPoolExecutor) -> list[Any]:
    return [pool for _ in items]


def test_the_pool_has_its_parameter() -> None:
    made = route(with_pool, use_process_pool=True)
    assert (made.mode, made.is_async, made.use_process_pool) == ("process pool", True, False)
    own = route(with_pool, use_process_pool=True, workers=2)
    assert (own.mode, own.to_dict("/")["workers"]) == ("process pool", 2)


def top(item: Item) -> list[Item]:
    return [item]


def generates(items: list[Item]) -> Any:
    yield 1


async def waits(items: list[Item]) -> list[Any]:
    return []


def of_request(items: list[Request]) -> list[Any]:
    return []


def of_upload(files: list[UploadFile]) -> list[Any]:
    return []


def of_one(item: Item) -> list[Any]:
    return []


def bare(items: list) -> list[Any]:  # type: ignore[type-arg]
    return []


def returns_one(items: list[Item]) -> Receipt:
    return Receipt(1)


def returns_none(items: list[Item]) -> None: ...


def default(n: list[int] = [1]) -> list[Any]:  # noqa: B006
    return []


def needs(x: int) -> None: ...


@pytest.mark.parametrize(
    ("handler", "options", "message"),
    [
        (of_one, {}, "write `item: list[Item]`"),
        (bare, {}, "`items: list[Request]`"),
        (returns_one, {}, "write `-> list[Receipt]`"),
        (returns_none, {}, "write `-> list[None]`"),
        (default, {}, "`n: list[int] = Query(1)`"),
        (generates, {}, "has a `yield`"),
        (top, {"batch": 32}, "write `batch=Batch(max_size=32)`"),
        (top, {"batch": True}, "write `batch=Batch(max_size=32)`"),
        (of_request, {"stream_body": True}, "drop `stream_body`"),
        (of_request, {"workers": 1}, "`items` is the request, which cannot go to the process"),
        (of_upload, {"workers": 1}, "`files` is an upload, which cannot go to the process"),
        (waits, {"workers": 1}, "make it a `def`"),
        (top, {"batch": None, "workers": 0}, "from 1 to 256"),
        (top, {"batch": None, "workers": True}, "from 1 to 256"),
        (generates, {"batch": None, "workers": 1}, "has a `yield`"),
        (top, {"batch": None, "workers": 1, "warm_up": lambda: None}, "cannot find"),
        (top, {"batch": None, "warm_up": 3}, "pass a function"),
        (top, {"batch": None, "warm_up": needs}, "called without arguments"),
    ],
)
def test_an_impossible_handler_is_refused_with_its_place(
    handler: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RouteError, match=re.escape(message)) as raised:
        route(handler, **options)
    assert f"{__file__}:{handler.__code__.co_firstlineno}" in str(raised.value)


@pytest.mark.parametrize(
    "numbers",
    [(0,), (2.5,), ("3",), (True,), (1, -1), (1, "5"), (1, float("nan")), (1, float("inf"))],
)
def test_the_numbers_of_a_batch_are_checked(numbers: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, ValueError), match="`max_"):
        Batch(*numbers)


def test_a_handler_with_workers_alone_has_its_own_types() -> None:
    made = route(top, batch=None, workers=2, warm_up=waits.__class__ and print)

    assert call(made, json={"n": 1}) == [Item(1)]
    row = made.to_dict("/")
    assert (row["workers"], row["mode"], "batch" in row) == (2, "workers", False)
    assert (row["async"], row["pool"]) == (False, False)


def test_a_warm_up_alone_changes_no_call() -> None:
    made = Route("/", None, lambda request: "x", warm_up=print)

    assert (made.is_async, made.mode, made.call(Request.build())) == (False, "in-thread", "x")


def test_a_result_that_cannot_be_sent_is_the_error_of_its_request() -> None:
    def handler(items: list[int]) -> list[Any]:
        return [1, lambda: 1, HTTPError(404, "none")]

    first, second, third = pickle.loads(handler_calls.call(handler, ([1, 2, 3],), {}, 3))

    assert first == 1
    assert isinstance(second, TypeError)
    assert "a worker cannot send a function" in str(second)
    assert isinstance(third, HTTPError)
    assert third.status == 404


def test_a_warm_up_of_a_worker_may_be_async() -> None:
    done = []

    async def load() -> None:
        await asyncio.sleep(0)
        done.append(1)

    handler_calls.warm_up(top, load)
    handler_calls.warm_up(top, None)
    assert done == [1]


def test_a_body_marker_is_that_of_each_item() -> None:
    def handler(items: list[Annotated[Item, Body(embed=True)]]) -> list[Any]:
        return [item.n for item in items]

    assert call(route(handler), json={"items": {"n": 6}}) == 6
