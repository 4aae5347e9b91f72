"""A small neural network on a table of numbers, trained by PyTorch on the processor.

Copy this file to `plugins/` of a workspace, and `torch_mlp.yaml` to `experiments/`. It needs `pip install torch
safetensors`. Same spec, data, packages and number of threads: same numbers, same model file.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, ClassVar

from strata_git.errors import StrataError, UsageError
from strata_git.runs.plugin import Metric, ModelOutput, RunContext, RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from strata_git.runs.spec import RunSpec

DEFAULTS = {"hidden": 16, "epochs": 60, "batch": 32, "rate": 0.01, "validation": 0.15}
FILE = "model.safetensors"


class TorchMlpPlugin:
    """Trains a network with one hidden layer to tell two or more classes apart."""

    name = "torch_mlp"
    requires: ClassVar[dict[str, tuple[str, ...]]] = {}  # git-strata has no extra for PyTorch: see check

    def check(self, spec: RunSpec) -> None:
        """Refuse an experiment that says too little, and a Python without PyTorch."""
        from importlib.util import find_spec

        if not spec.committed_dataset or not isinstance(spec.data_spec.get("target"), str):
            raise UsageError("torch_mlp needs a committed dataset_id, and data_spec.target.")
        if unknown := sorted(set(spec.params) - set(DEFAULTS)):
            raise UsageError(f"params.{unknown[0]} is unknown.", hint=f"Known: {', '.join(DEFAULTS)}.")
        if missing := [name for name in ("torch", "safetensors") if find_spec(name) is None]:
            raise StrataError(f"torch_mlp needs {' and '.join(missing)}.", hint=f"pip install {' '.join(missing)}")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Train, measure on three splits, save."""
        import torch
        from safetensors.torch import save_file

        said = {**DEFAULTS, **spec.params}
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(int(spec.resources.get("cpus", 1)))  # sums of floats depend on how they are shared out
        columns, classes, parts = _tables(spec, context, said["validation"])
        center, scale = parts["train"][0].mean(0), parts["train"][0].std(0).clamp(min=1e-6)
        network = _trained(parts["train"], center, scale, len(classes), said, context)
        metrics = {}
        for split, (features, target) in parts.items():
            for name, value, direction in _measured(network, (features - center) / scale, target):
                metrics[f"{split}_{name}"] = Metric(value, direction, 0.01, split, len(target))
        weights = {name: value.contiguous() for name, value in network.state_dict().items()}
        save_file({**weights, "input.center": center, "input.scale": scale}, str(context.artifact_dir / FILE))
        context.tracking.log_artifacts(context.artifact_dir)
        inputs = [{"name": name, "type": "float32"} for name in columns]
        outputs = [{"name": spec.data_spec["target"], "type": "int64"}]
        return RunResult(metrics, ModelOutput(FILE, "safetensors", "pytorch", str(torch.__version__), inputs, outputs))


def _tables(spec: RunSpec, context: RunContext, share: float) -> tuple[list[str], list[str], dict[str, Any]]:
    """Columns, classes, and (features, target) of train, val and test; val is cut off train by the seed."""
    import torch

    target = spec.data_spec["target"]
    read = {split: _rows(context.dataset(split), target) for split in ("train", "test")}
    columns = read["train"][0]
    classes = sorted({label for _, rows in read.values() for _, label in rows})
    parts: dict[str, Any] = {}
    for split, (names, rows) in read.items():
        if names != columns:
            raise StrataError(f"The columns of '{split}' are not those of 'train'.")
        features = torch.tensor([values for values, _ in rows], dtype=torch.float32)
        parts[split] = (features, torch.tensor([classes.index(label) for _, label in rows]))
    features, labels = parts["train"]
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(context.seed))
    cut = int(len(labels) * share)
    parts["val"] = (features[order[:cut]], labels[order[:cut]])
    parts["train"] = (features[order[cut:]], labels[order[cut:]])
    return columns, classes, {name: parts[name] for name in ("train", "val", "test") if len(parts[name][1])}


def _rows(paths: Sequence[Path], target: str) -> tuple[list[str], list[tuple[list[float], str]]]:
    found: list[tuple[list[float], str]] = []
    columns: list[str] = []
    for path in paths:
        with open(path, encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = [name for name in reader.fieldnames or [] if name != target]
            found += [([float(row[name]) for name in columns], row[target]) for row in reader]
    return columns, found


def _trained(part: Any, center: Any, scale: Any, classes: int, said: dict[str, Any], context: RunContext) -> Any:
    import torch

    torch.manual_seed(context.seed)
    features, target = (part[0] - center) / scale, part[1]
    network = torch.nn.Sequential(
        torch.nn.Linear(features.shape[1], said["hidden"]), torch.nn.ReLU(), torch.nn.Linear(said["hidden"], classes)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=said["rate"])
    loss_of = torch.nn.CrossEntropyLoss()
    for epoch in range(said["epochs"]):
        total = 0.0
        for chosen in torch.randperm(len(target)).split(said["batch"]):
            optimizer.zero_grad()
            loss = loss_of(network(features[chosen]), target[chosen])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
        context.tracking.log_metric("train_loss", total / len(target), step=epoch)
        context.progress(epoch + 1, said["epochs"])
    return network.eval()


def _measured(network: Any, features: Any, target: Any) -> Iterator[tuple[str, float, str]]:
    import torch

    with torch.no_grad():
        answers = network(features)
    yield "accuracy", float((answers.argmax(1) == target).float().mean()), "higher"
    yield "log_loss", float(torch.nn.functional.cross_entropy(answers, target)), "lower"
