"""Names of other frameworks are errors that give the right one."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from typing import Any

import fastapi
import fastapi.responses
import pytest
import werkzeug
import werkzeug.exceptions

import snaxum
from snaxum._core.foreign_names import FOREIGN, KEYWORDS
from snaxum._debug import traceback
from snaxum.response import to_response


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_a_name_of_another_framework_is_explained_where_it_is_imported(name: str) -> None:
    with pytest.raises(ImportError, match=f"snaxum has no `{name}`; ") as raised:
        exec(f"from snaxum import {name}")
    assert FOREIGN[name] in str(raised.value)
    assert name not in snaxum.__all__


def test_the_module_of_requests_is_not_the_request_of_flask() -> None:
    from snaxum import request

    with pytest.raises(AttributeError, match="gets its request as a parameter"):
        _ = request.args


def test_a_misspelt_name_is_corrected() -> None:
    with pytest.raises(AttributeError, match="did you mean `redirect`"):
        _ = snaxum.redirct
    with pytest.raises(AttributeError, match="has no attribute 'nothing_like_it'"):
        _ = snaxum.nothing_like_it
    assert not hasattr(snaxum, "__path_of_another__")


def test_a_submodule_is_imported_as_before() -> None:
    from snaxum import routing

    assert routing.Route


def test_the_status_of_an_error_is_its_first_argument() -> None:
    with pytest.raises(TypeError, match=r"HTTPError\(404, detail\)"):
        snaxum.HTTPError(status_code=404, detail="gone")  # type: ignore[call-arg]
    error = pickle.loads(pickle.dumps(snaxum.HTTPError(404, "gone")))
    assert (error.status, error.detail) == (404, "gone")


def hint_of(call: Callable[[], Any]) -> str | None:
    with pytest.raises((TypeError, KeyError)) as raised:
        call()
    hint: str | None = traceback.capture(raised.value, with_locals=False)["hint"]
    _, _, way_out = str(raised.value).partition("; ")
    assert not (way_out and hint), "it is shown once"
    return way_out or hint


@pytest.mark.parametrize(("function", "keyword"), sorted(KEYWORDS))
def test_a_keyword_of_another_framework_is_explained_where_its_error_is_shown(
    function: str, keyword: str
) -> None:
    explained = f"there is no `{keyword}` here; {KEYWORDS[function, keyword]}"
    path = ("/x",) if function in ("route", "get") else ()
    assert hint_of(lambda: getattr(snaxum, function)(*path, **{keyword: "x"})) == explained


@pytest.mark.parametrize("marker", ["Query", "Path", "Header", "Cookie", "Form", "Body"])
def test_each_marker_explains_the_keywords_of_all(marker: str) -> None:
    assert hint_of(lambda: getattr(snaxum, marker)(regex="x")) == (
        "there is no `regex` here; the regular expression is `pattern`"
    )


def test_the_decorators_of_methods_and_of_blueprints_explain_the_keywords_of_a_route() -> None:
    shop: Any = snaxum.Blueprint("shop", "/shop")
    for declare in (shop.route, shop.get, shop.delete, snaxum.post, snaxum.patch):
        expected = "there is no `status_code` here; write `status=...`"
        assert hint_of(lambda declare=declare: declare("/x", status_code=201)) == expected


def test_a_function_of_the_user_with_the_same_name_is_not_explained() -> None:
    variables: dict[str, Any] = {}
    exec("def redirect(location): ...\ndef call(): redirect(code=1)", variables)
    assert hint_of(variables["call"]) is None
    assert hint_of(lambda: snaxum.redirect("/", nothing_like_it=1)) is None  # type: ignore[call-arg]
    assert hint_of(lambda: len(snaxum)) is None  # type: ignore[arg-type]


def test_a_call_of_an_attribute_of_a_request_is_explained() -> None:
    request: Any = snaxum.Request.build("POST", json={"a": 1})

    async def body() -> Any:
        return await request.body()

    def form() -> Any:
        return request.form()["a"]

    def own() -> Any:
        return request.body["a"]()

    assert hint_of(lambda: body().send(None)) == (
        "`request.body` is a value and not a function; write it without `()`, and without "
        "`await`; the bytes are `request.data`"
    )
    assert str(hint_of(form)).startswith("`request.form` is a value and not a function; ")
    assert hint_of(own) is None


def test_a_value_of_the_path_on_a_route_without_parameters_is_explained() -> None:
    request = snaxum.Request.build()
    assert hint_of(lambda: request.path_params["id"]) == (
        "the pattern of the route has no parameter; add it to the path as `<...>`"
    )
    assert hint_of(lambda: {}["id"]) is None


def test_a_name_that_the_pattern_does_not_have_is_explained_with_those_it_has() -> None:
    request = snaxum.Request.build(path_params={"user_id": 7, "slug": "a"})
    params = request.path_params
    socket = snaxum.WebSocket(request, None)  # type: ignore[arg-type]
    explained = "the pattern of the route has no `<zz>`; its parameters are `user_id`, `slug`"
    assert hint_of(lambda: request.path_params["zz"]) == explained
    assert hint_of(lambda: socket.path_params["zz"]) == explained
    assert hint_of(lambda: f"{request.path} {params['zz']}") == explained

    name = "zz"
    assert hint_of(lambda: request.path_params[name]) == explained

    table = {"a": 1}
    assert hint_of(lambda: table[request.path_params["slug"] + "b"]) is None
    assert hint_of(lambda: {7: "a"}[request.path_params["slug"]]) is None
    assert hint_of(lambda: (request.path_params["slug"], table["zz"])) is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda it: it.route("/", response_class=str), "a str is HTML"),
        (lambda it: it.get("/", status_code=201), "write `status=...`"),
        (lambda it: it.Query(regex="x"), "the regular expression is `pattern`"),
        (lambda it: it.Body(regex="x"), "the regular expression is `pattern`"),
        (lambda it: it.redirect("/", code=301), "the status is `status`"),
        (lambda it: it.abort(404, description="gone"), "the text is `detail`"),
        (lambda it: it.send_file("x", mimetype="a/b"), "the type is `content_type`"),
        (lambda it: it.HTTPError(404, description="gone"), "the text is `detail`"),
    ],
)
def test_the_text_of_the_exception_has_the_way_out(call: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(TypeError, match=r"got an unexpected keyword argument '\w+'; ") as raised:
        call(snaxum)
    assert words in str(raised.value)


def test_a_keyword_of_no_other_framework_is_not_explained() -> None:
    with pytest.raises(TypeError, match=r"nothing_like_it'$"):
        snaxum.redirect("/", nothing_like_it=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (fastapi.responses.JSONResponse({}), "it is of starlette; return the dict or list"),
        (fastapi.responses.RedirectResponse("/"), "it is of starlette; use `redirect(location)`"),
        (werkzeug.Response(), "it is of werkzeug; return the `Response` of `snaxum`"),
    ],
)
def test_a_response_of_another_framework_is_explained(value: object, words: str) -> None:
    with pytest.raises(TypeError, match=f"cannot be a body; {re.escape(words)}"):
        to_response(value)


@pytest.mark.parametrize(
    "error", [fastapi.HTTPException(404, "gone"), werkzeug.exceptions.Forbidden()]
)
def test_an_exception_of_another_framework_has_a_hint(error: Exception) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        fail()
    hint = traceback.capture(raised.value, with_locals=False)["hint"]
    assert "use `HTTPError(status, detail)`, or `abort(status, detail)`" in hint
