"""The validated body in Litestar."""

import msgspec
from litestar import Litestar, post


class Line(msgspec.Struct):
    sku: str
    amount: int
    price: float
    gift: bool


class Order(msgspec.Struct):
    order: int
    lines: list[Line]
    remark: str


@post("/python/orders", status_code=200, sync_to_thread=False)
def create(data: Order) -> Order:
    return data


app = Litestar([create], openapi_config=None)
