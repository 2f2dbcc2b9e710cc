"""The validated body, the upload and the WebSocket in FastAPI."""

from fastapi import FastAPI, UploadFile, WebSocket, WebSocketDisconnect
from pydantic import BaseModel


class Line(BaseModel):
    sku: str
    amount: int
    price: float
    gift: bool


class Order(BaseModel):
    order: int
    lines: list[Line]
    remark: str


app = FastAPI()


@app.post("/python/orders")
async def create(order: Order) -> Order:
    return order


@app.post("/python/upload")
def upload(file: UploadFile) -> dict[str, int | None]:
    return {"size": file.size}


@app.websocket("/python/echo")
async def echo(ws: WebSocket) -> None:
    await ws.accept()
    try:
        while True:
            await ws.send_text(await ws.receive_text())
    except WebSocketDisconnect:
        pass
