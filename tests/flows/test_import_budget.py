"""The commit path stays light: what is loaded is what the commit needs, measured in the process git itself starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

HEAVY = {
    "click", "rich", "pydantic", "pydantic_settings", "yaml", "git", "pygit2", "gnupg", "mlflow", "sqlalchemy",
    "numpy", "pandas", "sklearn", "skops", "matplotlib", "asyncio", "logging", "argparse", "http", "importlib.metadata",
    "tempfile", "typing_extensions",
}  # fmt: skip
PARSING = {"yaml"}
"""What a new artifact may cost whose metadata is not of the plainest form."""
PLAINEST = 75
"""Most modules of ours that a commit of a new dataset loads."""

WITNESS = """\
#!{python}
import json, sys
from strata_git.hooks.entry import main
code = main(sys.argv[1:])
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1], sorted(sys.modules)]) + "\\n")
sys.exit(code)
"""


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """Hooks that call the real entry point and then write down what it has loaded."""
    made = builder().workspace().install_hooks()
    program = made.path.parent / "witness"
    program.write_text(WITNESS.format(python=sys.executable, log=str(log_of(made))))
    program.chmod(0o755)
    for hook in (made.path / ".git/hooks").iterdir():
        if hook.suffix != ".sample":
            lines = hook.read_text().split("\n")
            hook.write_text("\n".join(f"hook='{program}'" if line.startswith("hook=") else line for line in lines))
    made.dataset("iris")
    made.commit("Release iris@v1")
    log_of(made).unlink()
    return made


def log_of(repo: RepositoryBuilder) -> Path:
    return repo.path.parent / "loaded.jsonl"


def loaded(repo: RepositoryBuilder, hook: str) -> set[str]:
    """The heavy modules that the last run of a hook has loaded."""
    rows = [json.loads(line) for line in log_of(repo).read_text().splitlines()]
    modules = next(set(names) for name, names in reversed(rows) if name == hook)
    return {name for name in HEAVY if name in modules}


def modules(repo: RepositoryBuilder, hook: str) -> int:
    """How many modules of ours the last run of a hook has loaded."""
    rows = [json.loads(line) for line in log_of(repo).read_text().splitlines()]
    return next(sum(each.startswith("strata_git") for each in names) for name, names in reversed(rows) if name == hook)


def test_the_witness_sees(repo: RepositoryBuilder) -> None:
    repo.dataset("tulips", metadata={"description": "Tulipes à Paris"})
    repo.commit("tulips")
    assert loaded(repo, "pre-commit") >= PARSING


def test_a_commit_of_something_else_starts_no_python(repo: RepositoryBuilder) -> None:
    repo.commit("Something else", {"notes.txt": "x", "src/datasets/x.py": "x"})
    assert not log_of(repo).exists()


def test_a_refused_change_of_a_release_known_from_before(repo: RepositoryBuilder) -> None:
    """Its verdict is remembered from the doctor; only facts are left to gather."""
    repo.commit("Something else", {"notes.txt": "x"})  # what HEAD itself introduced could still be amended
    repo.write({"datasets/iris/v1/train.csv": "tampered\n"})
    repo.git("add", "--all")
    repo.strata("doctor", "--staged").expect(2)
    assert repo.try_git("commit", "-qm", "tamper").code == 1
    assert loaded(repo, "pre-commit") == set()


def test_only_artifacts_judged_before(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("tulips"))
    repo.git("add", "--all")
    repo.strata("doctor", "--staged").expect(0)
    repo.git("commit", "-qm", "tulips")
    assert loaded(repo, "pre-commit") == set()


def test_a_new_artifact_costs_nothing_heavy(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("tulips", seal=False))
    repo.commit("tulips")
    assert loaded(repo, "pre-commit") == set()
    assert modules(repo, "pre-commit") <= PLAINEST


def test_one_that_is_written_otherwise_costs_yaml(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("tulips", seal=False, metadata={"description": "One.\nTwo."}))
    repo.commit("tulips")
    assert loaded(repo, "pre-commit") == PARSING


def test_the_way_after_a_commit(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("tulips", seal=False))
    repo.git("add", "--all")
    repo.git("commit", "-qm", "tulips", "datasets/tulips/v1")
    assert loaded(repo, "post-commit") == set()


def test_a_push_of_what_was_judged_before(repo: RepositoryBuilder, builder: Builder) -> None:
    """Judged when it was committed: the push asks history, loads nothing and passes."""
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    repo.strata("doctor", "--at", "HEAD").expect(0)
    repo.git("push", "-q", "origin", "main")
    assert loaded(repo, "pre-push") == set()


def test_messages_are_light(repo: RepositoryBuilder) -> None:
    """Asked anew (an editor, a message that names artifacts), and asked of nothing (`git commit -m`)."""
    repo.write(artifacts.dataset("tulips", seal=False))
    repo.git("add", "--all")
    repo.git("commit", "-qm", "tulips")
    assert set(ran(repo)) == {"pre-commit"}
    repo.git("commit", "-q", "--amend", "-m", "Again")
    assert loaded(repo, "prepare-commit-msg") == loaded(repo, "commit-msg") == set()


def ran(repo: RepositoryBuilder) -> list[str]:
    """The hooks that have started Python."""
    return [json.loads(line)[0] for line in log_of(repo).read_text().splitlines()]
