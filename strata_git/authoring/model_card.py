"""The texts of a model version: metrics.yaml, and card.md with the front matter that the Hugging Face hub reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strata_git.authoring.model_source import RunModel
    from strata_git.contracts.layout import Artifact

_LIBRARY = {"scikit-learn": "sklearn"}
_METRIC = {"auc": "roc_auc"}
"""Names that the hub spells otherwise than we do."""


def metrics_text(source: RunModel) -> bytes:
    """metrics.yaml: value, better direction, tolerance, split and rows of every measurement."""
    from strata_git.load import dump_yaml

    return dump_yaml({"metrics": {name: _metric(one) for name, one in source.metrics.items()}})


def card_text(artifact: Artifact, source: RunModel, *, about: str, licence: str) -> bytes:
    """card.md: the hub's front matter, then the same for people."""
    from strata_git.load import dump_yaml

    front = {
        "license": licence.lower(),
        "library_name": _LIBRARY.get(source.framework, source.framework),
        "pipeline_tag": source.task,
        "tags": [source.task, source.format],
        "datasets": [_name(one["ref"]) for one in source.datasets],
        "model-index": [{"name": artifact.name, "results": _results(source)}],
    }
    return b"---\n" + dump_yaml(front) + b"---\n" + _body(artifact, source, about).encode()


def _results(source: RunModel) -> list[dict[str, object]]:
    """One result a split, in the hub's words."""
    splits = dict.fromkeys(_split(one) for one in source.metrics.values())
    return [
        {
            "task": {"type": source.task},
            "dataset": {**_dataset(source), "split": split},
            "metrics": [
                {"type": _hub_name(name, split), "value": one["value"], "name": name}
                for name, one in source.metrics.items()
                if _split(one) == split
            ],
        }
        for split in splits
    ]


def _dataset(source: RunModel) -> dict[str, str]:
    if not source.datasets:
        return {"type": source.data, "name": source.data}
    first = source.datasets[0]
    name = _name(first["ref"])
    return {"type": name, "name": first["ref"], "revision": first["content_hash"]}


def _body(artifact: Artifact, source: RunModel, about: str) -> str:
    data = "".join(f"- `{one['ref']}` ({one['content_hash']})\n" for one in source.datasets)
    rows = "".join(
        f"| {name} | {one['value']:.6g} | {one['direction']} | {_split(one)} | {one.get('n') or ''} |\n"
        for name, one in source.metrics.items()
    )
    trusted = ", ".join(f'"{one}"' for one in source.trusted_types)
    load = f'\n```python\nimport skops.io\n\nmodel = skops.io.load("{source.name}", trusted=[{trusted}])\n```\n'
    return (
        f"# {artifact.short}\n\n{about}\n\n"
        f"## Figures\n\n| metric | value | better | split | rows |\n|---|---|---|---|---|\n{rows}\n"
        f"## Where it comes from\n\n"
        f"- run `{source.run}`, code at commit `{source.commit}`\n"
        f"{data or f'- data: {source.data} (no committed dataset)' + chr(10)}"
        f"- {source.framework} {source.framework_version}, saved as {source.format}\n\n"
        f"## Use\n\nInputs: {len(source.inputs)} columns, listed with their types in `metadata.yaml`.\n"
        f"{load if source.format == 'skops' else ''}"
    )


def _metric(one: Mapping[str, Any]) -> dict[str, object]:
    return {
        "value": one["value"],
        "direction": one["direction"],
        "tolerance": one["tolerance"],
        "split": _split(one),
        "n": one.get("n"),
    }


def _split(one: Mapping[str, Any]) -> str:
    return str(one.get("split") or "all")


def _hub_name(name: str, split: str) -> str:
    bare = name.removeprefix(f"{split}_")
    return _METRIC.get(bare, bare)


def _name(reference: str) -> str:
    return reference.removeprefix("datasets/").partition("@")[0]
