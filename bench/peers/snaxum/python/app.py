"""The three endpoints in Snaxum, and the first once more as a coroutine."""

from typing import Any

from snaxum import Request, route


@route("/python/hello")
def hello(request: Request) -> dict[str, str]:
    return {"message": "hello"}


@route("/python/async-hello")
async def async_hello(request: Request) -> dict[str, str]:
    # As long as the other, and no second `"message"`: reload.py edits the existing one.
    return {"welcome": "hello"}


@route("/python/users/<int:user_id>")
def user(request: Request) -> dict[str, int]:
    return {"user_id": request.path_params["user_id"]}


@route("/python/echo", methods=["POST"])
def echo(request: Request) -> Any:
    return request.body
