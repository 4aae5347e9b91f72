"""A repository with a past, for the questions people ask: versions, branches, things that were removed.

datasets/pets     v1; v2, whose training data holds a test file of v1
datasets/old      v1, removed again
models/forest     v1 to v4 with a run each; accuracy 0.90 0.93 0.80 0.95, n and tolerance declared; v5 on `side` only
prompts/ask       v1, v2
services/scoring  answers with forest@v1, services/live with forest@production
"""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.load import dump_json, dump_yaml
from tests.support import artifacts
from tests.support.artifacts import Data
from tests.support.builder import RepositoryBuilder

ACCURACIES = (0.9, 0.93, 0.8, 0.95)
CAT, DOG, CAT_TEST = b"cat one", b"dog one", b"cat two"
PETS = {"train/cat/1.bin": CAT, "train/dog/2.bin": DOG, "test/cat/3.bin": CAT_TEST}
PETS_2 = {"train/cat/1.bin": CAT, "train/dog/two.bin": DOG, "train/cat/3.bin": CAT_TEST, "test/dog/4.bin": b"dog four!"}


def pets(version: str, files: dict[str, bytes], rows: int, columns: Sequence[str]) -> artifacts.Files:
    splits = {
        split: {
            "path": split,
            "files": len(mine := [data for name, data in files.items() if name.startswith(f"{split}/")]),
            "rows": rows,
            "bytes": sum(map(len, mine)),
        }
        for split in ("train", "test")
    }
    schema = [{"name": column, "type": "string"} for column in columns]
    return artifacts.dataset("pets", version, files={"all": files}, metadata={"splits": splits, "schema": schema})


def run_id(number: int) -> str:
    return f"run-2026-01-05-{number:03d}"


def train(repo: RepositoryBuilder, number: int, accuracy: float, cited: Sequence[Data]) -> str:
    """One run and its model in one commit, and a commit that records nothing before it."""
    code = repo.commit(f"Tune {number}", {"train.py": f"trees = {number * 10}\n"})
    figures = {"accuracy": accuracy, "loss": round(1 - accuracy, 6)}
    metrics = {
        "accuracy": {"value": accuracy, "direction": "higher", "tolerance": 0.01, "split": "test", "n": 100},
        "loss": {"value": figures["loss"], "direction": "lower", "tolerance": 0, "split": "test", "n": 100},
    }
    config = dict(artifacts.CONFIG) | {"params": {"trees": number * 10}, "dataset_id": "pets@v1"}
    system = dict(artifacts.SYSTEM) | {"packages": {"numpy": f"2.0.{number}", "scipy": "1.0"}}
    repo.run(
        run_id(number), inputs=cited, metrics=figures,
        metadata={"code": {"commit": code, "dirty": False, "tree": "2" * 40}},
        extra={"config.yaml": dump_yaml(config), "system.json": dump_json(system)},
    )  # fmt: skip
    payload = {"weights.bin": b"%d" % number * 40, "shared.bin": b"s" * 500}
    repo.model(
        "forest", f"v{number}", run=run_id(number), datasets=cited, metrics=figures,
        extra={"metrics.yaml": dump_yaml({"metrics": metrics}), **payload},
    )  # fmt: skip
    return repo.commit(f"Train forest v{number}")


def past(repo: RepositoryBuilder) -> RepositoryBuilder:
    """Fill `repo` with the past told above."""
    repo.workspace().commit("Begin")
    one = pets("v1", PETS, 10, ("name", "age"))
    repo.write(one)
    repo.dataset("old")
    repo.commit("Add pets")
    cited = [artifacts.cite(one, "datasets/pets/v1")]
    old = [artifacts.cite(artifacts.dataset("old"), "datasets/old/v1")]
    for number, accuracy in enumerate(ACCURACIES, 1):
        train(repo, number, accuracy, cited)
    repo.git("checkout", "--quiet", "-b", "side")
    train(repo, 5, 0.97, [*cited, *old])
    repo.git("checkout", "--quiet", "main")
    repo.write(pets("v2", PETS_2, 12, ("name", "weight")))
    repo.prompt("ask", template="Is this a cat?\n{{ text }}\n")
    repo.prompt("ask", "v2", template="Is this a DOG?\n{{ text }}\n", variables=["text", "tone"])
    repo.write(artifacts.service())
    repo.write(artifacts.service("live", model="forest@production"))
    repo.git("rm", "--quiet", "-r", "datasets/old")
    repo.commit("Add pets v2, prompts and services; drop old")
    return repo
