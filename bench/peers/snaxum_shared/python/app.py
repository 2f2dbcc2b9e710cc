"""A model of 200 MB that handlers read, and as many small objects as a large library has."""

import os

from snaxum import Request, route

MODEL = os.urandom(1_000_000) * 200
WORDS = {f"word {number}": number for number in range(200_000)}


@route("/model")
def read(request: Request) -> dict[str, int]:
    place = int.from_bytes(os.urandom(4), "big") % len(MODEL)
    return {"pid": os.getpid(), "byte": MODEL[place], "word": WORDS[f"word {place % len(WORDS)}"]}
