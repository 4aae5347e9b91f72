"""A run made again: what is compared, what is told, and that nothing of the user's is touched."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.runs.reproduce import Reproduction, reproduce
from strata_git.runs.reproduce_record import named_run
from strata_git.runs.reproduce_told import lines, plain
from strata_git.runs.spec import RunSpec
from tests.runs.running import opened, pending, perform, record_of, spec, visible
from tests.support.builder import RepositoryBuilder

DICE = '''
class DicePlugin:
    """Measures what stands in a file of the workspace, and writes what it was told."""
    name = "dice"
    requires = {}

    def run(self, spec, context):
        from strata_git.runs.plugin import Metric, ModelOutput, RunResult
        import pathlib, os
        (context.artifact_dir / "model.bin").write_text(os.environ.get("DICE_FILE", "same"))
        if os.environ.get("DICE_MORE"):
            (context.artifact_dir / "more.txt").write_text("more")
        if os.environ.get("DICE_FAIL"):
            raise RuntimeError("the die is on the floor")
        pathlib.Path("litter.txt").write_text("dropped where the process stands")
        value = float(pathlib.Path(__file__).with_name("_value.txt").read_text()) + float(os.environ.get("DICE", "0"))
        columns = [{"name": "x", "type": "float64"}]
        metrics = {"test_score": Metric(value, tolerance=0.01), "test_loss": Metric(1.0)}
        return RunResult(metrics, ModelOutput("model.bin", "binary", "dice", "1", columns, columns))
'''


@pytest.fixture
def dice(repo: RepositoryBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RepositoryBuilder:
    monkeypatch.chdir(tmp_path)
    repo.write({"plugins/dice.py": DICE, "plugins/_value.txt": "0.8\n"}).commit("Dice")
    return repo


def rolled(repo: RepositoryBuilder) -> str:
    outcome = perform(repo, RunSpec("dice", "dice", 7, "iris@v1"))
    assert outcome.status == "succeeded", outcome.error
    return outcome.id


def again(repo: RepositoryBuilder, run: str, **options: object) -> Reproduction:
    there = opened(repo)
    try:
        return reproduce(there, run, **options)  # type: ignore[arg-type]
    finally:
        there.close()


def everything(repo: RepositoryBuilder) -> dict[str, str]:
    """Every file of the work tree and every reference, by content; git's own bookkeeping left out."""
    files = {
        str(path.relative_to(repo.path)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in repo.path.rglob("*")
        if path.is_file() and not path.is_relative_to(repo.path / ".git")
    }
    return files | {"refs": repo.git("for-each-ref"), "index": repo.git("ls-files", "-s"), "HEAD": repo.head}


def scratch(repo: RepositoryBuilder) -> list[Path]:
    return list((repo.path / ".git/strata/scratch").glob("*"))


def test_the_same_again(repo: RepositoryBuilder) -> None:
    run = perform(repo).id
    before = everything(repo)
    made = again(repo, run)
    assert (made.verdict, made.status, made.kept) == ("identical", "succeeded", "")
    assert {figure.name: figure.same for figure in made.comparison.figures} == {"rows": True, "score": True}
    assert (made.comparison.same_artifacts, made.comparison.same_inputs) == (1, 1)
    assert made.comparison.environment == ()
    assert everything(repo) == before
    assert (scratch(repo), pending(repo)) == ([], [])
    told = "\n".join(lines(made))
    assert told.splitlines()[0] == f"{run}  identical"
    assert "metrics: 2 of 2 the same" in told
    assert "environment: the same" in told


def test_from_its_commit_and_not_from_what_is_here_now(dice: RepositoryBuilder) -> None:
    run = rolled(dice)
    dice.write({"plugins/_value.txt": "0.1\n"}).commit("Another value")
    dice.write({"plugins/_value.txt": "0.2\n", "plugins/dice.py": "broken("})
    (dice.path / "datasets/iris/v1/metadata.yaml").unlink()
    Path("litter.txt").unlink()
    before = everything(dice)
    assert again(dice, run).verdict == "identical"
    assert everything(dice) == before
    assert not Path("litter.txt").exists()


def test_from_a_work_tree_that_was_kept(dice: RepositoryBuilder) -> None:
    dice.write({"plugins/_value.txt": "0.5\n", "beside.txt": "not added\n"})
    run = rolled(dice)
    assert record_of(dice, run).code.dirty
    dice.git("checkout", "--", "plugins/_value.txt")
    assert again(dice, run).verdict == "identical"
    kept = again(dice, run, keep=True).kept
    assert dice.git("rev-parse", f"refs/strata/runs/{kept}") == dice.git("rev-parse", f"refs/strata/runs/{run}")
    dice.git("update-ref", f"refs/strata/runs/{run}", "HEAD")
    with pytest.raises(StrataError, match="is not the work tree that"):
        again(dice, run)
    dice.git("update-ref", "-d", f"refs/strata/runs/{run}")
    with pytest.raises(StrataError, match="which is not here") as refused:
        again(dice, run)
    assert "git fetch origin" in refused.value.hint


@pytest.mark.parametrize(
    ("variables", "tolerances", "verdict"),
    [
        ({"DICE": "0.01"}, {}, "within tolerance"),  # 0.81 is within 0.01 of 0.8, whatever binary fractions say
        ({"DICE": "0.011"}, {}, "differs"),
        ({"DICE": "0.011"}, {"test_*": 0.02}, "within tolerance"),
        ({"DICE": "0.01"}, {"test_score": 0.0}, "differs"),
        ({"DICE_FILE": "other"}, {}, "within tolerance"),
        ({"DICE_MORE": "yes"}, {}, "differs"),
    ],
)
def test_what_differs(
    dice: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str],
    tolerances: dict[str, float], verdict: str,
) -> None:  # fmt: skip
    run = rolled(dice)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = again(dice, run, tolerances=tolerances)
    assert made.verdict == verdict
    told = "\n".join(lines(made))
    if "DICE" in variables:
        assert "test_score: 0.8 → 0.81" in told
        assert ("beyond" in told) == (verdict == "differs" and not tolerances)
    if "DICE_FILE" in variables:
        assert f"artifacts/model.bin: sha256:{hashlib.sha256(b'same').hexdigest()} (4 bytes) → sha256:" in told
    if "DICE_MORE" in variables:
        assert "artifacts/more.txt: not there → sha256:" in told


