"""The three endpoints in robyn."""

import os
from typing import Any

from robyn import Request, Robyn

app = Robyn(__file__)


@app.get("/python/hello")
async def hello() -> dict[str, str]:
    return {"message": "hello"}


@app.get("/python/users/:user_id")
async def user(request: Request) -> dict[str, int]:
    return {"user_id": int(request.path_params["user_id"])}


@app.post("/python/echo")
async def echo(request: Request) -> Any:
    return request.json()


if __name__ == "__main__":
    # Its command line has no option for the port.
    app.start(host="127.0.0.1", port=int(os.environ["ROBYN_PORT"]))
