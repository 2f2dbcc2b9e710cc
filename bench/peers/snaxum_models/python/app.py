"""The model that `BENCH_MODEL` names, in a worker of its own, and in the server."""

import os
from dataclasses import dataclass

import model
from snaxum import Batch, keep, post

BATCH = Batch(max_size=32, max_wait_ms=5)


@dataclass
class Input:
    features: list[float]


def loaded() -> model.Predict:
    return keep("model", lambda: model.load(os.environ["BENCH_MODEL"]))


def classes(inputs: list[Input]) -> list[dict[str, int]]:
    return [{"class": each} for each in loaded()([item.features for item in inputs])]


if os.environ["BENCH_WORKERS"] == "0":

    @post("/predict", batch=BATCH, warm_up=loaded)
    def predict(inputs: list[Input]) -> list[dict[str, int]]:
        return classes(inputs)

else:

    @post("/predict", batch=BATCH, workers=1, warm_up=loaded)
    def predict_in_worker(inputs: list[Input]) -> list[dict[str, int]]:
        return classes(inputs)
