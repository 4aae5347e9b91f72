"""What tests on commit messages share: artifacts to stage, messages to read, editors that do as they are told."""

from __future__ import annotations

from pathlib import Path

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

IRIS, ROSE = "Strata-Dataset: datasets/iris@v1", "Strata-Dataset: datasets/rose@v1"


def stage(repo: RepositoryBuilder, *names: str) -> None:
    for name in names:
        repo.write(artifacts.dataset(name, seal=False))
    repo.git("add", "--all")


def message(repo: RepositoryBuilder, revision: str = "HEAD") -> list[str]:
    return repo.git("show", "-s", "--format=%B", revision).rstrip("\n").split("\n")


def editor(repo: RepositoryBuilder, script: str) -> dict[str, str]:
    """An editor: a shell script on the message's file, `$1`. What it is shown lies in `seen`."""
    path = repo.path.parent / "editor"
    path.write_text(f'#!/bin/sh\ncp "$1" "{path.parent}/seen"\n{script}\n')
    path.chmod(0o755)
    return {"GIT_EDITOR": str(path)}


def seen(repo: RepositoryBuilder) -> str:
    return (repo.path.parent / "seen").read_text()


WRITES = """{ echo Written; cat "$1"; } >"$1.new" && mv "$1.new" "$1" """


def watch(repo: RepositoryBuilder) -> Path:
    """The hooks of the message start a program that only notes their names; the file in which it does."""
    log = repo.path.parent / "started"
    program = repo.path.parent / "witness"
    program.write_text(f'#!/bin/sh\necho "$1" >>"{log}"\n')
    program.chmod(0o755)
    for name in ("prepare-commit-msg", "commit-msg"):
        hook = repo.path / ".git/hooks" / name
        lines = hook.read_text().split("\n")
        hook.write_text("\n".join(f"hook='{program}'" if line.startswith("hook=") else line for line in lines))
    return log
