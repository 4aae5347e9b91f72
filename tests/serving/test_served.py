"""From data to a model that answers: what a run made and people signed, through the whole gate; and under a policy."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from strata_git.config import load_settings
from strata_git.ledger.record import format_message
from strata_git.serving.columns import blank_table
from strata_git.serving.gate import Demands, NotServed, open_model
from strata_git.serving.golden import freeze_golden
from strata_git.serving.own_code import OwnCode
from strata_git.serving.tables import read_table
from tests.ledger.court import Court
from tests.ledger.lab import NOW, SETTINGS
from tests.serving.models import other, served
from tests.support.builder import RepositoryBuilder
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
    serve_by_code(repo)
    tell_drift(repo)


def serve_by_code(repo: RepositoryBuilder) -> None:
    """The commands of a service with code of its own, as a person says them."""
    repo.strata("service", "init", "iris", "--model", "flowers@production", "--with-code", "--commit").expect(0)
    repo.strata("doctor", "--strict", "services").expect(0)
    checked = json.loads(repo.strata("service", "check", "iris", "--format", "json").expect(0).out)
    assert (checked["schema"], checked["code"]) == ("strata/service-check/v1", 0)
    assert {one["verdict"] for one in checked["verdicts"]} == {"passed", "skipped"}
    repo.strata("service", "task", "iris", "lint").expect(0)
    format_ = [sys.executable, "-m", "ruff", "format", "--check", "--no-cache", "services/iris"]
    assert subprocess.run(format_, cwd=repo.path, check=False).returncode == 0
    tested = repo.strata("service", "test", "iris").expect(0)
    assert "Required test coverage of 95% reached" in tested.out + tested.err
    repo.write({"services/iris/model-service/more.py": b"def never():\n    return [\n        1,\n    ][0]\n" * 9})
    repo.strata("service", "test", "iris").expect(2)  # too little is covered
    repo.delete("services/iris/model-service/more.py")
    told = repo.strata("service", "config", "iris", "--origin", env={"STRATA_SERVICE__API__PORT": "9000"}).expect(0).out
    assert "environment STRATA_SERVICE__API__PORT" in told
    assert repo.git("status", "--porcelain") == ""


def tell_drift(repo: RepositoryBuilder) -> None:
    """Requests in a file: the same flowers, and larger ones."""
    lines = (repo.path / "datasets/flowers/v1/val/val.csv").read_text().splitlines()
    names = lines[0].split(",")[:4]
    rows = [dict(zip(names, map(float, line.split(",")[:4]), strict=True)) for line in lines[1:]]
    same = "".join(json.dumps(row) + "\n" for row in rows)
    moved = "".join(json.dumps({"inputs": {**row, "a": row["a"] + 6.125}}) + "\n" for row in rows)
    repo.write({".strata/local/same.jsonl": same.encode(), ".strata/local/moved.jsonl": f"{moved}[]\n".encode()})
    repo.strata("service", "drift", "iris").expect(3)  # nothing is kept
    repo.strata("service", "drift", "iris", "--file", ".strata/local/same.jsonl").expect(0)
    drift = ["service", "drift", "iris", "--format", "json", "--file", "local/moved.jsonl"]
    told = json.loads(repo.strata(*drift, cwd=".strata").expect(1).out)
    assert (told["drifted"], told["statistic"], told["reference"]) == (["a"], "psi", "datasets/flowers@v1")
    assert told["rows"] == {"reference": 50, "requests": 50, "left_out": 1}
    record = (repo.path / "runs" / told["run"] / "run.yaml").read_text()
    assert "strata-service:iris" in record
    assert "models/flowers@v1" in record
    config = (repo.path / "runs" / told["run"] / "config.yaml").read_text()
    assert ".strata/local/moved.jsonl" in config
    assert str(repo.path) not in config
    repo.strata("doctor", "--strict", "runs").expect(0)
    kept = "".join(path.read_text() for path in (repo.path / "runs" / told["run"]).rglob("*") if path.is_file())
    assert "6.125" not in kept


LOADS = b"""import pickle
from pathlib import Path

def load(path):
    return pickle.loads(Path(path, "model.pkl").read_bytes())

def predict(model, rows):
    return [model["weight"] * row["sepal"] for row in rows]
"""


def test_what_can_run_code_is_loaded_by_own_code_where_trusted_people_signed_it(builder: Builder, keys: Keys) -> None:
    court = Court(builder().workspace(), keys)
    harm = b"cposix\nsystem\n(S'exit 1'\ntR."
    for name, data in (("early", b""), ("soft", b""), ("hard", harm)):
        content = data or pickle.dumps({"weight": 2.0})
        said = {**served(artifact="model.pkl", format="pickle"), "extra": {"model.skops": None, "model.pkl": content}}
        court.repo.model(name, "v1", **said)
        court.repo.commit(f"Add {name}")
    court.promote("v1", "staging", model="early")
    code = OwnCode("python", {"predict.py": LOADS}, "services/soft/model-service")
    here = court.repo.repository()
    now = datetime.now(UTC)

    def told(reference: str, code: OwnCode | None = code) -> str:
        with pytest.raises(NotServed) as error:
            open_model(here, SETTINGS, reference, demands=Demands(code=code), now=now)
        return f"{error.value.step}: {error.value.steps[-1].message} | {error.value.hint}"

    def sign(name: str, who: str) -> None:
        sums = court.repo.path / f"models/{name}/v1/CHECKSUMS.txt"
        sums.with_name("SIGNATURE.asc").write_bytes(keys.sign(sums.read_bytes(), who))
        court.repo.commit(f"Sign {name} by {who}")

    assert "or write load(path) in model-service/predict.py" in told("early@v1", None)
    assert "nobody of a trust policy in force has signed the version" in told("early@v1")
    sign("early", "alice")  # known to the keyring; there is no policy yet
    assert "nobody of a trust policy in force" in told("early@v1")
    court.enact("alice")
    for name in ("soft", "hard"):
        court.promote("v1", "staging", model=name)
    assert "nobody of a trust policy in force" in told("soft@v1")
    sign("soft", "alice")
    loaded = open_model(here, SETTINGS, "soft@staging", demands=Demands(code=code), now=now)
    assert loaded.model.predict(blank_table(loaded.model.signature))["score"].tolist() == [0.0]
    assert (loaded.provenance.format, loaded.provenance.file, loaded.provenance.code) == (
        "pickle", "model.pkl", code.digest,
    )  # fmt: skip
    assert loaded.provenance.headers()["strata-code"] == code.digest
    sign("soft", "bob")  # no longer alice: bob is nobody's
    assert "nobody of a trust policy in force" in told("soft@v1")
    sign("hard", "alice")
    assert "model.pkl calls posix.system" in told("hard@v1")  # no signature makes that good
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
