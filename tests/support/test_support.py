"""The ground holds: sealed, deterministic, real."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from strata_git.checks.engine import judge_artifact, judge_workspace
from strata_git.contracts.base import Contract, parse
from strata_git.contracts.dataset import DatasetMetadata
from strata_git.contracts.experiment import RunConfig
from strata_git.contracts.model import ModelMetadata, ModelMetrics
from strata_git.contracts.prompt import PromptBody, PromptMetadata
from strata_git.contracts.run import RunRecord
from strata_git.load import load_yaml
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.environment import sealed
from tests.support.fixtures import Builder
from tests.support.keys import LONG_AGO, Keys
from tests.support.process import Completed


def test_leaks_are_removed_and_the_rest_is_kept(tmp_path: Path) -> None:
    environ = sealed(tmp_path, tmp_path, {"GIT_DIR": "x", "GPG_TTY": "x", "PATH": "/bin", "TMPDIR": "/t"})
    assert (environ["PATH"], environ["TMPDIR"]) == (f"{Path(sys.executable).parent}:/bin", "/t")
    assert {"GIT_DIR", "GPG_TTY"}.isdisjoint(environ)


def test_the_process_itself_is_sealed(hermetic: dict[str, str]) -> None:
    assert {name: os.environ[name] for name in hermetic if name != "PYTEST_CURRENT_TEST"} == {
        name: value for name, value in hermetic.items() if name != "PYTEST_CURRENT_TEST"
    }
    assert len(hermetic["GNUPGHOME"]) < 80
    origins = subprocess.run(["git", "config", "--show-origin", "--list"], capture_output=True, text=True, cwd="/")
    assert {line.split("\t")[0] for line in origins.stdout.splitlines() if line.startswith("file:")} == {
        f"file:{hermetic['GIT_CONFIG_GLOBAL']}"
    }


def test_commits_have_the_same_ids_every_time(builder: Builder) -> None:
    repo = builder()
    first = repo.commit("One", {"a.txt": "a\n"})
    assert first == builder("again").commit("One", {"a.txt": b"a\n"})
    assert repo.git("show", "-s", "--format=%aI %an") == "2026-01-05T12:01:00Z Ada Tester".replace("Z", "+00:00")
    assert repo.commit("Two") != first
    assert repo.git("show", "-s", "--format=%ct") == "1767614520"


def test_files_links_and_modes(builder: Builder) -> None:
    repo = builder().write({"bin/x": "#!/bin/sh\n", "gone": ""}).chmod({"bin/x": 0o755}).symlink({"link": "bin/x"})
    repo.delete("gone").commit()
    listed = repo.git("ls-tree", "-r", "HEAD").splitlines()
    assert [(line.split()[0], line.split("\t")[1]) for line in listed] == [
        ("100755", "bin/x"),
        ("120000", "link"),
    ]


@pytest.mark.parametrize(("object_format", "length"), [("sha1", 40), ("sha256", 64)])
def test_object_formats(builder: Builder, object_format: str, length: int) -> None:
    assert len(builder(object_format=object_format).commit()) == length


def test_worktrees_clones_and_bare_repositories(builder: Builder) -> None:
    repo, server = builder(), builder("server", bare=True)
    head = repo.commit("One", {"a": "a"})
    repo.git("push", "--quiet", server.path.as_uri(), "main")
    assert server.clone("second").head == head == repo.worktree("topic").head


def test_a_traceback_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="Traceback"):
        Completed(("x",), 0, "", "Traceback (most recent call last)").clean()
    with pytest.raises(AssertionError, match="expected exit code"):
        Completed(("x",), 3, "", "").expect(0)


def test_artifacts_satisfy_sha256sum(builder: Builder) -> None:
    repo = builder().workspace()
    story = repo.story()
    for artifact in (story.dataset, story.run, story.model, repo.prompt()):
        subprocess.run(
            ["sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt"],
            cwd=repo.path / artifact.path,
            check=True,
        )


DOCUMENTS: tuple[tuple[dict[str, bytes], str, type[Contract]], ...] = (
    (artifacts.dataset(), "datasets/iris/v1/metadata.yaml", DatasetMetadata),
    (artifacts.model(), "models/forest/v1/metadata.yaml", ModelMetadata),
    (artifacts.model(), "models/forest/v1/metrics.yaml", ModelMetrics),
    (artifacts.prompt(), "prompts/summarise/v1/metadata.yaml", PromptMetadata),
    (artifacts.prompt(), "prompts/summarise/v1/prompt.yaml", PromptBody),
    (artifacts.run(), f"runs/{artifacts.RUN}/run.yaml", RunRecord),
    (artifacts.run(), f"runs/{artifacts.RUN}/config.yaml", RunConfig),
)


@pytest.mark.parametrize(("files", "path", "contract"), DOCUMENTS, ids=[path for _, path, _ in DOCUMENTS])
def test_artifacts_satisfy_their_contracts(files: dict[str, bytes], path: str, contract: type[Contract]) -> None:
    parse(contract, load_yaml(files[path]))


def test_artifacts_and_workspace_have_no_findings(builder: Builder) -> None:
    repo = builder().workspace()
    story = repo.story()
    repo.git("add", "--all")
    tree = repo.tree()
    for artifact in (story.dataset, story.run, story.model, repo.prompt()):
        assert judge_artifact(repo.tree(), artifact).findings == (), artifact
    assert judge_workspace(tree) == ()


def test_an_artifact_can_be_broken_in_one_place() -> None:
    path = "datasets/iris/v1"
    whole = artifacts.dataset()
    assert f"{path}/CHECKSUMS.txt" not in artifacts.dataset(seal=False)
    assert b"licence" not in artifacts.dataset(metadata={"licence": artifacts.ABSENT})[f"{path}/metadata.yaml"]
    tampered = artifacts.dataset(replace={"train.csv": b"x"})
    assert {name for name in whole if whole[name] != tampered[name]} == {f"{path}/train.csv"}
    assert artifacts.sealed(tampered, path) == artifacts.dataset(
        replace={
            "train.csv": b"x",
            "CHECKSUMS.txt": artifacts.sealed(tampered, path)[f"{path}/CHECKSUMS.txt"],
        }
    )


def test_keys_sign_for_stock_gpg(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"text")
    (tmp_path / "x.asc").write_bytes(keys.sign(b"text", "alice"))
    answer = keys.gpg("--status-fd", "1", "--verify", str(tmp_path / "x.asc"), str(tmp_path / "x")).out
    assert f"VALIDSIG {keys.alice}" in answer
    assert keys.alice != keys.bob


def test_odd_keys(keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"text")
    keys.expired()
    keys.locked()
    (tmp_path / "old.asc").write_bytes(keys.sign(b"text", "expired", at=LONG_AGO))
    (tmp_path / "locked.asc").write_bytes(keys.sign(b"text", "locked"))
    (tmp_path / "bob.asc").write_bytes(keys.sign(b"text", "bob"))
    keys.revoke("bob")
    words = {"old": "EXPKEYSIG", "locked": "GOODSIG", "bob": "REVKEYSIG"}
    for name, word in words.items():
        done = subprocess.run(
            ["gpg", "--status-fd", "1", "--verify", tmp_path / f"{name}.asc", tmp_path / "x"],
            capture_output=True,
        )
        assert word in done.stdout.decode()


def test_a_key_without_its_secret_half_cannot_sign(keys: Keys) -> None:
    keys.forget_secret("bob")
    with pytest.raises(AssertionError, match="expected exit code"):
        keys.sign(b"text", "bob")


def test_large_files_go_to_lfs(lfs: RepositoryBuilder) -> None:
    lfs.dataset("iris")
    lfs.commit("Add iris")
    assert lfs.git("show", "HEAD:datasets/iris/v1/train.csv").startswith("version https://git-lfs.github.com/spec/v1")
    assert lfs.git("show", "HEAD:datasets/iris/v1/metadata.yaml").startswith("kind: dataset")
    assert lfs.read("datasets/iris/v1/train.csv") == artifacts.TRAIN
