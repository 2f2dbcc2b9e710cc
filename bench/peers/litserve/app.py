"""`python app.py PORT`: the model that `BENCH_MODEL` names, in LitServe."""

import os
import sys
from typing import Any

import litserve
import model


class Api(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = model.load(os.environ["BENCH_MODEL"])

    def decode_request(self, request: dict[str, Any]) -> list[float]:
        return request["features"]

    def batch(self, inputs: list[list[float]]) -> list[list[float]]:
        return inputs

    def predict(self, x: list[list[float]]) -> list[int]:
        return self.model(x)

    def unbatch(self, output: list[int]) -> list[int]:
        return output

    def encode_response(self, output: int) -> dict[str, int]:
        return {"class": output}


if __name__ == "__main__":
    api = Api(max_batch_size=32, batch_timeout=0.005)
    # As its documentation recommends from a hundred requests a second on.
    options = {"fast_queue": True, "devices": 1, "workers_per_device": 1}
    server = litserve.LitServer(api, accelerator="cpu", **options)
    port = int(sys.argv[1])
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")
