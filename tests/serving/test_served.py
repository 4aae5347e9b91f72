"""From data to a model that answers: what a run made and people signed, through the whole gate; and under a policy."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from strata_git.config import load_settings
from strata_git.ledger.record import format_message
from strata_git.serving.gate import Demands, NotServed, open_model
from strata_git.serving.golden import freeze_golden
from strata_git.serving.tables import read_table
from tests.ledger.court import Court
from tests.ledger.lab import NOW, SETTINGS
from tests.serving.models import other, served
from tests.support.fixtures import Builder
from tests.support.keys import Keys

pytestmark = pytest.mark.heavy

EXPERIMENT = """
plugin: sklearn
experiment: flowers
seed: 7
dataset_id: flowers@v1
data_spec: {target: species}
params: {model: random_forest, n_estimators: 10, formats: [skops, onnx]}
"""


def flowers(folder: Path) -> None:
    """Fisher's irises as three CSV files."""
    from sklearn.datasets import load_iris

    iris = load_iris()
    folder.mkdir()
    for at, name in enumerate(("train", "val", "test")):
        text = io.StringIO("a,b,c,d,species\n")
        text.seek(0, io.SEEK_END)
        for row, label in list(zip(iris.data.tolist(), iris.target.tolist(), strict=True))[at::3]:
            text.write(",".join(map(str, row)) + f",{iris.target_names[label]}\n")
        (folder / f"{name}.csv").write_text(text.getvalue())


def test_a_model_made_by_a_run_answers_in_both_forms(builder: Builder, keys: Keys, tmp_path: Path) -> None:
    repo = builder()
    repo.strata("init", ".").expect(0)
    repo.git("config", "user.signingkey", keys.alice)
    flowers(tmp_path / "flowers")
    splits = [word for name in ("train", "val", "test") for word in ("--split", f"{name}={name}.csv")]
    repo.strata("dataset", "add", str(tmp_path / "flowers"), "--name", "flowers", *splits).expect(0)
    repo.commit("Add flowers", {"flowers.yaml": EXPERIMENT})
    repo.strata("run", "flowers.yaml", "--tracking", "none").expect(0)
    (run,) = (path.name for path in (repo.path / "runs").glob("run-*"))
    repo.commit("Run")
    repo.strata("model", "create", "flowers", "--run", run).expect(0)
    repo.commit("Add flowers@v1")
    for _ in range(2):
        repo.strata("promote", "flowers").expect(0)
    here = repo.repository()
    settings = load_settings(repo.read("strata.yaml"))
    now = datetime.now(UTC)
    loaded = {
        form: open_model(here, settings, "flowers@production", demands=Demands(form), now=now)
        for form in ("auto", "skops")
    }
    assert {form: one.provenance.format for form, one in loaded.items()} == {"auto": "onnx", "skops": "skops"}
    assert loaded["auto"].provenance.run == run
    golden, where = freeze_golden(here, loaded["skops"].model, loaded["skops"].provenance)
    assert where == "datasets/flowers@v1, val"
    assert {label for (label,) in golden.answers} == {"setosa", "versicolor", "virginica"}
    for form in loaded:
        again = open_model(here, settings, "flowers@v1", demands=Demands(form, golden=golden), now=now)
        assert (again.steps[-1].name, again.steps[-1].verdict) == ("golden", "passed")
    table = read_table(
        {"split": {"columns": list(golden.inputs), "data": [list(row) for row in golden.rows]}},
        loaded["auto"].model.signature,
    )
    onnx, skops = (one.model.predict(table) for one in loaded.values())
    assert onnx["species"].tolist() == skops["species"].tolist()
    np.testing.assert_allclose(onnx["probabilities"], skops["probabilities"], atol=1e-6)
    here.close()


def test_under_a_policy_only_its_people_bring_a_model_into_service(builder: Builder, keys: Keys) -> None:
    court = Court(builder().workspace(), keys)
    court.repo.model("forest", "v1", **served())
    court.repo.commit("Add v1")
    court.repo.model("forest", "v2", **served(other()))
    court.repo.commit("Add v2")
    court.enact("alice")
    for _ in range(2):
        court.promote("v1")
    here = court.repo.repository()
    now = datetime.now(UTC)
    strict = Demands(require_trust=True)
    loaded = open_model(here, SETTINGS, "forest@production", demands=strict, now=now)
    assert (loaded.provenance.version, loaded.provenance.trust) == ("v1", "trusted")
    # signed, by somebody whom the keyring knows and the policy does not
    sums = court.repo.path / "models/forest/v1/CHECKSUMS.txt"
    sums.with_name("SIGNATURE.asc").write_bytes(keys.sign(sums.read_bytes(), "bob"))
    court.repo.commit("Sign by bob")
    assert open_model(here, SETTINGS, "forest@production", demands=strict, now=now).provenance.signed_by == ()
    with pytest.raises(NotServed, match="no signature on the version counts"):
        open_model(here, replace(SETTINGS, signing_required=True), "forest@production", demands=strict, now=now)
    state = court.state()
    assert state.head is not None
    honest = court.record(version="v2", origin="staging", target="production", seq=state.next_seq)
    tag = ["tag", "-s", "-u", keys.bob, "-F", "-", "--cleanup=verbatim", f"forest#production#{honest.seq}"]
    date = f"{int(NOW.timestamp()) + 600} +0000"
    text = format_message("an event", "", honest)
    court.repo.git(*tag, honest.commit, stdin=text, env={"GIT_COMMITTER_DATE": date})
    with pytest.raises(NotServed, match="ledger"):
        open_model(here, SETTINGS, "forest@production", demands=strict, now=now)
    here.close()
