"""Valid artifacts as plain dicts (repository path -> bytes), made without the command line.

They serve a `RepositoryBuilder` and a `MemoryTree` alike. All take the same four ways to break one thing:

- `metadata={"licence": ABSENT}` changes top-level keys of metadata.yaml (run.yaml of a run) before sealing;
- `extra={"notes.txt": b"x"}` adds or replaces files of the artifact before sealing (None removes);
- `seal=False` writes no CHECKSUMS.txt;
- `replace={"train.csv": b"x"}` replaces files after sealing (None removes): what tampering looks like.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Final, TypedDict, Unpack

from strata_git.contracts.layout import CHECKSUMS, METADATA, RUN_RECORD, UNSUMMED, Artifact
from strata_git.integrity import checksums
from strata_git.load import dump_json, dump_yaml, load_json

Files = dict[str, bytes]
Data = Mapping[str, object]

ABSENT: Final = object()
"""As a value in `metadata`: leave the key out."""
CREATED = "2026-01-05T12:00:00Z"
RUN = "run-2026-01-05-001"
REPOSITORY = "5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01"
TRAIN = b"sepal,petal,species\n5.1,1.4,setosa\n7.0,4.7,versicolor\n"
TEST = b"sepal,petal,species\n6.3,6.0,virginica\n"
CODE: Data = {"commit": "1" * 40, "dirty": False, "tree": "2" * 40}
CONFIG: Data = {
    "plugin": "sklearn", "experiment": "forest", "seed": 7, "dataset_id": "iris@v1", "data_spec": {},
    "params": {"trees": 10}, "tags": {},
}  # fmt: skip
SYSTEM: Data = {
    "schema": "strata/system/v1", "platform": "Linux", "python": "3.11.0", "packages": {"numpy": "2.0.0"},
    "code": CODE, "seed": 7,
}  # fmt: skip


class Breaks(TypedDict, total=False):
    """What every artifact takes (see the module's words)."""

    metadata: Data
    extra: Mapping[str, bytes | None]
    seal: bool
    replace: Mapping[str, bytes | None]


class DatasetOptions(Breaks, total=False):
    files: Mapping[str, Mapping[str, bytes]]


class ModelOptions(Breaks, total=False):
    run: str
    datasets: Sequence[Data]
    metrics: Mapping[str, float]


class RunOptions(Breaks, total=False):
    inputs: Sequence[Data]
    metrics: Mapping[str, float]
    outputs: Mapping[str, bytes]


class PromptOptions(Breaks, total=False):
    template: str
    variables: Sequence[str]


def workspace(*, lfs: bool = False, settings: Data | None = None) -> Files:
    """strata.yaml, .gitattributes and .gitignore of a small valid workspace."""
    values: dict[str, object] = {"schema": "strata/settings/v1", "repository": REPOSITORY, "lfs": lfs}
    attributes = ["datasets/** -text", "models/** -text", "prompts/** -text", "runs/** -text"]
    if lfs:
        attributes += [f"{root}/** filter=lfs diff=lfs merge=lfs -text" for root in ("datasets", "models", "runs")]
        text = ("yaml", "json", "md", "txt", "asc", "sig")
        attributes += [f"*.{suffix} -filter -diff -merge -text" for suffix in text]
    return {
        "strata.yaml": dump_yaml(_changed(values, settings)),
        ".gitattributes": ("\n".join(attributes) + "\n").encode(),
        ".gitignore": b".strata/local/\n.venv/\n__pycache__/\n",
    }


def dataset(name: str = "iris", version: str = "v1", **options: Unpack[DatasetOptions]) -> Files:
    """A dataset of CSV splits.

    >>> dataset("iris", files={"train": {"train.csv": b"a,b\\n1,2\\n"}})
    """
    splits = options.get("files", {"train": {"train.csv": TRAIN}, "test": {"test.csv": TEST}})
    payload = {path: data for files in splits.values() for path, data in files.items()}
    return _assemble(
        Artifact("dataset", name, version),
        payload,
        {
            "provenance": {
                "source": "https://example.org/iris",
                "retrieved": CREATED,
                "process": "none",
                "parents": [],
            },
            "splits": {split: _split(files) for split, files in splits.items()},
            "schema": [{"name": column, "type": "string"} for column in ("sepal", "petal", "species")],
        },
        options,
    )


def model(name: str = "forest", version: str = "v1", **options: Unpack[ModelOptions]) -> Files:
    """A model with its measurements and its card."""
    metrics = {
        metric: {"value": value, "direction": "higher", "tolerance": 0.01, "split": "test", "n": 1}
        for metric, value in options.get("metrics", {"accuracy": 0.9}).items()
    }
    payload = {
        "model.skops": _skops(),
        "metrics.yaml": dump_yaml({"metrics": metrics}),
        "card.md": card(name, metrics),
    }
    return _assemble(
        Artifact("model", name, version),
        payload,
        {
            "artifact": "model.skops",
            "format": "skops",
            "framework": {"name": "scikit-learn", "version": "1.5.0"},
            "run": options.get("run", RUN),
            "datasets": [
                {key: cited[key] for key in ("ref", "content_hash")}
                for cited in options.get("datasets", [cite(dataset(), "datasets/iris/v1")])
            ],
            "signature": {
                "inputs": [{"name": "sepal", "type": "float64"}, {"name": "petal", "type": "float64"}],
                "outputs": [{"name": "species", "type": "string"}],
            },
            "trusted_types": [],
        },
        options,
    )


def run(identity: str = RUN, **options: Unpack[RunOptions]) -> Files:
    """A run that succeeded. `outputs` are files below artifacts/."""
    outputs = {f"artifacts/{path}": data for path, data in options.get("outputs", {"model.skops": _skops()}).items()}
    payload = {
        "config.yaml": dump_yaml(CONFIG),
        "metrics.json": dump_json(dict(options.get("metrics", {"accuracy": 0.9}))),
        "system.json": dump_json(SYSTEM),
        "logs.txt": b"fitted\n",
        **outputs,
    }
    record: dict[str, object] = {
        "schema": "strata/run/v1", "kind": "run", "id": identity, "status": "succeeded", "started": CREATED,
        "finished": "2026-01-05T12:00:09Z", "plugin": "sklearn", "experiment": "forest", "seed": 7,
        "code": CODE,
        "inputs": [dict(given) for given in options.get("inputs", [])], "prompts": [],
        "outputs": [_output(path, data) for path, data in sorted(outputs.items())],
        "tokens": None, "cost": None, "error": None,
    }  # fmt: skip
    return _assemble(Artifact("run", identity), payload, record, options)


def prompt(name: str = "summarise", version: str = "v1", **options: Unpack[PromptOptions]) -> Files:
    """A prompt of one variable."""
    body = {
        "template": options.get("template", "Summarise in one sentence:\n{{ text }}\n"),
        "variables": [{"name": variable, "type": "string"} for variable in options.get("variables", ["text"])],
        "model": {"name": "echo", "temperature": 0},
        "tests": [],
    }
    return _assemble(Artifact("prompt", name, version), {"prompt.yaml": dump_yaml(body)}, {}, options)


def service(name: str = "scoring", **changes: object) -> Files:
    """A service that answers with forest@v1, and its golden predictions; `changes` are keys of service.yaml.

    >>> service(api={"host": "0.0.0.0"})
    """
    said = {"schema": "strata/service/v1", "name": name, "model": "forest@v1"}
    table = {"columns": ["sepal", "petal"], "rows": [[5.1, 1.4]]}
    answers = {"columns": ["species"], "rows": [["setosa"]]}
    golden = {"schema": "strata/golden/v1", "model": "models/forest@v1", "inputs": table, "outputs": answers}
    return {
        f"services/{name}/service.yaml": dump_yaml(_changed(said, changes)),
        f"services/{name}/tests/golden.json": dump_json(golden),
    }


def card(name: str, metrics: Mapping[str, Mapping[str, object]]) -> bytes:
    """A model card with the front matter that the Hugging Face hub reads."""
    measured = [{"type": metric, "value": values["value"]} for metric, values in metrics.items()]
    result = {
        "task": {"type": "tabular-classification"},
        "dataset": {"type": "iris", "name": "iris"},
        "metrics": measured,
    }
    front = {"license": "apache-2.0", "model-index": [{"name": name, "results": [result]}]}
    return b"---\n" + dump_yaml(front) + f"---\n# {name}\n\nA small forest.\n".encode()


def cite(files: Files, path: str) -> dict[str, object]:
    """How a run names an input: `cite(dataset("iris"), "datasets/iris/v1")` -> ref, digest, content_hash."""
    root, name, version = path.split("/")
    sums = checksums.parse(files[f"{path}/{CHECKSUMS}"])
    return {
        "ref": f"{root}/{name}@{version}",
        "digest": checksums.digest(files[f"{path}/{CHECKSUMS}"]),
        "content_hash": checksums.content_hash(sums, kind=root.removesuffix("s")),
    }


def metrics_of(files: Files, identity: str = RUN) -> dict[str, float]:
    """The numbers in a run's metrics.json."""
    value = load_json(files[f"runs/{identity}/metrics.json"]).value
    assert isinstance(value, dict)
    return {str(name): float(number) for name, number in value.items()}


def sealed(files: Files, directory: str) -> Files:
    """`files` with a true CHECKSUMS.txt for `directory`; seal again after a change on purpose."""
    prefix = f"{directory}/"
    inside = {path.removeprefix(prefix): data for path, data in files.items() if path.startswith(prefix)}
    return files | {prefix + CHECKSUMS: checksums.render(_sums(inside))}


def _assemble(artifact: Artifact, payload: Files, described: Data, breaks: Breaks) -> Files:
    from strata_git.integrity import checksums

    payload = _without_none(payload | dict(breaks.get("extra", {})))
    described = dict(described)
    if artifact.kind != "run":
        described = _head(artifact) | described
        described["content_hash"] = checksums.content_hash(_sums(payload), kind=artifact.kind)
    document = RUN_RECORD if artifact.kind == "run" else METADATA
    inside = {document: dump_yaml(_changed(described, breaks.get("metadata")))} | payload
    files = {f"{artifact.path}/{name}": data for name, data in inside.items()}
    if breaks.get("seal", True):
        files = sealed(files, artifact.path)
    return _without_none(files | {f"{artifact.path}/{name}": data for name, data in breaks.get("replace", {}).items()})


def _head(artifact: Artifact) -> dict[str, object]:
    return {
        "kind": artifact.kind,
        "name": artifact.name,
        "version": artifact.version,
        "created": CREATED,
        "description": f"The {artifact.kind} {artifact.name}.",
        "licence": "CC-BY-4.0",
    }


def _output(path: str, data: bytes) -> dict[str, object]:
    return {"path": path, "sha256": _sha256(data), "bytes": len(data)}


def _split(files: Mapping[str, bytes]) -> dict[str, object]:
    lines = sum(data.count(b"\n") - 1 for data in files.values())
    size = sum(len(data) for data in files.values())
    first = next(iter(files))
    path = first if len(files) == 1 else first.rpartition("/")[0]
    return {"path": path, "files": len(files), "rows": max(lines, 0), "bytes": size}


def _sums(files: Files) -> dict[str, str]:
    return {path: _sha256(data) for path, data in files.items() if path not in UNSUMMED}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _changed(values: Data, changes: Data | None) -> dict[str, object]:
    merged = {**values, **(changes or {})}
    return {key: value for key, value in merged.items() if value is not ABSENT}


def _without_none(files: Mapping[str, bytes | None]) -> Files:
    return {path: data for path, data in files.items() if data is not None}


def _skops() -> bytes:
    """The smallest file of the skops format: a ZIP with a schema, the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            zipfile.ZipInfo("schema.json"), b'{"__class__": "dict", "__module__": "builtins", "protocol": 2}'
        )
    return buffer.getvalue()
