"""`.pre-commit-hooks.yaml` as pre-commit and prek take it: from a repository, by id, at every stage.

The twins that need no network stand for all; the others differ from them in `language` alone, and one heavy test
installs those.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from strata_git.hooks.entry import HOOKS
from tests.flows.releasing import PLACE, TAMPERINGS
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.process import Completed, run

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
IDS = {hook["id"]: hook for hook in yaml.safe_load(MANIFEST.read_text())}
JUDGING = ["strata-immutable", "strata-metadata", "strata-lfs", "strata-secrets", "strata"]
STAGES = "[pre-commit, pre-merge-commit, prepare-commit-msg, commit-msg, post-commit, pre-push]"
SECRET = "AWS_SECRET_ACCESS_KEY=" + "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzTESTKEYz\n"


@dataclass(frozen=True, slots=True)
class Framework:
    """A workspace whose hooks one of the two programs owns."""

    program: str
    repo: RepositoryBuilder
    package: RepositoryBuilder

    def __call__(self, *words: str) -> Completed:
        command = Path(sys.executable).with_name(self.program)
        return run(command, *words, cwd=self.repo.path, environ=self.repo.environ).clean()

    def use(self, *ids: str) -> None:
        """Take these hooks, in this order, and install all stages."""
        hooks = "".join(f"      - id: {identity}-system\n" for identity in ids)
        self.repo.write(
            {
                ".pre-commit-config.yaml": f"default_install_hook_types: {STAGES}\nrepos:\n"
                f"  - repo: {self.package.path}\n    rev: {self.package.head}\n    hooks:\n{hooks}"
            }
        )
        self.repo.git("add", ".pre-commit-config.yaml")
        self("install").expect(0)

    def failed(self, *words: str) -> dict[str, str]:
        """What each failing hook said in one run, by id."""
        out = self("run", "--color=never", *words).out
        told = re.split(r"^.*\.{3,}.*(?:Passed|Failed|Skipped)\n", out, flags=re.MULTILINE)
        found = [(re.search(r"- hook id: (\S+)-system", text), text) for text in told]
        return {match[1]: text for match, text in found if match}


@pytest.fixture(params=[pytest.param("pre-commit", marks=pytest.mark.heavy), "prek"])
def framework(builder: Builder, request: pytest.FixtureRequest) -> Framework:
    package = builder("package")
    package.commit("Manifest", {".pre-commit-hooks.yaml": MANIFEST.read_bytes()})
    return Framework(request.param, builder().workspace(), package)


def rules(text: str) -> set[str]:
    return set(re.findall(r"STR-[A-Z]\d{3}", text))


# --- the manifest


@pytest.mark.parametrize("program", ["pre-commit", "prek"])
def test_both_programs_take_it(program: str, hermetic: dict[str, str]) -> None:
    command = Path(sys.executable).with_name(program)
    run(command, "validate-manifest", MANIFEST, cwd=ROOT, environ=hermetic).expect(0)


def test_every_hook_has_a_twin_and_nothing_is_filtered_away() -> None:
    plain = [identity for identity in IDS if not identity.endswith("-system")]
    assert len(IDS) == 2 * len(plain)
    for identity in plain:
        hook, twin = IDS[identity], IDS[f"{identity}-system"]
        assert (hook["language"], twin["language"]) == ("python", "system")
        program, name = hook["entry"].split(" ")
        assert program == "git-strata-hook"
        assert name in HOOKS
        of_message = any(stage.endswith("commit-msg") for stage in hook["stages"])
        assert (hook["always_run"], hook["require_serial"]) == (True, True)
        assert hook.get("pass_filenames", True) is of_message, "the message's file comes as the name of a file"
        assert hook["minimum_pre_commit_version"] == "3.2.0"
        same = ("entry", "stages", "always_run", "pass_filenames", "require_serial", "verbose")
        assert [hook.get(key) for key in same] == [twin.get(key) for key in same]


def test_every_hook_is_told_of() -> None:
    text = (ROOT / "docs/pre-commit.md").read_text()
    assert [identity for identity in IDS if f"`{identity}`" not in text and not identity.endswith("-system")] == []


# --- commits


def test_each_subject_tells_of_its_own_and_mending_lets_pass(framework: Framework) -> None:
    """One run, and what the doctor says of the same staged tree; then everything is put right."""
    repo = framework.repo
    repo.dataset("iris")
    repo.commit("Release iris@v1")
    repo.commit("Something else", {"notes.txt": "x\n"})
    framework.use(*JUDGING)
    repo.commit("Hooks", None, "--no-verify")
    repo.write(artifacts.dataset("rose", metadata={"licence": artifacts.ABSENT}))
    repo.write({"experiments/.env": SECRET})
    repo.git("rm", "-q", f"{PLACE}/train.csv")
    repo.write({"strata.yaml": artifacts.workspace(lfs=True)["strata.yaml"]})  # which no attributes put into practice
    repo.git("add", "--all")
    told = {identity: rules(text) for identity, text in framework.failed().items()}
    assert set(told) == set(JUDGING)
    assert told["strata-immutable"] == {"STR-I002"}
    assert told["strata-lfs"] == {"STR-F001"}
    assert told["strata-secrets"] == {"STR-G001"}
    assert told["strata-metadata"] == {"STR-D001", "STR-Y002"}
    said = json.loads(repo.strata("doctor", "--staged", "--format", "json").out)["findings"]
    assert told["strata"] == {row["rule"] for row in said if row["severity"] != "info"}
    repo.git("reset", "-q", "--hard")
    repo.write(artifacts.dataset("rose", seal=False))
    repo.git("add", "--all")
    repo.git("commit", "-qm", "Rose")
    assert "datasets/rose/v1/CHECKSUMS.txt" in repo.paths()


def test_what_file_filters_pass_over_is_refused(framework: Framework) -> None:
    """A mode alone; deletions and links: `test_hook_frameworks`."""
    repo = framework.repo
    way = "executable"
    repo.dataset("iris")
    repo.commit("Release iris@v1")
    repo.commit("Something else", {"notes.txt": "x\n"})
    framework.use("strata-immutable")
    TAMPERINGS[way].apply(repo)
    repo.git("add", "--all")
    assert TAMPERINGS[way].rule in framework.failed()["strata-immutable"]


def test_seal_only_then_the_message(framework: Framework) -> None:
    repo = framework.repo
    repo.commit("Workspace")
    framework.use("strata-checksums", "strata-seal-sync", "strata-trailers", "strata-commit-msg")
    repo.write(artifacts.dataset("iris", seal=False))
    repo.git("add", "datasets")
    repo.git("commit", "-qsm", "Iris", "datasets")
    assert f"{PLACE}/CHECKSUMS.txt" in repo.paths()
    assert repo.git("status", "--porcelain") == "A  .pre-commit-config.yaml"
    lines = repo.git("show", "-s", "--format=%B").split("\n")
    assert lines[-2:] == ["Strata-Dataset: datasets/iris@v1", ""] or lines[-1] == "Strata-Dataset: datasets/iris@v1"
    answer = repo.try_git("commit", "-qm", "More\n\nStrata-Model: models/none@v1")
    assert answer.code != 0
    assert "STR-K002" in answer.out + answer.err
    unlike = artifacts.dataset("rose", seal=False)
    repo.write(unlike)
    repo.git("add", "datasets")
    repo.git("rm", "-q", "--cached", "datasets/rose/v1/test.csv")
    assert "STR-C008" in framework("run", "strata-checksums-system").out


def test_signing_where_asked_for(framework: Framework, keys: object) -> None:
    repo = framework.repo
    repo.git("config", "user.signingkey", getattr(keys, "alice", ""))
    repo.commit("Workspace")
    framework.use("strata", "strata-sign")
    repo.write(artifacts.dataset("iris", seal=False))
    repo.git("add", "--all")
    repo.git("commit", "-qm", "Iris")
    assert f"{PLACE}/SIGNATURE.asc" in repo.paths()
    repo.strata("verify", "datasets/iris@v1").expect(0)


def test_half_staged_files(framework: Framework) -> None:
    """Judged is the staged half; the other half comes back."""
    repo = framework.repo
    repo.dataset("iris")
    repo.commit("Release iris@v1")
    repo.commit("Something else", {"notes.txt": "x\n"})
    framework.use("strata")
    good = repo.read(f"{PLACE}/train.csv")
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    repo.git("add", "--all")
    repo.write({f"{PLACE}/train.csv": good})
    assert "STR-I001" in framework.failed()["strata"]
    assert repo.read(f"{PLACE}/train.csv") == good
    repo.git("add", "--all")
    repo.write({f"{PLACE}/train.csv": "only on the disk\n"})
    assert framework.failed() == {}
    assert repo.read(f"{PLACE}/train.csv") == b"only on the disk\n"


# --- without a commit


def test_everything_a_range_and_the_doctor(framework: Framework) -> None:
    """What CI does. The bad commit is undone by the next one, so that only the range shows it."""
    repo = framework.repo
    repo.dataset("iris")
    repo.commit("Release iris@v1")
    framework.use(*JUDGING[:1], "strata", "strata-doctor")
    start = repo.commit("Hooks", None, "--no-verify")
    TAMPERINGS["one byte"].apply(repo)
    bad = repo.commit("Bad", None, "--no-verify")
    assert set(framework.failed("--all-files")) == {"strata"}
    framework("run", "--hook-stage", "manual", "--all-files", "strata-doctor-system").expect(1)
    repo.git("revert", "--no-edit", "HEAD")
    assert framework.failed("--all-files") == {}
    framework("run", "--hook-stage", "manual", "--all-files", "strata-doctor-system").expect(0)
    told = framework.failed("--from-ref", start, "--to-ref", "HEAD")
    assert set(told) == {"strata-immutable", "strata"}
    assert bad[:12] in told["strata"]
    assert framework.failed("--from-ref", "HEAD", "--to-ref", "HEAD") == {}


def test_pushing(framework: Framework, builder: Builder) -> None:
    """Commits are judged, on the first push too; what is unseen is said."""
    repo = framework.repo
    repo.dataset("iris")
    repo.commit("Release iris@v1")
    framework.use("strata-verify")
    repo.commit("Hooks")
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    answer = repo.try_git("push", "-q", "origin", "main").expect(0)
    assert "notes and deletions are not seen" in answer.out + answer.err
    TAMPERINGS["one byte"].apply(repo)
    repo.commit("Bad", None, "--no-verify")
    answer = repo.try_git("push", "-q", "origin", "main")
    assert answer.code != 0
    assert "STR-I001" in answer.out + answer.err
    repo.git("push", "-q", "origin", "main~1:refs/heads/other")
    answer = repo.try_git("push", "-q", "origin", "main:refs/heads/new")
    assert "STR-I001" in answer.out + answer.err


def test_trying_the_repository(framework: Framework) -> None:
    repo = framework.repo
    repo.dataset("iris", metadata={"licence": artifacts.ABSENT})
    repo.git("add", "--all")
    answer = framework("try-repo", str(framework.package.path), "strata-system", "--all-files")
    assert answer.code == 1
    assert "STR-Y002" in answer.out


@pytest.mark.heavy
def test_installed_by_the_framework(framework: Framework, tmp_path: Path) -> None:
    """`language: python`: this project, cloned and installed with its dependencies from the package registry."""
    listed = run("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT, environ=framework.repo.environ)
    for name in listed.expect(0).out.split("\0")[:-1]:
        if (ROOT / name).is_file():
            target = framework.package.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    framework.package.commit("All of it")
    repo = framework.repo
    repo.dataset("iris", metadata={"licence": artifacts.ABSENT})
    repo.git("add", "--all")
    answer = framework("try-repo", str(framework.package.path), "strata", "--all-files")
    assert "STR-Y002" in answer.out, str(answer)
