"""The three endpoints in socketify."""

import sys
from typing import Any

from socketify import App

app = App()


def hello(response: Any, request: Any) -> None:
    response.end({"message": "hello"})


def user(response: Any, request: Any) -> None:
    response.end({"user_id": int(request.get_parameter(0))})


async def echo(response: Any, request: Any) -> None:
    response.end(await response.get_json())


app.get("/python/hello", hello)
app.get("/python/users/:user_id", user)
app.post("/python/echo", echo)
app.listen(int(sys.argv[1]), lambda config: None)
app.run()
