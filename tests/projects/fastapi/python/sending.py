"""The routes of FastAPI's user guide that take bodies, cookies, headers, forms and files."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from models import (
    Bed,
    Card,
    CommonHeaders,
    Gardener,
    Login,
    Offer,
    Picture,
    Plant,
    Tracking,
)

from snaxum import Body, Cookie, Form, Header, Path, UploadFile, get, post, put

# Bodies


@post("/plants")
async def create_plant(plant: Plant) -> dict[str, Any]:
    found = plant.model_dump()
    if plant.tax is not None:
        found["with_tax"] = plant.price + plant.tax
    return found


@put("/plants/<plant_id>")
async def put_plant(plant_id: int, plant: Plant, q: str | None = None) -> dict[str, Any]:
    return {"plant_id": plant_id, **plant.model_dump(), "q": q}


@put("/maybe/<plant_id>")
async def put_maybe(
    plant_id: Annotated[int, Path(ge=0, le=1000)],
    q: str | None = None,
    plant: Plant | None = None,
) -> dict[str, Any]:
    return {"plant_id": plant_id, "q": q, "plant": plant}


@put("/orders")
async def put_order(
    plant: Plant, gardener: Gardener, importance: Annotated[int, Body()]
) -> dict[str, Any]:
    return {"plant": plant, "gardener": gardener, "importance": importance}


@put("/several/<plant_id>")
async def put_several(
    plant_id: int,
    plant: Plant,
    gardener: Gardener,
    importance: Annotated[int, Body(gt=0)],
    note: Annotated[str, Body(max_length=5)] = "none",
    q: str | None = None,
) -> dict[str, Any]:
    return {"id": plant_id, "q": q, "all": [plant, gardener, importance, note]}


@put("/embedded")
async def put_embedded(plant: Annotated[Plant, Body(embed=True)]) -> Plant:
    return plant


@put("/bodies/bed")
async def put_bed(bed: Bed) -> Bed:
    return bed


@put("/bodies/card")
async def put_card(card: Card) -> dict[str, Any]:
    return {"card": card, "tags": sorted(card.tags)}


@post("/bodies/offer")
async def post_offer(offer: Offer) -> Offer:
    return offer


@post("/bodies/pictures")
async def post_pictures(pictures: list[Picture]) -> list[Picture]:
    return pictures


@post("/bodies/weights")
async def post_weights(weights: dict[int, float]) -> dict[int, float]:
    return weights


@put("/bodies/number")
async def put_number(number: Annotated[int, Body()]) -> dict[str, int]:
    return {"number": number}


@put("/types/<item_id>")
async def types(
    item_id: UUID,
    start: datetime,
    end: datetime,
    after: timedelta,
    repeat_at: time | None = None,
) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "start": start,
        "end": end,
        "repeat_at": repeat_at,
        "seconds": after.total_seconds(),
    }


# Cookies, headers, forms, files


@get("/cookies")
async def cookies(ads_id: Annotated[str | None, Cookie()] = None) -> dict[str, Any]:
    return {"ads_id": ads_id}


@get("/cookies/model")
async def cookies_model(cookies: Annotated[Tracking, Cookie()]) -> Tracking:
    return cookies


@get("/headers")
async def headers(
    user_agent: Annotated[str | None, Header()] = None,
    x_token: Annotated[list[str] | None, Header()] = None,
    strange: Annotated[str | None, Header(alias="strange_header")] = None,
) -> dict[str, Any]:
    return {"user_agent": user_agent, "x_token": x_token, "strange": strange}


@get("/headers/model")
async def headers_model(headers: Annotated[CommonHeaders, Header()]) -> CommonHeaders:
    return headers


@post("/login")
async def login(
    username: Annotated[str, Form()], password: Annotated[str, Form()]
) -> dict[str, Any]:
    return {"username": username, "letters": len(password)}


@post("/login/model")
async def login_model(data: Annotated[Login, Form()]) -> Login:
    return data


@post("/upload")
async def upload(file: UploadFile) -> dict[str, Any]:
    content = await file.aread()
    return {"name": file.filename, "type": file.content_type, "bytes": len(content)}


@post("/upload/bytes")
async def upload_bytes(file: UploadFile) -> dict[str, int]:
    return {"bytes": file.size}


@post("/upload/optional")
async def upload_optional(file: UploadFile | None = None) -> dict[str, Any]:
    return {"name": file.filename if file else None}


@post("/upload/many")
async def upload_many(files: list[UploadFile]) -> list[str]:
    return [file.filename for file in files]


@post("/upload/form")
async def upload_form(file: UploadFile, token: Annotated[str, Form()]) -> dict[str, Any]:
    return {"token": token, "bytes": file.size}
