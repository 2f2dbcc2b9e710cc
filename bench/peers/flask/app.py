"""The three endpoints in Flask."""

from typing import Any

from flask import Flask, request

app = Flask(__name__)


@app.get("/python/hello")
def hello() -> dict[str, str]:
    return {"message": "hello"}


@app.get("/python/users/<int:user_id>")
def user(user_id: int) -> dict[str, int]:
    return {"user_id": user_id}


@app.post("/python/echo")
def echo() -> Any:
    return request.get_json()