def test_one_that_fails_this_time(dice: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rolled(dice)
    monkeypatch.setenv("DICE_FAIL", "yes")
    made = again(dice, run)
    assert (made.verdict, made.status) == ("differs", "failed")
    assert made.error is not None
    assert "the die is on the floor" in made.error
    assert any("the die is on the floor" in line for line in made.log)


def test_a_differing_package_is_named(dice: RepositoryBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that the process has imported comes first; one that it never touched is told too."""
    run = rolled(dice)
    for package, version in (("PyYAML", "99.1"), ("never_imported", "1.5")):
        about = tmp_path / "front" / f"{package}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "front"))
    made = again(dice, run)
    assert made.verdict == "identical"
    rows = [(one.name, one.reproduced, one.used) for one in made.comparison.environment]
    assert rows == [("pyyaml", "99.1", True), ("never-imported", "1.5", False)]
    told = list(lines(made))
    assert any("pyyaml: " in line and "→ 99.1 (imported by the run)" in line for line in told)
    assert any("never-imported: not there → 1.5" in line for line in told)


def test_what_is_kept_is_a_record_of_its_own(repo: RepositoryBuilder) -> None:
    run = perform(repo).id
    made = again(repo, run, keep=True)
    assert visible(repo) == [run, made.kept]
    record = record_of(repo, made.kept)
    assert record.id == made.kept
    assert record.reproduces is not None
    digest = hashlib.sha256((repo.path / "runs" / run / "CHECKSUMS.txt").read_bytes()).hexdigest()
    assert (record.reproduces.ref, record.reproduces.digest) == (run, f"sha256:{digest}")


def test_in_json_there_is_all(repo: RepositoryBuilder) -> None:
    said = plain(again(repo, perform(repo).id))
    assert said["verdict"] == "identical"
    assert said["artifacts"] == {"same": 1, "differing": []}
    metrics = said["metrics"]
    assert isinstance(metrics, list)
    first = metrics[0]
    assert first["name"] == "rows"
    assert first["recorded"] == first["reproduced"]
    assert (first["tolerance"], first["given"], first["same"], first["within"]) == (0.0, False, True, True)


def test_what_cannot_be_made_again(repo: RepositoryBuilder) -> None:
    failed = perform(repo, spec("fail")).id
    with pytest.raises(StrataError, match="only a run that succeeded"):
        again(repo, failed)
    with pytest.raises(StrataError, match="There is no runs/run-2020-01-01-001"):
        again(repo, "run-2020-01-01-001")
    run = perform(repo).id
    log = repo.path / "runs" / run / "metrics.json"
    log.write_text('{"score": 99.0}\n')
    with pytest.raises(StrataError, match=r"metrics\.json is not what its CHECKSUMS\.txt lists"):
        again(repo, run)
    for text in ("iris@v1", "../x", "run-1"):
        with pytest.raises(UsageError):
            named_run(text)
    assert named_run(f"runs/{run}/") == run


@pytest.mark.heavy
def test_a_committed_record_that_is_not_in_the_work_tree(repo: RepositoryBuilder) -> None:
    run = perform(repo).id
    repo.commit("Record")
    repo.git("rm", "-rq", "--cached", "runs")
    repo.git("clean", "-fdxq", "runs")
    assert not (repo.path / "runs").exists()
    assert again(repo, run).verdict == "identical"


def test_what_a_killed_one_left_is_removed(repo: RepositoryBuilder) -> None:
    run = perform(repo).id
    left = repo.path / ".git/strata/scratch/run-again-dead"
    left.mkdir(parents=True)
    (left / ".owner").touch()
    (left / "tree").mkdir()
    assert again(repo, run).verdict == "identical"
    assert scratch(repo) == []


def test_a_forged_record_hands_git_no_names(repo: RepositoryBuilder) -> None:
    from strata_git.runs.record import seal

    run = perform(repo).id
    place = repo.path / "runs" / run
    text = (place / "run.yaml").read_text()
    for commit in ("HEAD", "--output=x", "refs/heads/main", "0" * 39):
        (place / "run.yaml").write_text(text.replace(repo.head, commit))
        seal(place)
        with pytest.raises(StrataError, match="does not keep its contract"):
            again(repo, run)


def test_a_forged_name_leads_nowhere(repo: RepositoryBuilder) -> None:
    """The record names its inputs; a link or a name above the tree must lay nothing out elsewhere."""
    run = perform(repo).id
    place = repo.path / "runs" / run
    os.rename(place, repo.path / "elsewhere")
    place.symlink_to(repo.path / "elsewhere")
    with pytest.raises(StrataError):
        again(repo, run)


@pytest.mark.heavy
def test_large_files_come_from_the_store_of_git_lfs(
    lfs: RepositoryBuilder, toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The work tree has pointers only; where the content is nowhere here, it is said what to fetch."""
    lfs.dataset("iris")
    lfs.commit("Add iris")
    run = perform(lfs).id
    home = "datasets/iris/v1"
    lfs.delete(f"{home}/train.csv").git("checkout", home, env={"GIT_LFS_SKIP_SMUDGE": "1"})
    assert lfs.read(f"{home}/train.csv").startswith(b"version https://git-lfs")
    assert again(lfs, run).verdict == "identical"
    for stored in (lfs.path / ".git/lfs/objects").rglob("*"):
        if stored.is_file():
            stored.unlink()
    (lfs.path / home / "test.csv").unlink(missing_ok=True)
    with pytest.raises(StrataError, match="was not fetched from Git LFS") as refused:
        again(lfs, run)
    assert f"{home}/**" in refused.value.hint
    assert scratch(lfs) == []
