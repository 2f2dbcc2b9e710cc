"""The three endpoints in Flask."""

import sys
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


if __name__ == "__main__":
    # For reload.py: `flask run` has no option for the kind of reloader.
    _, port, reloader = sys.argv
    app.run(port=int(port), threaded=True, use_reloader=True, reloader_type=reloader)
