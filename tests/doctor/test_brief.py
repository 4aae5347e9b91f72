"""A whole verdict is remembered by name, and is at every moment what a repository without memory would say."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from strata_git.contracts.layout import Artifact
from strata_git.doctor import judgements as room
from strata_git.doctor.judge import judge_commit, judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict
from strata_git.load import dump_yaml
from strata_git.repo.command import Repository
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder, create
from tests.support.fixtures import Builder

FAMILY = ":family:"
DAMAGE: dict[str, Callable[[dict[str, object]], object]] = {
    "a list": lambda row: [],
    "nothing": lambda row: None,
    "no findings": lambda row: {key: row[key] for key in ("state", "summaries")},
    "no summaries": lambda row: {key: row[key] for key in ("state", "findings")},
    "findings in a list": lambda row: row | {"findings": []},
    "findings of nobody": lambda row: row | {"findings": {"first": []}},
    "a short finding": lambda row: row | {"findings": {"0": [["STR-C001"]]}},
    "a long finding": lambda row: row | {"findings": {"0": [["x"] * 20]}},
    "a finding that is none": lambda row: row | {"findings": {"0": [7]}},
    "one summary too few": lambda row: row | {"summaries": []},
    "summaries that are none": lambda row: row | {"summaries": [7, 7]},
    "summaries in a number": lambda row: row | {"summaries": 7},
    "another state": lambda row: row | {"state": "0" * 64, "findings": {}},
}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """The story, a second version of its data, and another dataset, one of whose versions is wrong."""
    made = builder().workspace()
    made.story()
    made.dataset("iris", "v2")
    made.dataset("tulips", "v1", replace={"train.csv": b"tampered\n"})
    made.dataset("tulips", "v2")
    made.commit("Story")
    return made


@pytest.fixture
def opened(repo: RepositoryBuilder) -> Iterator[Repository]:
    ours = repo.repository()
    yield ours
    ours.close()


def cold(repo: Repository, judge: Callable[[Repository], Verdict]) -> Verdict:
    """What `judge` says while the cache is away; afterwards the cache is as before."""
    aside = repo.cache_dir.with_name("aside")
    repo.cache_dir.rename(aside)
    try:
        return judge(repo)
    finally:
        shutil.rmtree(repo.cache_dir)
        aside.rename(repo.cache_dir)


def kept(repo: Repository, like: str = FAMILY) -> dict[str, str]:
    """The rows of the cache whose key holds `like`."""
    db = sqlite3.connect(repo.cache_dir / "verdicts.sqlite")
    rows = dict(db.execute("SELECT key, value FROM kept WHERE instr(key, ?)", [like]))
    db.close()
    return rows


def put(repo: Repository, rows: dict[str, str]) -> None:
    db = sqlite3.connect(repo.cache_dir / "verdicts.sqlite")
    with db:
        db.executemany("UPDATE kept SET value = ? WHERE key = ?", [(value, key) for key, value in rows.items()])
    db.close()


def drop(repo: Repository, like: str) -> None:
    """Forget the rows whose key holds `like`."""
    db = sqlite3.connect(repo.cache_dir / "verdicts.sqlite")
    with db:
        assert db.execute("DELETE FROM kept WHERE instr(key, ?)", [like]).rowcount
    db.close()


def names(repo: Repository) -> list[str]:
    """The names of which there are rows."""
    return sorted(key.split(":")[-1] for key in kept(repo))


def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on, the references of all artifacts that are asked of the cache one by one."""
    asked: list[str] = []
    real = room.judgements

    def noted(subject: object, wanted: list[Artifact], *rest: object) -> object:
        asked.extend(artifact.reference for artifact in wanted)
        return real(subject, wanted, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "judgements", noted)
    return asked


def assert_as_if_new(repo: Repository, judge: Callable[[Repository], Verdict] = judge_worktree) -> Verdict:
    """The verdict, which is with and without memory the same."""
    first, again, new = judge(repo), judge(repo), cold(repo, judge)
    assert first.findings == again.findings == new.findings
    assert (first.artifacts, first.unjudged) == (again.artifacts, again.unjudged) == (new.artifacts, new.unjudged)
    return first


