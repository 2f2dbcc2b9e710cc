"""Error handlers: which one responds, and what hooks and middleware see of a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hooked_module import Module

import snaxum
from snaxum import Blueprint, HTTPError, Request, Response
from snaxum._runtime import hook_chain
from snaxum._runtime.hook_chain import HandlerFailed
from snaxum.headers import MissingField


def hello(request: Request) -> str:
    return "hello"


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
        with pytest.raises(HandlerFailed) as raised:
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
        hook_chain._ChainRun, "_report", lambda _, request, error: reported.append(error)
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
        with pytest.raises(HandlerFailed) as raised:
            module.get(path)
        assert raised.value.response.headers["x-after"] == "1"
    assert seen == [410, error]
