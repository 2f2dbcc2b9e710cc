"""The routes of FastAPI's user guide that take bodies, headers, forms and files, in FastAPI.

`python/sending.py` is the same in Snaxum.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Cookie, File, Form, Header, Path, UploadFile
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

router = APIRouter()


# Bodies


@router.post("/plants")
async def create_plant(plant: Plant) -> Any:
    found = plant.model_dump()
    if plant.tax is not None:
        found["with_tax"] = plant.price + plant.tax
    return found


@router.put("/plants/{plant_id}")
async def put_plant(plant_id: int, plant: Plant, q: str | None = None) -> Any:
    return {"plant_id": plant_id, **plant.model_dump(), "q": q}


@router.put("/maybe/{plant_id}")
async def put_maybe(
    plant_id: Annotated[int, Path(ge=0, le=1000)],
    q: str | None = None,
    plant: Plant | None = None,
) -> Any:
    return {"plant_id": plant_id, "q": q, "plant": plant}


@router.put("/orders")
async def put_order(plant: Plant, gardener: Gardener, importance: Annotated[int, Body()]) -> Any:
    return {"plant": plant, "gardener": gardener, "importance": importance}


@router.put("/several/{plant_id}")
async def put_several(
    plant_id: int,
    plant: Plant,
    gardener: Gardener,
    importance: Annotated[int, Body(gt=0)],
    note: Annotated[str, Body(max_length=5)] = "none",
    q: str | None = None,
) -> Any:
    return {"id": plant_id, "q": q, "all": [plant, gardener, importance, note]}


@router.put("/embedded")
async def put_embedded(plant: Annotated[Plant, Body(embed=True)]) -> Any:
    return plant


@router.put("/bodies/bed")
async def put_bed(bed: Bed) -> Any:
    return bed


@router.put("/bodies/card")
async def put_card(card: Card) -> Any:
    return {"card": card, "tags": sorted(card.tags)}


@router.post("/bodies/offer")
async def post_offer(offer: Offer) -> Any:
    return offer


@router.post("/bodies/pictures")
async def post_pictures(pictures: list[Picture]) -> Any:
    return pictures


@router.post("/bodies/weights")
async def post_weights(weights: dict[int, float]) -> Any:
    return weights


@router.put("/bodies/number")
async def put_number(number: Annotated[int, Body()]) -> Any:
    return {"number": number}


@router.put("/types/{item_id}")
async def types(
    item_id: UUID,
    start: datetime,
    end: datetime,
    after: timedelta,
    repeat_at: time | None = None,
) -> Any:
    return {
        "item_id": item_id,
        "start": start,
        "end": end,
        "repeat_at": repeat_at,
        "seconds": after.total_seconds(),
    }


# Cookies, headers, forms, files


@router.get("/cookies")
async def cookies(ads_id: Annotated[str | None, Cookie()] = None) -> Any:
    return {"ads_id": ads_id}


@router.get("/cookies/model")
async def cookies_model(cookies: Annotated[Tracking, Cookie()]) -> Any:
    return cookies


@router.get("/headers")
async def headers(
    user_agent: Annotated[str | None, Header()] = None,
    x_token: Annotated[list[str] | None, Header()] = None,
    strange: Annotated[str | None, Header(alias="strange_header")] = None,
) -> Any:
    return {"user_agent": user_agent, "x_token": x_token, "strange": strange}


@router.get("/headers/model")
async def headers_model(headers: Annotated[CommonHeaders, Header()]) -> Any:
    return headers


@router.post("/login")
async def login(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> Any:
    return {"username": username, "letters": len(password)}


@router.post("/login/model")
async def login_model(data: Annotated[Login, Form()]) -> Any:
    return data


@router.post("/upload")
async def upload(file: UploadFile) -> Any:
    content = await file.read()
    return {"name": file.filename, "type": file.content_type, "bytes": len(content)}


@router.post("/upload/bytes")
async def upload_bytes(file: Annotated[bytes, File()]) -> Any:
    return {"bytes": len(file)}


@router.post("/upload/optional")
async def upload_optional(file: UploadFile | None = None) -> Any:
    return {"name": file.filename if file else None}


@router.post("/upload/many")
async def upload_many(files: list[UploadFile]) -> Any:
    return [file.filename for file in files]


@router.post("/upload/form")
async def upload_form(file: UploadFile, token: Annotated[str, Form()]) -> Any:
    return {"token": token, "bytes": file.size}
