"""Repositories worth looking at: one with a history of everything, one of a thousand names, one full of malice."""

from __future__ import annotations

import math

from strata_git.load import dump_yaml
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

TEMPLATE = "Summarise for {{ reader }}:\n\n{{ text }}\n"
LOWER = {"test_log_loss", "seconds"}


def rich(repo: RepositoryBuilder, runs: int = 12, key: str = "") -> RepositoryBuilder:
    """Three dataset versions, `runs` runs, three versions of a model, a prompt and a service.

    With `key` (a fingerprint) the second version of the model goes to production.
    """
    repo.workspace()
    repo.write(iris := artifacts.dataset("iris"))
    parents = {
        "provenance": {
            "source": "https://example.org/iris", "retrieved": artifacts.CREATED, "process": "cleaned",
            "parents": [{"ref": "datasets/iris@v1"}],
        }
    }  # fmt: skip
    repo.write(clean := artifacts.dataset("iris-clean", metadata=parents))
    repo.dataset("iris", "v2", files={"train": {"train.csv": artifacts.TRAIN + b"6.1,3.0,virginica\n"}})
    head = repo.commit("Add the data")
    cited = [artifacts.cite(iris, "datasets/iris/v1"), artifacts.cite(clean, "datasets/iris-clean/v1")]
    for number in range(1, runs + 1):
        repo.write(_run(number, cited[number % 2], head))
    repo.commit(f"{runs} runs")
    for version, number in (("v1", 1), ("v2", runs // 2), ("v3", runs)):
        repo.write(_model(version, number, cited[number % 2]))
        repo.commit(f"Add models/forest@{version}")
    repo.prompt(template=TEMPLATE, variables=["reader", "text"])
    repo.write(artifacts.service(model="forest@v2"))
    repo.commit("A prompt and a service")
    if key:
        repo.git("config", "user.signingkey", key)
        for word in ("v1", "v1", "v2", "v2"):
            repo.strata("promote", f"forest@{word}", "--reason", "looked at").expect(0, 1)
    return repo


def name_of(number: int) -> str:
    """The id of the run with this number."""
    return f"run-2026-01-{5 + number // 4:02d}-{number:03d}"


def measured(number: int) -> dict[str, float]:
    """Figures that get better with every run, and some that do not."""
    share = 1 - math.exp(-number / 5)
    return {
        "test_accuracy": 0.7 + 0.28 * share,
        "test_auc": 0.75 + 0.24 * share - 0.02 * (number % 3),
        "test_log_loss": 0.6 - 0.5 * share,
        "train_accuracy": 0.8 + 0.19 * share,
        "seconds": 3.0 + 2 * (number % 5),
    }


def _run(number: int, cited: dict[str, object], head: str) -> artifacts.Files:
    day = f"2026-01-{5 + number // 4:02d}T0{number % 9}"
    said: dict[str, object] = {
        "code": {"commit": head, "dirty": number % 5 == 0, "tree": "2" * 40},
        "started": f"{day}:12:00Z",
        "finished": f"{day}:13:00Z",
    }
    if number % 7 == 0:
        said |= {"status": "failed", "error": "ValueError: no data"}
    return artifacts.run(name_of(number), inputs=[cited], metrics=measured(number), metadata=said)


def _model(version: str, number: int, cited: dict[str, object]) -> artifacts.Files:
    figures = {
        name: {"value": value, "direction": "lower" if name in LOWER else "higher", "tolerance": 0.01, "split": "test",
               "n": 150}
        for name, value in measured(number).items()
    }  # fmt: skip
    return artifacts.model(
        "forest", version, run=name_of(number), datasets=[cited], metrics=measured(number),
        extra={"metrics.yaml": dump_yaml({"metrics": figures})},
    )  # fmt: skip