# --- what is remembered


def test_one_row_for_each_name(opened: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judge_worktree(opened)
    assert first.errors
    assert names(opened) == ["dataset/iris", "dataset/tulips", "model/forest", "run/run-2026-01"]
    asked = looked_into(monkeypatch)
    second = judge_worktree(opened)
    assert (second.findings, second.artifacts, second.fresh) == (first.findings, 6, 0)
    assert asked == []


def test_only_names_in_which_something_changed_are_judged_again(
    repo: RepositoryBuilder, opened: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_worktree(opened)
    repo.write({"datasets/iris/v2/train.csv": b"tampered\n"})
    asked = looked_into(monkeypatch)
    verdict = judge_worktree(opened)
    assert (sorted(asked), verdict.fresh) == (["datasets/iris@v1", "datasets/iris@v2"], 1)
    assert "datasets/iris/v2/train.csv" in {finding.path for finding in verdict.errors}
    assert_as_if_new(opened)


def test_no_row_of_a_version_is_needed(opened: Repository) -> None:
    """Names are known by their own rows alone."""
    first = judge_worktree(opened)
    drop(opened, ":datasets/")
    again = judge_worktree(opened)
    assert (again.findings, again.fresh) == (first.findings, 0)


def test_all_doors_share_the_rows(repo: RepositoryBuilder, opened: Repository) -> None:
    first = judge_commit(opened, "HEAD")
    assert first.fresh == 6
    for judge in (judge_worktree, judge_staged):
        verdict = judge(opened)
        assert (verdict.findings, verdict.fresh) == (first.findings, 0)


# --- versions that come, go, and take one another's place


def test_a_version_that_comes_and_goes(repo: RepositoryBuilder, opened: Repository) -> None:
    before = assert_as_if_new(opened)
    repo.dataset("iris", "v3", replace={"test.csv": b"tampered\n"})
    more = assert_as_if_new(opened)
    assert "datasets/iris/v3/test.csv" in {finding.path for finding in more.errors}
    assert more.artifacts == 7
    shutil.rmtree(repo.path / "datasets/iris/v3")
    assert assert_as_if_new(opened).findings == before.findings


def test_a_version_that_is_cited_goes(repo: RepositoryBuilder, opened: Repository) -> None:
    """The model's own name is remembered; that it cites what is gone is found all the same."""
    judge_worktree(opened)
    shutil.rmtree(repo.path / "datasets/iris/v1")
    verdict = assert_as_if_new(opened)
    assert {f.rule for f in verdict.findings if f.path.startswith("models/forest/v1")} == {"STR-X004"}


def test_a_version_that_is_cited_changes(repo: RepositoryBuilder, opened: Repository) -> None:
    judge_worktree(opened)
    repo.dataset("iris", "v1", files={"train": {"train.csv": b"a,b\n1,2\n"}})
    (repo.path / "datasets/iris/v1/test.csv").unlink()
    verdict = assert_as_if_new(opened)
    assert "STR-X003" in {f.rule for f in verdict.errors if f.path.startswith("models/forest/v1")}


def test_what_a_run_wrote_is_compared_with_a_model_that_is_remembered(
    repo: RepositoryBuilder, opened: Repository
) -> None:
    """The run changes and the model does not: its row alone says what it was made of, and from what."""
    judge_worktree(opened)
    repo.write(artifacts.run(outputs={"model.skops": b"other"}))
    verdict = assert_as_if_new(opened)
    told = {finding.rule for finding in verdict.findings if finding.path.startswith("models/forest/v1")}
    assert told == {"STR-X005", "STR-X006"}


def test_two_versions_change_places(repo: RepositoryBuilder, opened: Repository) -> None:
    """The same names and the same tree ids, otherwise put together."""
    judge_worktree(opened)
    tulips = repo.path / "datasets/tulips"
    for old, new in (("v1", "x"), ("v2", "v1"), ("x", "v2")):
        (tulips / old).rename(tulips / new)
    verdict = assert_as_if_new(opened)
    assert "datasets/tulips/v2/train.csv" in {finding.path for finding in verdict.errors}


def test_two_names_change_places(repo: RepositoryBuilder, opened: Repository) -> None:
    judge_worktree(opened)
    datasets = repo.path / "datasets"
    for old, new in (("iris", "x"), ("tulips", "iris"), ("x", "tulips")):
        (datasets / old).rename(datasets / new)
    verdict = assert_as_if_new(opened)
    assert "datasets/iris/v1/train.csv" in {finding.path for finding in verdict.errors}
    assert "datasets/tulips/v1/train.csv" not in {f.path for f in verdict.errors if f.rule == "STR-C005"}


def test_kinds_do_not_share_a_name(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.write(artifacts.prompt("iris", replace={"metadata.yaml": b"kind: [\n"}))
    verdict = assert_as_if_new(opened)
    assert {"dataset/iris", "prompt/iris"} <= set(names(opened))
    assert "prompts/iris/v1/metadata.yaml" in {finding.path for finding in verdict.errors}


def test_runs_of_a_month_are_told_apart(repo: RepositoryBuilder, opened: Repository) -> None:
    judge_worktree(opened)
    repo.write(artifacts.run("run-2026-01-31-007", metadata={"status": "marvellous"}))
    repo.write(artifacts.run("run-2026-02-01-001"))
    verdict = assert_as_if_new(opened)
    assert {f.path.split("/")[1] for f in verdict.errors if f.path.startswith("runs/")} == {"run-2026-01-31-007"}
    assert {"run/run-2026-01", "run/run-2026-02"} <= set(names(opened))


def test_secrets_and_signatures_are_remembered_with_the_name(repo: RepositoryBuilder, opened: Repository) -> None:
    """What the rules on them ask of a summary is in the row."""
    repo.write({"models/forest/v1/SIGNATURE.asc": "no armor\n"})
    token = b"ghp_" + b"aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zAbCdE"
    repo.write(artifacts.run("run-2026-01-06-001", extra={"logs.txt": b"login with " + token + b"\n"}))
    verdict = assert_as_if_new(opened)
    told = {(finding.rule[:5], finding.path) for finding in verdict.findings}
    assert ("STR-S", "models/forest/v1/SIGNATURE.asc") in told
    assert "runs/run-2026-01-06-001/logs.txt" in {path for _, path in told}
    assert judge_worktree(opened).fresh == 0


# --- rows that are not what was written


@pytest.mark.parametrize("how", DAMAGE)
def test_a_row_of_another_shape_is_judged_again(opened: Repository, how: str) -> None:
    """Whole by its check sum, but not what this version writes."""
    first = judge_worktree(opened)
    damaged = {}
    for key, value in kept(opened).items():
        text = json.dumps(DAMAGE[how](json.loads(value[8:])))
        damaged[key] = f"{zlib.crc32(text.encode()):08x}{text}"
    put(opened, damaged)
    again = judge_worktree(opened)
    assert (again.findings, again.fresh) == (first.findings, 0)
    assert kept(opened).keys() == damaged.keys()
    assert all(kept(opened)[key] != damaged[key] for key in damaged)


def test_a_flipped_bit_is_noticed(opened: Repository) -> None:
    """A row in which the finding's rule reads otherwise would be believed by its shape."""
    first = judge_worktree(opened)
    rows = {key: value for key, value in kept(opened).items() if "STR-C005" in value}
    assert rows
    put(opened, {key: value.replace("STR-C005", "STR-C004") for key, value in rows.items()})
    assert judge_worktree(opened).findings == first.findings
    assert kept(opened).items() >= rows.items()


# --- how the payload is stored


def settings_with(repo: RepositoryBuilder, *, lfs: bool) -> None:
    repo.write({"strata.yaml": artifacts.workspace(lfs=lfs)["strata.yaml"]})


def test_the_setting_lfs_goes_on_and_off(repo: RepositoryBuilder, opened: Repository) -> None:
    """A verdict without it keeps nothing on storage, and is not taken for one with it."""
    without = assert_as_if_new(opened)
    assert "STR-F001" not in {finding.rule for finding in without.findings}
    settings_with(repo, lfs=True)
    stored = assert_as_if_new(opened)
    assert "datasets/iris/v1/train.csv" in {f.path for f in stored.findings if f.rule == "STR-F001"}
    settings_with(repo, lfs=False)
    assert assert_as_if_new(opened).findings == without.findings
    settings_with(repo, lfs=True)
    assert assert_as_if_new(opened).findings == stored.findings


# --- objects that are not here


def test_names_with_absent_objects_are_never_remembered(repo: RepositoryBuilder) -> None:
    """The rest of the repository is; and when the object has come, the name is judged as if for the first time."""
    clone = repo.clone("damaged", "--no-local")
    whole = judge_commit(repo.repository(), "HEAD")
    clone.git("unpack-objects", "-q", stdin=pack(clone))
    oid = clone.git("rev-parse", "HEAD:datasets/iris/v2/metadata.yaml")
    place = clone.path / ".git/objects" / oid[:2] / oid[2:]
    data = place.read_bytes()
    place.unlink()
    opened = clone.repository()
    assert f"?{oid}" in clone.git("rev-list", "--objects", "--missing=print", "HEAD").split("\n")
    for _ in range(2):
        verdict = judge_commit(opened, "HEAD")
        assert verdict.unjudged
        assert "dataset/iris" not in names(opened)
        assert {"dataset/tulips", "model/forest"} <= set(names(opened))
    assert verdict.findings == cold(opened, lambda repo: judge_commit(repo, "HEAD")).findings != whole.findings
    opened.close()
    place.write_bytes(data)
    again = clone.repository()
    healed = judge_commit(again, "HEAD")
    assert (healed.findings, healed.unjudged, healed.fresh) == (whole.findings, (), 1)
    assert "dataset/iris" in names(again)
    again.close()


def pack(repo: RepositoryBuilder) -> bytes:
    """The one pack of a clone, taken away so that its objects can become loose."""
    packs = repo.path / ".git/objects/pack"
    (one,) = packs.glob("*.pack")
    data = one.read_bytes()
    shutil.rmtree(packs)
    return data


# --- whatever is done


DATA = [f"datasets/{name}/v{n}" for name in ("iris", "tulips") for n in (1, 2)]
VERSIONS = [*DATA, "models/forest/v1"]
EDITS = st.one_of(
    st.tuples(st.just("make"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("tamper"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("describe"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("remove"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("swap"), st.sampled_from(DATA[::2])),
    st.tuples(st.just("lfs"), st.sampled_from(["on", "off"])),
    st.tuples(st.just("commit"), st.just("")),
)
Edit = tuple[str, str]


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(EDITS, min_size=1, max_size=6))
@example(edits=[("make", VERSIONS[0]), ("commit", ""), ("tamper", VERSIONS[0]), ("remove", VERSIONS[0])])
@example(edits=[("make", VERSIONS[0]), ("tamper", VERSIONS[1]), ("lfs", "on"), ("swap", VERSIONS[0]), ("lfs", "off")])
def test_memory_changes_no_verdict(hermetic: dict[str, str], edits: list[Edit]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        repo = create(Path(folder, "r"), hermetic).workspace()
        repo.story()
        repo.commit("Story")
        opened = repo.repository()
        judge_worktree(opened)
        for edit in edits:
            apply(repo, *edit)
            for judge in (judge_worktree, judge_staged):
                assert judge(opened).findings == cold(opened, judge).findings, edit
        opened.close()


def apply(repo: RepositoryBuilder, what: str, where: str) -> None:
    """One edit, where it can be made."""
    if what == "commit":
        repo.commit()
    elif what == "lfs":
        settings_with(repo, lfs=where == "on")
    elif what == "make":
        kind, name, version = where.split("/")
        repo.write((artifacts.dataset if kind == "datasets" else artifacts.model)(name, version))
    elif what == "swap":
        one, other, aside = (repo.path / place for place in (where, f"{where[:-1]}2", "aside"))
        for old, new in ((one, aside), (other, one), (aside, other)):
            if old.exists():
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
    elif (repo.path / where).exists():
        if what == "remove":
            shutil.rmtree(repo.path / where)
        elif what == "tamper":
            repo.write({f"{where}/extra.csv": b"tampered\n"})
        else:
            repo.write({f"{where}/metadata.yaml": dump_yaml({"kind": "dataset", "description": "told otherwise"})})
