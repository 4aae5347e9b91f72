"""`git strata report` on changes in real repositories, as people and CI use it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from strata_git.cli.main import main
from strata_git.report.document import report_document
from strata_git.report.gates import GateRule, gates_said, read_gates
from strata_git.report.gather import gather
from tests.ledger.court import STEPS, Court, rule
from tests.report.promoting import promote
from tests.report.test_escape import GFM
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

SECOND = {
    "train": {"data/train.csv": artifacts.TRAIN, "data/more.csv": artifacts.TEST},
    "test": {"new.csv": b"a,b\n1,2\n"},
}
EVIL = "@team </td><script>alert(1)</script> | [x](javascript:1) ``` #1"
GATES = """schema: strata/gates/v1
gates:
  - models: '*'
    require: ['accuracy >= {}', 'accuracy not worse than production']
"""


def report(
    repo: RepositoryBuilder, *require: str, against: str = "auto", gates: tuple[GateRule, ...] = (), worst: int = 0
) -> Any:
    """The report as JSON data; `worst` is the exit code that it must not pass."""
    inner = repo.repository()
    try:
        made = gather(inner, "main", gates=(*gates, *gates_said(require)), against=against)
    finally:
        inner.close()
    assert made.exit_code() <= worst
    return json.loads(json.dumps(report_document(made, made.exit_code())))


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """`main` has a dataset, a run and a model; `work` is checked out, `main` went on meanwhile."""
    made = builder().workspace()
    made.commit("Begin")
    made.story()
    made.commit("Add forest")
    made.git("branch", "work")
    made.dataset("roses")
    made.commit("Meanwhile")
    made.git("checkout", "-q", "work")
    return made


def second(repo: RepositoryBuilder, accuracy: float = 0.95, *, dirty: bool = False) -> str:
    """forest@v2, trained on iris@v2, in whose training data lies what iris@v1 tests with."""
    data = artifacts.dataset("iris", "v2", files=SECOND)
    data["datasets/iris/v2/metadata.yaml"] = data["datasets/iris/v2/metadata.yaml"].replace(b"path: ''", b"path: data")
    repo.write(artifacts.sealed(data, "datasets/iris/v2"))
    both = [artifacts.cite(artifacts.sealed(data, "datasets/iris/v2"), "datasets/iris/v2"),
            artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")]  # fmt: skip
    code = {"commit": repo.head, "dirty": dirty, "tree": "2" * 40}
    repo.run("run-2026-01-06-001", inputs=both, metrics={"accuracy": accuracy}, metadata={"code": code})
    repo.model("forest", "v2", run="run-2026-01-06-001", datasets=both, metrics={"accuracy": accuracy},
               metadata={"description": EVIL})  # fmt: skip
    return repo.commit("Second forest", None, "--no-verify")


def test_nothing_changed(repo: RepositoryBuilder) -> None:
    said = report(repo)
    assert (said["changes"], said["metrics"], said["doubts"], said["exit_code"]) == ([], [], [], 0)
    assert "no artifact changes" in repo.strata("report", "--base", "main").expect(0).out


def test_what_came_is_told_and_what_the_base_gained_is_not(repo: RepositoryBuilder) -> None:
    second(repo, dirty=True)
    said = report(repo, worst=2)
    assert [(row["how"], row["reference"]) for row in said["changes"]] == [
        ("added", "models/forest@v2"), ("added", "datasets/iris@v2"), ("added", "run-2026-01-06-001"),
    ]  # fmt: skip
    (model, run) = said["metrics"]
    assert (model["verdict"], model["against"], model["role"], model["delta"]) == (
        "better", "models/forest@v1", "version before", 0.05,
    )  # fmt: skip
    assert (run["reference"], run["against"]) == ("run-2026-01-06-001", "run-2026-01-05-001")
    told = {(row["topic"], row["reference"]) for row in said["doubts"]}
    assert told == {("dirty", "run-2026-01-06-001"), ("leakage", "datasets/iris@v1")}
    assert said["fork"] != said["base"]
    size = said["size"]
    assert size["files"] < sum(row["files"] for row in said["changes"])  # train.csv and the model's file are known
    assert size["unknown"] == 0
    assert [row["version"] for row in said["history"][0]["points"]] == ["v1", "v2"]


def test_gates_decide(repo: RepositoryBuilder) -> None:
    second(repo)
    passing, failing = (read_gates(GATES.format(bound).encode(), "gates.yaml") for bound in ("0.9", "0.96"))
    assert [row["passed"] for row in report(repo, gates=passing, worst=2)["gates"]] == [True, True]
    said = report(repo, gates=failing, worst=2)
    assert ([row["passed"] for row in said["gates"]], said["exit_code"]) == ([False, True], 2)
    assert report(repo, "auc >= 0.1", worst=2)["gates"][0]["why"] == "auc is not among its metrics"


def test_production_is_what_a_model_is_compared_with(repo: RepositoryBuilder, keys: Keys) -> None:
    promote(repo, keys, at="2026-01-06T00:00:00+00:00")
    second(repo, 0.5)
    said = report(repo, "accuracy not worse than production by more than 0.1", worst=2)
    assert said["gates"][0]["why"] == "accuracy is 0.5, worse than 0.9 in production by more than 0.1"
    assert [row["role"] for row in said["metrics"]] == ["production", "run before"]
    assert said["metrics"][0]["verdict"] == "worse"
    assert report(repo, against="previous", worst=2)["metrics"][0]["role"] == "version before"
    promote(repo, keys, version="v2", at="2026-01-07T00:00:00+00:00")
    said = report(repo, against="production", worst=2)
    assert said["metrics"][0]["verdict"] == "new"  # it is in production itself
    assert [row["to"] for row in said["events"]][-1] == "production"
    assert all(row["sound"] and row["signer"]["status"] == "good" for row in said["events"])


def test_a_comment_for_a_forge_and_a_page(repo: RepositoryBuilder) -> None:
    second(repo, 0.5)
    repo.write({"gates.yaml": GATES.format("0.9")})
    words = ("report", "--base", "main", "--gate", "gates.yaml")
    text = repo.strata(*words, "--format", "markdown").expect(2).out
    assert text.startswith("<!-- git-strata -->\n### ❌ ")
    assert "█" in text
    kinds = {token.type for token in GFM.parse(text)} | {
        child.type for token in GFM.parse(text) for child in token.children or ()
    }
    assert kinds.isdisjoint({"html_inline", "link_open", "image"})
    assert not re.search(r"@team|(?<!&)#1\b", text)
    assert repo.strata(*words, "--format", "markdown").out == text
    done = repo.strata(*words, "--format", "html", "-o", "report.html").expect(2)
    assert (done.out, "wrote report.html" in done.err) == ("", True)
    page = repo.read("report.html").decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("<circle") == 2


def test_findings_of_the_range(repo: RepositoryBuilder) -> None:
    repo.write({"datasets/iris/v1/train.csv": b"edited\n"})
    repo.commit("Edit what is released", None, "--no-verify")
    said = report(repo, worst=2)
    assert "STR-I001" in {row["rule"] for row in said["findings"]}
    assert [(row["how"], row["reference"]) for row in said["changes"]] == [("changed", "datasets/iris@v1")]


REFUSED = [
    ((), 64, "Say --base REV"),
    (("--base", "main", "--since", "1d"), 64, "Say --base REV"),
    (("--base", "nowhere"), 3, "names no commit"),
    (("--base", "main", "--until", "1d"), 64, "--until and --federation go with --since"),
    (("--since", "1d", "--policy"), 64, "go with --base"),
    (("--base", "main", "--gate", "absent.yaml"), 3, "could not be read"),
    (("--base", "main", "--require", "good"), 3, "must be a condition"),
    (("--base", "main", "--policy"), 3, "No trust policy is in force"),
]


def test_what_cannot_be_done(repo: RepositoryBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code, told in REFUSED:
        assert main(["-C", str(repo.path), "report", *words]) == code, words
        assert told in capsys.readouterr().err


def test_without_common_history(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-q", "--orphan", "alone")
    repo.commit("Alone", None, "--no-verify")
    said = report(repo, worst=2)
    assert [row["reference"] for row in said["changes"] if row["how"] == "removed"] == ["datasets/roses@v1"]
    assert json.dumps(said)


def test_the_gates_of_the_policy_in_force(
    repo: RepositoryBuilder, keys: Keys, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    second(repo)
    second_tip = repo.head
    repo.git("checkout", "-q", "main")
    asked = [rule(*step, "alice", requires=["good"]) for step in STEPS]
    pin = Court(repo, keys).enact("alice", rules=asked, gates={"good": "accuracy >= 0.99", "unused": "auc > 0"})
    repo.git("checkout", "-q", second_tip)
    monkeypatch.setenv("STRATA_TRUST_PIN", pin)
    words = ["-C", str(repo.path), "report", "--base", "main", "--policy", "--format", "json"]
    assert main(words) == 2
    said = json.loads(capsys.readouterr().out)
    assert [(row["gate"], row["passed"]) for row in said["gates"]] == [("accuracy >= 0.99", False)]


def test_what_comes_by_git_lfs_is_counted_and_looked_into_by_its_pointers(lfs: RepositoryBuilder) -> None:
    lfs.commit("Begin")
    lfs.git("branch", "work")
    lfs.git("checkout", "-q", "work")
    lfs.dataset(
        "iris", files={"train": {"train.csv": artifacts.TEST}, "test": {"test.csv": artifacts.TEST + b"7,7,x\n"}}
    )
    lfs.dataset("roses", files={"train": {"train.csv": artifacts.TRAIN}, "test": {"test.csv": artifacts.TEST}})
    both = [artifacts.cite({name: lfs.read(name) for name in (f"datasets/{of}/v1/CHECKSUMS.txt",)}, f"datasets/{of}/v1")
            for of in ("iris", "roses")]  # fmt: skip
    lfs.model("forest", datasets=both)
    lfs.commit("Two datasets", None, "--no-verify")
    said = report(lfs, worst=2)
    size = said["size"]
    payload = len(artifacts.TEST) * 3 + len(b"7,7,x\n") + len(artifacts.TRAIN)
    assert (size["lfs_files"], size["unknown"]) == (4, 0)  # the model's file, and three contents of four names
    assert size["lfs_bytes"] < payload + 1000
    told = [row["message"] for row in said["doubts"] if row["topic"] == "leakage"]
    assert told == ["1 file held out (such as test.csv in test) stand in the training data of datasets/iris@v1"]
