"""The API of Snaxum: parameters, a validated body, files, an upload, a WebSocket."""

import msgspec
from snaxum import Request, UploadFile, WebSocket, route, static, websocket

static("/assets", "assets")


class Line(msgspec.Struct):
    sku: str
    amount: int
    price: float
    gift: bool


class Order(msgspec.Struct):
    order: int
    lines: list[Line]
    remark: str


@route("/python/by-request/<int:user_id>")
def by_request(request: Request) -> dict[str, object]:
    limit = int(request.query_params.get("limit", "10"))
    return {
        "user_id": request.path_params["user_id"],
        "limit": limit,
        "q": request.query_params.get("q"),
    }


@route("/python/by-name/<int:user_id>")
def by_name(user_id: int, limit: int = 10, q: str | None = None) -> dict[str, object]:
    return {"user_id": user_id, "limit": limit, "q": q}


@route("/python/orders", methods=["POST"])
def create(order: Order) -> Order:
    return order


@route("/python/upload", methods=["POST"])
def upload(file: UploadFile) -> dict[str, int]:
    return {"size": file.size}


@route("/python/compute")
def compute() -> dict[str, int]:
    return {"sum": sum(number * number for number in range(200_000))}


@websocket("/python/echo")
async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)
