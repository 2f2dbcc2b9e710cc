"""The routes. Save a change, and the next request runs it."""

from snaxum import get


@get("/")
def index(name: str = "world") -> dict[str, str]:
    """Greet the world, or `?name=`."""
    return {"message": f"Hello, {name}"}
