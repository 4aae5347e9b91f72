"""`git strata init --template`: what comes with git-strata, and folders of one's own, hostile ones among them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from strata_git.authoring import templates
from strata_git.authoring.init import DIRECTORIES, init
from strata_git.authoring.templates import SHIPPED, read_template
from strata_git.config import load_settings
from strata_git.doctor.judge import judge_commit, judge_worktree
from strata_git.errors import StrataError, UsageError
from strata_git.load import load_json
from strata_git.resources import folder
from strata_git.runs.spec import load_spec
from tests.runs.running import perform, record_of
from tests.support.builder import RepositoryBuilder
from tests.support.process import run

ROOT = Path(__file__).parents[2]
RUN = "experiments/nearest_centroid.yaml"


def made(which: str, hermetic: dict[str, str], tmp_path: Path, **options: bool) -> RepositoryBuilder:
    target = tmp_path / "w"
    init(target, hermetic, template=read_template(which, target, tmp_path), **options)
    return RepositoryBuilder(target, hermetic)


def files(repo: RepositoryBuilder) -> set[str]:
    found = (
        path for path in repo.path.rglob("*") if path.is_file() and ".git/" not in f"{path}/"[len(str(repo.path)) :]
    )
    return {path.relative_to(repo.path).as_posix() for path in found}


# --- those that come with git-strata


@pytest.mark.parametrize("which", SHIPPED)
def test_each_passes_its_own_doctor_after_the_first_commit(
    which: str, hermetic: dict[str, str], tmp_path: Path
) -> None:
    repo = made(which, hermetic, tmp_path)
    before = judge_worktree(repo.repository())
    repo.commit("Make a workspace")
    after = judge_commit(repo.repository(), "HEAD")
    assert (before.exit_code(strict=True), after.exit_code(strict=True)) == (0, 0)
    assert repo.git("status", "--porcelain") == ""


def test_minimal_is_settings_and_gits_own_files(hermetic: dict[str, str], tmp_path: Path) -> None:
    assert files(made("minimal", hermetic, tmp_path)) == {"strata.yaml", ".gitattributes", ".gitignore"}


def test_the_example_adds_to_a_whole_workspace(hermetic: dict[str, str], tmp_path: Path) -> None:
    repo = made("example", hermetic, tmp_path)
    assert {path.split("/")[0] for path in files(repo)} >= set(DIRECTORIES)
    settings = load_settings(repo.read("strata.yaml"))
    assert (settings.lfs, len(settings.repository)) == (True, 36)
    assert b"connectors:" in repo.read("strata.yaml")
    assert b"An example workspace" in repo.read("README.md")
    train, pointer = repo.read("datasets/iris/v1/train/train.csv"), b"version https://git-lfs"
    repo.commit("Make a workspace")
    assert not train.startswith(pointer)
    assert repo.git("cat-file", "blob", "HEAD:datasets/iris/v1/train/train.csv").encode().startswith(pointer)


def test_the_example_runs_without_any_extra(hermetic: dict[str, str], tmp_path: Path) -> None:
    repo = made("example", hermetic, tmp_path)
    repo.commit("Make a workspace")
    outcome = perform(repo, load_spec(repo.read(RUN), file=RUN))
    assert (outcome.status, outcome.model) == ("succeeded", "centroids.json")
    assert outcome.metrics == {"test_accuracy": pytest.approx(41 / 45), "train_accuracy": pytest.approx(97 / 105)}
    assert record_of(repo, outcome.id).inputs[0].ref == "datasets/iris@v1"
    again = perform(repo, load_spec(repo.read(RUN), file=RUN))
    models = [repo.read(f"runs/{one.id}/artifacts/centroids.json") for one in (outcome, again)]
    assert models[0] == models[1]
    centroids = load_json(models[0]).value["centroids"]  # type: ignore[index,call-overload]
    assert centroids["setosa"][2] == pytest.approx(1.46, abs=0.05)  # Fisher's mean petal length of setosa is 1.462


def test_an_artifact_that_is_there_is_left_alone(hermetic: dict[str, str], tmp_path: Path) -> None:
    mine = tmp_path / "w/datasets/iris/v1/mine.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("a\n")
    repo = made("example", hermetic, tmp_path)
    assert {path for path in files(repo) if path.startswith("datasets/iris")} == {"datasets/iris/v1/mine.csv"}
    assert "prompts/summarise/v1/prompt.yaml" in files(repo)


def test_a_second_time_changes_nothing(hermetic: dict[str, str], tmp_path: Path) -> None:
    before = files(made("example", hermetic, tmp_path))
    target = tmp_path / "w"
    again = init(target, hermetic, template=read_template("example", target, tmp_path))
    assert again.written == ()
    assert files(RepositoryBuilder(target, hermetic)) == before


@pytest.mark.extras
def test_what_the_example_holds_is_made_by_the_product() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/example_data.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\nrun: python scripts/example_data.py"


def test_its_sums_are_those_of_sha256sum(hermetic: dict[str, str]) -> None:
    for place in ("datasets/iris/v1", "prompts/summarise/v1"):
        directory = folder("templates") / "example" / place
        run("sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt", cwd=directory, environ=hermetic).expect(0)


def test_from_nothing_to_a_model_with_commit(
    hermetic: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from strata_git.cli.main import main

    monkeypatch.setattr("strata_git.runs.catalog.missing_extras", lambda extras: [*extras])
    assert main(["init", str(tmp_path / "w"), "--template", "example", "--commit"]) == 0
    told = capsys.readouterr()
    assert "recorded without MLflow" in told.err
    repo = RepositoryBuilder(tmp_path / "w", hermetic)
    log = repo.git("log", "--format=%s").split("\n")
    assert [line.partition(" ")[0] for line in log] == ["Add", "Run", "Make"]
    assert repo.git("status", "--porcelain") == ""
    verdict = judge_commit(repo.repository(), "HEAD")
    assert (verdict.artifacts, verdict.exit_code(strict=True)) == (4, 0)
    (record,) = (path for path in repo.paths() if path.endswith("run.yaml"))
    first = repo.git("rev-list", "--max-parents=0", "HEAD")
    assert first in repo.git("show", f"HEAD:{record}")  # the run names the commit it came from, which is here


# --- folders of one's own


@pytest.fixture
def own(tmp_path: Path) -> Path:
    place = tmp_path / "mine"
    (place / "experiments").mkdir(parents=True)
    (place / "experiments/x.yaml").write_text("plugin: sklearn\n")
    (place / "setup.sh").write_text("#!/bin/sh\n")
    (place / "setup.sh").chmod(0o755)
    (place / "strata.yaml").write_text(
        "schema: strata/settings/v1\nrepository: 6f1c1f1e-5a44-4c55-9d6b-7a1f30c8f0b2\nlfs: false\n"
        "# ours\ndoctor: {ignore: [STR-D003]}\n"
    )
    (place / ".gitignore").write_text("out/\n")
    return place


def test_a_folder_is_laid_over_a_whole_workspace(own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    (own / ".git").mkdir()
    (own / ".git/config").write_text("[core]\n\tfsmonitor = touch /tmp/h5-owned\n")
    repo = made("mine", hermetic, tmp_path)
    assert {"experiments/x.yaml", "setup.sh", "tools/doctor.py", "tfc/0001-layout.md"} <= files(repo)
    assert os.access(repo.path / "setup.sh", os.X_OK)
    assert not os.access(repo.path / "experiments/x.yaml", os.X_OK)
    settings = load_settings(repo.read("strata.yaml"))
    assert settings.doctor_ignore == ("STR-D003",)
    assert settings.repository not in ("", "6f1c1f1e-5a44-4c55-9d6b-7a1f30c8f0b2")  # each repository has its own
    assert not settings.lfs
    assert b"# ours" in repo.read("strata.yaml")
    assert b"fsmonitor" not in repo.read(".git/config")
    assert {"out/", ".strata/local/", ".env"} <= set(repo.read(".gitignore").decode().splitlines())


def test_contracts_are_never_replaced(own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    (own / "tfc").mkdir()
    (own / "tfc/0001-layout.md").write_text("anything goes\n")
    assert b"anything goes" not in made("mine", hermetic, tmp_path).read("tfc/0001-layout.md")


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1b[2Jb", "b\u202ec", "aux.txt", "dot.", "a:b", "-", ".gitmodules", "e\u0301"]
)
def test_hostile_names_are_refused_before_anything_is_written(
    name: str, own: Path, hermetic: dict[str, str], tmp_path: Path
) -> None:
    (own / name).write_text("x")
    with pytest.raises(StrataError, match="cannot be used") as caught:
        made("mine", hermetic, tmp_path)
    assert caught.value.message.isprintable()
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "path",
    [".env", "sub/.git/hooks/pre-commit", "a/.GIT/config", ".strata/local/x", ".strata/trust/policy.yaml", "Datasets/x",
     "experiments/X.yaml"],
)  # fmt: skip
def test_places_that_are_not_a_templates(path: str, own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    (own / "datasets").mkdir()
    (own / "datasets/.gitkeep").touch()
    (own / path).parent.mkdir(parents=True, exist_ok=True)
    (own / path).write_text("x")
    with pytest.raises(StrataError, match="cannot be used"):
        made("mine", hermetic, tmp_path)


def test_names_that_are_no_text_are_refused(own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(own) + b"/\xff")).write_text("x")
    with pytest.raises(StrataError, match="not UTF-8"):
        made("mine", hermetic, tmp_path)


@pytest.mark.parametrize("target", ["/etc/hostname", "setup.sh", "nowhere"])
def test_links_are_refused(target: str, own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    (own / "link").symlink_to(target)
    with pytest.raises(StrataError, match="link is a symbolic link"):
        made("mine", hermetic, tmp_path)


def test_so_are_links_to_directories_and_special_files(own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    (own / "sub").symlink_to("/etc")
    with pytest.raises(StrataError, match="sub is a symbolic link"):
        made("mine", hermetic, tmp_path)
    (own / "sub").unlink()
    os.mkfifo(own / "pipe")
    with pytest.raises(StrataError, match="pipe is neither"):
        made("mine", hermetic, tmp_path)


def test_a_template_has_an_end(
    own: Path, hermetic: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(templates, "FILES", 2)
    with pytest.raises(StrataError, match="one too many"):
        made("mine", hermetic, tmp_path)


def test_settings_that_cannot_be_read_are_told_at_once(own: Path, hermetic: dict[str, str], tmp_path: Path) -> None:
    (own / "strata.yaml").write_text("sign: always\n")
    with pytest.raises(StrataError, match="unknown setting 'sign'"):
        made("mine", hermetic, tmp_path)
    assert not (tmp_path / "w").exists()


def test_one_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_template("nope", tmp_path / "w", tmp_path)
    assert all(name in caught.value.hint for name in SHIPPED)


def test_a_workspace_does_not_lie_in_its_own_template(own: Path) -> None:
    for target in (own, own / "w"):
        with pytest.raises(UsageError):
            read_template(str(own), target, own)


# --- loading .env


ENV = """\
# a comment

  PLAIN=one two
