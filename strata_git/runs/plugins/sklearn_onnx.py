"""A fitted estimator as ONNX, and the proof that it answers as the estimator does.

ONNX computes in float32 where scikit-learn computes in float64: a row that lies on a threshold may fall to the other
side. So the file is compared with the estimator on every row the run has seen, and the comparison is kept beside it.
Where the two differ by more than `LIMIT`, the run fails rather than hand on a model that answers otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError

if TYPE_CHECKING:
    from strata_git.runs.plugins.sklearn_data import Table

FILE = "model.onnx"
PARITY = "parity.json"
INPUT = "features"
OPSET = 17
LIMIT = 1e-4
"""Greatest difference allowed: of a probability, or of a predicted value in standard deviations of the target."""
MODULES = ("skl2onnx", "onnxruntime")


def save(model: Any, table: Table, directory: Path) -> Mapping[str, object]:
    """Write model.onnx and parity.json to `directory` and return the latter's content.

    The one input `features` is a float32 matrix (rows, columns of the table in their order). A classifier gives `label`
    (int64 or string, one a row) and `probabilities` (float32, rows x classes), a regressor `variable` (float32, rows x
    1). Raises StrataError when there is no such form of this model, or the two disagree.
    """
    from strata_git.load import dump_json

    data = _converted(model, len(table.columns))
    report = compare(model, data, table)
    (directory / PARITY).write_bytes(dump_json(report))
    if not report["holds"]:
        raise StrataError(
            f"The ONNX form answers otherwise than the model: see artifacts/{PARITY}.",
            hint="Leave onnx out of params.formats, or scale the features: ONNX computes in float32.",
        )
    (directory / FILE).write_bytes(data)
    return report


def compare(model: Any, data: bytes, table: Table) -> dict[str, object]:
    """How far the ONNX file's answers lie from the model's, split by split (schema strata/parity/v1)."""
    session = opened(data)
    splits = {name: _split(model, session, part.features, part.target) for name, part in table.parts.items()}
    worst = max(float(one["max_difference"]) for one in splits.values())
    changed = sum(int(one["changed_labels"]) for one in splits.values())
    return {
        "schema": "strata/parity/v1",
        "format": "onnx",
        "limit": LIMIT,
        "max_difference": worst,
        "changed_labels": changed,
        "holds": worst <= LIMIT and changed == 0,
        "splits": splits,
    }


def opened(data: bytes, *, threads: int = 1) -> Any:
    """An ONNX Runtime session on the CPU with so many threads and the runtime's telemetry off."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read by the library when it is loaded; there is no other switch
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _converted(model: Any, columns: int) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    options = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    try:
        made = to_onnx(
            model,
            initial_types=[(INPUT, FloatTensorType([None, columns]))],
            options=options,
            target_opset=OPSET,
        )
    except Exception as error:  # a converter's own kinds; what it cannot do is one sentence
        reason = str(error).strip().partition("\n")[0][:200]
        raise StrataError(
            f"This model cannot be written as ONNX: {reason}", hint="Leave onnx out of params.formats."
        ) from error
    written: bytes = made.SerializeToString()
    return written


def _split(model: Any, session: Any, features: Any, target: Any) -> dict[str, float | int]:
    import numpy as np

    answer = session.run(None, {INPUT: features.astype(np.float32)})
    if hasattr(model, "predict_proba"):
        changed = int((np.asarray(answer[0]).astype(str) != model.predict(features).astype(str)).sum())
        apart = np.abs(answer[1] - model.predict_proba(features))
    else:
        changed = 0
        apart = np.abs(answer[0].ravel() - model.predict(features)) / (float(np.std(target)) or 1.0)
    return {"rows": len(features), "changed_labels": changed, "max_difference": float(apart.max())}
