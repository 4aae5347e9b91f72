"""`git strata init`: make a workspace, or adopt a repository as one."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from strata_git.authoring.init import Initialised, init
from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError


@click.command()
@click.argument("directory", default=".", type=click.Path(path_type=Path))
@click.option("--example", is_flag=True, help="Add example experiments.")
@click.option("--no-hooks", is_flag=True, help="Leave the hooks alone; `git strata install` adds them later.")
@click.option("--no-lfs", is_flag=True, help="Keep payload in Git itself.")
@click.pass_obj
def command(session: Session, directory: Path, example: bool, no_hooks: bool, no_lfs: bool) -> None:
    """Make DIRECTORY a workspace, or adopt the repository that is there.

    Files that exist are never overwritten; running it again completes what is missing.
    """
    made = init(session.cwd / directory, session.environ, example=example, lfs=not no_lfs)
    root = made.repository.require_worktree()
    out(f"{'Made' if made.created else 'Adopted'} the repository {root}")
    for path in made.written:
        out(f"  wrote {path}")
    for line in made.settings:
        out(f"  {line}")
    if made.kept:
        out(f"  kept {len(made.kept)} existing files: {', '.join(made.kept)}")
    if not no_hooks:
        _install_hooks(made)
    _tell_lacking(made)
    _tell_next(made, root, session.cwd)


def _install_hooks(made: Initialised) -> None:
    from strata_git.hooks.install import install

    try:
        for line in install(made.repository):
            out(f"  {line}")
    except StrataError as error:  # the workspace is made all the same
        note(f"The hooks were not installed: {error.message}\n  {error.hint}")


def _tell_lacking(made: Initialised) -> None:
    for name, lines in made.lacking.items():
        note(f"\n{name} was here before and lacks these lines; add them at its end:")
        for line in lines:
            note(f"  {line}")


def _tell_next(made: Initialised, root: Path, cwd: Path) -> None:
    steps = [] if root == cwd else [f"cd {shlex.quote(str(root))}"]
    if made.written:
        added = "-A" if made.created else shlex.join(made.written)
        steps.append(f"git add {added} && git commit -m 'Make a workspace'")
    steps += ["git strata dataset add DATA.csv --name NAME", "git strata doctor"]
    examples = [path for path in made.written if path.startswith("experiments/") and path.endswith(".yaml")]
    if examples:
        steps.append(f"git strata run {examples[0]}")
    out("\nNext:")
    for step in steps:
        out(f"  {step}")
