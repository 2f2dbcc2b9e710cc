"""The module that is edited."""

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter()


class Greeting(BaseModel):
    message: str


@router.get("/python/hello")
async def hello() -> Greeting:
    return Greeting.model_validate({"message": "hello"})