export EXPORTED=yes
QUOTED="a $HOME `touch owned` b"
SINGLE='it''s'
EMPTY=
EQUALS=a=b
not a line
1BAD=x
LAST=end"""


def test_the_shell_loads_lines_as_data(tmp_path: Path, hermetic: dict[str, str]) -> None:
    (tmp_path / ".env").write_text(ENV)
    script = folder("templates") / "workspace/tools/load-env.sh"
    names = ("PLAIN", "EXPORTED", "QUOTED", "SINGLE", "EMPTY", "EQUALS", "LAST")
    show = "; ".join(f'printf "%s\\n" "${name}"' for name in names)
    done = run("sh", "-euc", f'. "{script}"; {show}; set | grep -c _strata_env || :', cwd=tmp_path, environ=hermetic)
    told = done.expect(0)
    assert told.out.splitlines() == [
        "one two", "yes", "a $HOME `touch owned` b", "it''s", "", "a=b", "end", "0"
    ]  # fmt: skip
    assert told.err.count("passed over") == 2
    assert "7 variables from .env" in told.err
    assert not (tmp_path / "owned").exists()


def test_the_shell_says_when_there_is_nothing_to_load(tmp_path: Path, hermetic: dict[str, str]) -> None:
    script = folder("templates") / "workspace/tools/load-env.sh"
    told = run("sh", "-euc", f'. "{script}"', cwd=tmp_path, environ=hermetic).expect(0)
    assert "cp .env.example .env" in told.err


def test_powershell_loads_lines_as_data_too() -> None:
    """There is no PowerShell here to run it; it holds what the shell's twin holds, and nothing that runs a text."""
    script = (folder("templates") / "workspace/tools/load-env.ps1").read_text()
    assert "SetEnvironmentVariable($name, $value, 'Process')" in script
    assert not any(word in script.lower() for word in ("invoke-expression", "iex", "invoke-command", "expandstring"))
    assert script.count("{") == script.count("}")


def test_the_example_of_env_loads(hermetic: dict[str, str], tmp_path: Path) -> None:
    repo = made("workspace", hermetic, tmp_path)
    repo.write({".env": repo.read(".env.example").replace(b"\n#", b"\n")})
    assert ".env" not in repo.git("status", "--porcelain", "--untracked-files=all").split()
    told = run("sh", "-euc", '. tools/load-env.sh; printf %s "$MLFLOW_EXPERIMENT"', cwd=repo.path, environ=hermetic)
    assert told.expect(0).out == "my-experiment"
