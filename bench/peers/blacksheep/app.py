"""The three endpoints in blacksheep."""

from typing import Any

from blacksheep import Application, FromJSON, Response, json

app = Application()


@app.router.get("/python/hello")
async def hello() -> Response:
    return json({"message": "hello"})


@app.router.get("/python/users/{user_id}")
async def user(user_id: int) -> Response:
    return json({"user_id": user_id})


@app.router.post("/python/echo")
async def echo(document: FromJSON[dict[str, Any]]) -> Response:
    return json(document.value)
