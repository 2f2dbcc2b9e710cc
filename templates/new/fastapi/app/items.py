"""The items: a model, and the routes that read and add them."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

router = APIRouter(prefix="/items", tags=["items"])


class Item(BaseModel):
    """An item to sell."""

    name: str = Field(min_length=1)
    price: float = Field(gt=0)


ITEMS = {1: Item(name="apple", price=0.4)}


@router.get("")
def list_items() -> dict[int, Item]:
    """Return all items by their number."""
    return ITEMS


@router.get("/{number}")
def get_item(number: int) -> Item:
    """Return an item."""
    if number not in ITEMS:
        raise HTTPException(404, f"no item {number}")
    return ITEMS[number]


@router.post("", status_code=201)
def add_item(item: Item) -> dict[str, int]:
    """Add an item; the response has its number."""
    number = max(ITEMS, default=0) + 1
    ITEMS[number] = item
    return {"number": number}
