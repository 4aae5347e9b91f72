"""`git strata init`: a workspace from nothing, from a repository, and again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from strata_git.authoring.init import init
from strata_git.config import load_settings
from strata_git.errors import StrataError
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.process import run


@pytest.fixture
def workspace(hermetic: dict[str, str], tmp_path: Path) -> RepositoryBuilder:
    init(tmp_path / "w", hermetic)
    return RepositoryBuilder(tmp_path / "w", hermetic)


def attributes(repo: RepositoryBuilder, path: str) -> dict[str, str]:
    out = repo.git("check-attr", "-z", "filter", "diff", "merge", "text", "--", path).split("\0")
    return {out[at + 1]: out[at + 2] for at in range(0, len(out) - 2, 3)}


LFS = {"filter": "lfs", "diff": "lfs", "merge": "lfs", "text": "unset"}
PLAIN = {"filter": "unspecified", "diff": "unspecified", "merge": "unspecified", "text": "unset"}


@pytest.mark.parametrize(
    "path",
    [
        "datasets/iris/v1/data/train.csv",
        "datasets/iris/v1/deep/er/x.parquet",
        "datasets/iris/v1/noextension",
        "datasets/iris/v1/a b/é.bin",
        "datasets/iris/v1/yaml",
        "models/forest/v2/model.skops",
        "models/forest/v10/x.onnx",
        "runs/run-2026-01-05-001/artifacts/model.skops",
        "runs/run-2026-01-05-001/artifacts/plots/roc.png",
    ],
)
def test_payload_goes_to_lfs(workspace: RepositoryBuilder, path: str) -> None:
    assert attributes(workspace, path) == LFS


@pytest.mark.parametrize(
    "path",
    [
        "datasets/iris/v1/CHECKSUMS.txt",
        "datasets/iris/v1/data/labels.json",
        "datasets/.gitkeep",
        "models/forest/v1/card.md",
        "models/forest/v1/model.sig",
        "prompts/summarise/v1/prompt.yaml",
        "prompts/summarise/v1/x.bin",
        "runs/run-2026-01-05-001/logs.txt",
        "runs/run-2026-01-05-001/artifacts/notes.txt",
    ],
)
def test_contract_texts_stay_in_git_with_their_bytes(workspace: RepositoryBuilder, path: str) -> None:
    assert attributes(workspace, path) == PLAIN


@pytest.mark.parametrize(
    "path",
    [
        "datasets/iris/v1/metadata.yaml",
        "models/forest/v1/metadata.yaml",
        "models/forest/v1/metrics.yaml",
        "prompts/summarise/v1/metadata.yaml",
        "runs/run-2026-01-05-001/run.yaml",
        "runs/run-2026-01-05-001/metrics.json",
    ],
)
def test_documents_are_merged_by_key(workspace: RepositoryBuilder, path: str) -> None:
    assert attributes(workspace, path) == {**PLAIN, "merge": "strata"}


@pytest.mark.parametrize("path", ["strata.yaml", "experiments/forest.yaml", "chains/summarise.yaml"])
def test_so_are_texts_around_the_artifacts(workspace: RepositoryBuilder, path: str) -> None:
    assert attributes(workspace, path)["merge"] == "strata"


@pytest.mark.parametrize("path", ["datasets/iris/v1/SIGNATURE.asc", "runs/run-2026-01-05-001/SIGNATURE.asc"])
def test_signatures_are_never_merged_by_line(workspace: RepositoryBuilder, path: str) -> None:
    assert attributes(workspace, path) == {**PLAIN, "merge": "unset"}


@pytest.mark.parametrize("path", ["README.md", "experiments/x.csv", "x/datasets/iris/v1/a.csv"])
def test_what_is_no_artifact_is_left_alone(workspace: RepositoryBuilder, path: str) -> None:
    assert set(attributes(workspace, path).values()) == {"unspecified"}


def test_without_lfs_nothing_is_filtered_and_bytes_still_stay(hermetic: dict[str, str], tmp_path: Path) -> None:
    init(tmp_path / "w", hermetic, lfs=False)
    repo = RepositoryBuilder(tmp_path / "w", hermetic)
    assert attributes(repo, "datasets/iris/v1/a.csv") == PLAIN
    assert not load_settings(repo.read("strata.yaml")).lfs
    assert repo.try_git("config", "--local", "filter.lfs.process").code == 1


def test_a_second_time_changes_nothing(workspace: RepositoryBuilder) -> None:
    def state() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in workspace.path.rglob("*") if path.is_file()}

    before = state()
    again = init(workspace.path, workspace.environ)
    assert (again.created, again.written, again.settings, again.lacking) == (False, (), (), {})
    assert state() == before
    assert load_settings(workspace.read("strata.yaml")).repository


def test_each_workspace_has_its_own_identity(hermetic: dict[str, str], tmp_path: Path) -> None:
    found = set()
    for name in ("a", "b"):
        init(tmp_path / name, hermetic)
        found.add(load_settings((tmp_path / name / "strata.yaml").read_bytes()).repository)
    assert len(found) == 2


def test_adopting_keeps_every_file_and_tells_what_is_lacking(builder: Builder) -> None:
    repo = builder().write({"README.md": "mine", ".gitattributes": "*.png binary\ndatasets/**  filter=lfs x\n"})
    repo.write({"datasets/iris/v1/a.csv": "a"})
    repo.commit()
    done = repo.strata("init", "--no-hooks").expect(0)
    assert repo.read("README.md") == b"mine"
    assert repo.read(".gitattributes").startswith(b"*.png")
    assert "datasets/** filter=lfs diff=lfs merge=lfs -text" in done.err
    assert "git add -A" not in done.out
    assert not (repo.path / "datasets/.gitkeep").exists()
    assert (repo.path / "models/.gitkeep").read_bytes() == b""


def test_notes_travel_and_fetching_still_works_where_there_are_none(builder: Builder) -> None:
    server = builder("server", bare=True)
    repo = builder()
    repo.commit("One", {"a": "a"})
    repo.git("remote", "add", "origin", server.path.as_uri())
    repo.git("push", "--quiet", "origin", "main")
    init(repo.path, repo.environ)
    repo.git("fetch", "--quiet")
    repo.git("notes", "--ref", "strata", "add", "-m", "event", "HEAD")
    repo.git("push", "--quiet", "origin", "refs/notes/strata")
    repo.git("fetch", "--quiet")
    noted = repo.git("rev-parse", "refs/notes/strata")
    assert repo.git("rev-parse", "refs/notes/remotes/origin/strata") == noted
    assert repo.git("config", "--local", "--get-all", "notes.displayRef") == "refs/notes/strata"
    assert repo.git("config", "--local", "--get-all", "notes.rewriteRef") == "refs/notes/strata"


@pytest.mark.parametrize("place", ["datasets", ".github", "tools"])
def test_a_file_where_a_directory_belongs_is_refused_before_anything_is_written(builder: Builder, place: str) -> None:
    repo = builder().write({place: "x"})
    with pytest.raises(StrataError, match="must be a directory"):
        init(repo.path, repo.environ)
    assert [path.name for path in repo.path.iterdir() if path.name != ".git"] == [place]


def test_a_link_where_a_file_belongs_is_refused(builder: Builder) -> None:
    repo = builder().symlink({"strata.yaml": "/etc/passwd"})
    with pytest.raises(StrataError, match="must be a plain file"):
        init(repo.path, repo.environ)


def test_a_directory_inside_a_repository_is_not_made_one(builder: Builder) -> None:
    repo = builder()
    with pytest.raises(StrataError, match="lies inside the repository"):
        init(repo.path / "sub", repo.environ)
    assert not (repo.path / "sub").exists()


def test_the_branch_is_main_and_the_first_commit_and_doctor_pass(hermetic: dict[str, str], tmp_path: Path) -> None:
    outside = RepositoryBuilder(tmp_path, hermetic)
    outside.strata("init", "--example", "w").expect(0)
    repo = RepositoryBuilder(tmp_path / "w", hermetic)
    assert repo.git("symbolic-ref", "HEAD") == "refs/heads/main"
    repo.strata("doctor").expect(0)
    repo.commit("Make a workspace")
    repo.strata("doctor", "--strict").expect(0)
    assert list((repo.path / "experiments").glob("*.yaml"))
    assert "filter=lfs" in repo.git("show", "HEAD:.gitattributes")


@pytest.mark.parametrize("tool", ["doctor", "index", "run"])
def test_tools_are_thin_callers(workspace: RepositoryBuilder, tool: str) -> None:
    script = workspace.path / f"tools/{tool}.py"
    done = run(sys.executable, script, "--help", cwd=workspace.path, environ=workspace.environ)
    assert f"git strata {tool}" in done.expect(0).out
    assert len([line for line in script.read_text().splitlines() if line]) == 3


def test_the_doctor_tool_judges(workspace: RepositoryBuilder) -> None:
    script = workspace.path / "tools/doctor.py"
    run(sys.executable, script, "--strict", cwd=workspace.path, environ=workspace.environ).expect(0)


def test_the_index_tool_lists(workspace: RepositoryBuilder) -> None:
    workspace.commit("Make a workspace")
    words = (sys.executable, workspace.path / "tools/index.py", "--json", "index.json")
    run(*words, cwd=workspace.path, environ=workspace.environ).expect(0)
    assert b'"schema": "strata/index/' in workspace.read("index.json")


def test_the_workflow_is_sound_yaml_and_fails_at_two(workspace: RepositoryBuilder) -> None:
    import yaml

    workflow = yaml.safe_load(workspace.read(".github/workflows/strata.yml"))
    steps = workflow["jobs"]["judge"]["steps"]
    assert steps[0]["with"] == {"fetch-depth": 0, "lfs": False, "persist-credentials": False}
    script = steps[-1]["run"]
    for answer, expected in ((0, 0), (1, 0), (2, 2), (3, 3)):
        shell = f"git() {{ return {answer}; }}\n{script}"
        run("bash", "-e", "-c", shell, cwd=workspace.path, environ=workspace.environ | {"STRICT": ""}).expect(expected)
