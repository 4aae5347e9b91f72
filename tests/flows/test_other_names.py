"""The commands of the demo hold for other data and other names; another seed makes another model."""

from __future__ import annotations

import json
import random
import re

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

EXPERIMENT = """\
experiment: wines
plugin: sklearn
seed: {seed}
dataset_id: wines@v1
data_spec:
  target: good
params:
  model: logistic_regression
"""


def table(rows: int, seed: int) -> str:
    chosen = random.Random(seed)
    lines = ["acid,sugar,good"]
    for _ in range(rows):
        acid, sugar = chosen.uniform(0, 1), chosen.uniform(0, 1)
        lines.append(f"{acid:.4f},{sugar:.4f},{int(acid + sugar + chosen.gauss(0, 0.1) > 1)}")
    return "\n".join(lines) + "\n"


def printed(text: str) -> str:
    """The `git add ... && git commit ...` line that a command prints."""
    match = re.search(r"^\s*(git add .* && git commit -m '.*')$", text, re.MULTILINE)
    assert match is not None, text
    return match[1]


def follow(repo: RepositoryBuilder, text: str) -> None:
    """Do what a command said, word by word, in a shell as a person would."""
    repo.git("-c", f"alias.follow=!{printed(text)}", "follow")


@pytest.mark.heavy
def test_wines(builder: Builder, keys: Keys) -> None:
    repo = builder()
    repo.strata("init", ".").expect(0)
    repo.git("config", "user.signingkey", keys.alice)
    repo.commit("Workspace")
    source = repo.path.parent / "cellar"
    source.mkdir()
    (source / "a.csv").write_text(table(120, 1))
    (source / "b.csv").write_text(table(60, 2))
    added = repo.strata(
        "dataset", "add", str(source), "--name", "wines", "--split", "train=a.csv", "--split", "test=b.csv"
    )
    follow(repo, added.expect(0).out + added.err)
    digests = {}
    for version, seed in (("v1", 1), ("v2", 2)):
        repo.write({"experiments/wines.yaml": EXPERIMENT.format(seed=seed)})
        repo.commit(f"seed {seed}")
        ran = repo.strata("run", "experiments/wines.yaml").expect(0)
        follow(repo, ran.out + ran.err)
        name = sorted(path.name for path in (repo.path / "runs").glob("run-*"))[-1]
        made = repo.strata("model", "create", "good-wine", "--run", name).expect(0)
        follow(repo, made.out + made.err)
        signed = repo.strata("sign", f"models/good-wine/{version}").expect(0)
        follow(repo, signed.out + signed.err)
        repo.strata("promote", f"good-wine@{version}").expect(0)
        repo.strata("promote", f"good-wine@{version}").expect(0)
        shown = repo.strata("show", f"good-wine@{version}", "--format", "json").expect(0)
        digests[version] = json.loads(shown.out)
    assert digests["v1"] != digests["v2"]
    stages = repo.strata("stages", "--format", "json").expect(0)
    (model,) = json.loads(stages.out)["models"]
    rows = {(row["version"], row["stage"]) for row in model["versions"]}
    assert ("v2", "production") in rows
    assert ("v1", "production") not in rows
    repo.strata("doctor", "--strict").expect(0)
    repo.strata("verify").expect(0)
    lineage = repo.strata("lineage", "good-wine@production", "--format", "json").expect(0)
    assert "datasets/wines@v1" in lineage.out
