"""Two small models of 16 numbers, for the servers that are compared: `load(kind)` returns one.

Both find out whether the numbers add up to more than 0, each in the way of its library.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

FEATURES = 16
SAMPLES = 2000

Predict = Callable[[Any], list[int]]


def load(kind: str) -> Predict:
    """Return a function from rows of numbers to a list of classes."""
    return _sklearn() if kind == "scikit-learn" else _onnx()


def _sklearn() -> Predict:
    from sklearn.ensemble import RandomForestClassifier

    random = np.random.default_rng(seed=1)
    rows = random.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    forest = RandomForestClassifier(n_estimators=20, max_depth=6, random_state=1, n_jobs=1)
    forest.fit(rows, (rows.sum(axis=1) > 0).astype(int))
    return lambda rows: forest.predict(np.asarray(rows, dtype=np.float32)).tolist()


def _onnx() -> Predict:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    hidden = np.eye(FEATURES, 64, dtype=np.float32)
    last = np.zeros((64, 2), dtype=np.float32)
    last[:FEATURES] = [-1, 1]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["rows", "hidden"], ["inner"]),
            helper.make_node("MatMul", ["inner", "last"], ["scores"]),
            helper.make_node("ArgMax", ["scores"], ["classes"], axis=1, keepdims=0),
        ],
        "sum",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, FEATURES])],
        [helper.make_tensor_value_info("classes", TensorProto.INT64, [None])],
        [numpy_helper.from_array(hidden, "hidden"), numpy_helper.from_array(last, "last")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def predict(rows: Any) -> list[int]:
        return session.run(None, {"rows": np.asarray(rows, dtype=np.float32)})[0].tolist()

    return predict
