"""The models of both applications."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, HttpUrl


class Kind(str, Enum):
    HERB = "herb"
    TREE = "tree"
    VINE = "vine"


class Plant(BaseModel):
    name: str
    note: str | None = None
    price: float
    tax: float | None = None


class Gardener(BaseModel):
    username: str
    full_name: str | None = None


class Bed(BaseModel):
    name: str
    note: str | None = Field(default=None, title="The note of the bed", max_length=10)
    width: float = Field(gt=0, description="in metres")


class Picture(BaseModel):
    url: HttpUrl
    name: str


class Card(BaseModel):
    name: str
    tags: set[str] = set()
    labels: list[str] = []
    picture: Picture | None = None
    pictures: list[Picture] = []


class Offer(BaseModel):
    name: str
    cards: list[Card]


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, gt=0, le=100)
    offset: int = Field(0, ge=0)
    order_by: Literal["created", "updated"] = "created"
    tags: list[str] = []


class Tracking(BaseModel):
    session_id: str
    tracker: str | None = None


class CommonHeaders(BaseModel):
    save_data: bool
    traceparent: str | None = None
    x_tag: list[str] = []


class Login(BaseModel):
    username: str
    password: str = Field(min_length=3)


class AccountOut(BaseModel):
    username: str
    full_name: str | None = None


class AccountIn(AccountOut):
    password: str


class Visit(BaseModel):
    title: str
    at: datetime
    note: str | None = None


class VisitChange(BaseModel):
    title: str = ""
    at: datetime = datetime.min
    note: str | None = None


class Rose(BaseModel):
    kind: Literal["rose"] = "rose"
    colour: str


class Oak(BaseModel):
    kind: Literal["oak"] = "oak"
    height: int
