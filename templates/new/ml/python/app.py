"""Predictions over HTTP: for one house, or for many in the processes of the pool."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from itertools import repeat
from typing import Annotated

import numpy as np
from snaxum import Batch, Body, get, keep, post

from model import Array, predict, train

PART = 1000  # houses in each task of the pool


def weights() -> Array:
    """Return the trained weights: `train` runs again only when its code changes."""
    return keep("weights", train)


@dataclass
class House:
    """A house to sell."""

    area: float  # m²
    rooms: int
    age: float  # years


# A warm-up runs before the server takes requests, and before new code replaces the old.
@post("/predictions", batch=Batch(max_size=32, max_wait_ms=5), warm_up=weights)
def predict_one(houses: list[House]) -> list[dict[str, float]]:
    """Predict the price of a house; concurrent requests become one call."""
    return [{"price": round(price)} for price in predict(weights(), rows(houses))]


@post("/predictions/batch", use_process_pool=True)
def predict_many(
    houses: Annotated[list[House], Body(min_length=1, max_length=100_000)],
    pool: ProcessPoolExecutor,
) -> dict[str, list[float]]:
    """Predict the prices of many houses; other requests run in the meantime."""
    parts = np.split(rows(houses), range(PART, len(houses), PART))
    prices = np.concatenate(list(pool.map(predict, repeat(weights()), parts)))
    return {"prices": prices.round().tolist()}


@get("/health")
def health() -> dict[str, object]:
    """Respond to the health check of the container: the model is trained."""
    return {"status": "ok", "weights": len(weights())}


def rows(houses: list[House]) -> Array:
    """Return the numbers of the houses as the model takes them."""
    return np.array([astuple(house) for house in houses], dtype=np.float64)
