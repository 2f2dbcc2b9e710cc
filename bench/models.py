"""The requests that compare the serving of models, at the same size of a batch.

Names them, and gives each server the same two models. `rates.py` measures.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from load import Workload
from setup import BENCH

KINDS = ("scikit-learn", "onnxruntime")
_BODY = json.dumps({"features": [0.5] * 16})


def workload(kind: str) -> Workload:
    return Workload(f"a {kind} model", "POST", "/predict", {"class": 1}, _BODY)


def write(app: Path) -> None:
    """Add the models to a copy of a server's program."""
    code = app / "python"
    shutil.copy(BENCH / "peers" / "models" / "model.py", code if code.is_dir() else app)
