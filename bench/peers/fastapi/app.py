"""The three endpoints in FastAPI."""

from typing import Any

from fastapi import FastAPI

app = FastAPI()


@app.get("/python/hello")
async def hello() -> dict[str, str]:
    return {"message": "hello"}


@app.get("/python/users/{user_id}")
async def user(user_id: int) -> dict[str, int]:
    return {"user_id": user_id}


@app.post("/python/echo")
async def echo(document: dict[str, Any]) -> dict[str, Any]:
    return document
