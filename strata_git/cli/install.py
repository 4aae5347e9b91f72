"""`git strata install`: put the hooks into this repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session

if TYPE_CHECKING:
    from strata_git.repo.command import Repository


@click.command(short_help="Install the hooks, beside everybody else's.")
@click.option(
    "--mode", type=click.Choice(["auto", "config", "shim"]), default="auto", show_default=True,
    help="config: named in the repository's configuration (git >= 2.54); shim: files in the hooks directory.",
)  # fmt: skip
@click.option("--write-config", is_flag=True, help="Let pre-commit, prek, husky or lefthook, who own hooks, call ours.")
@click.pass_obj
def command(session: Session, mode: Literal["auto", "config", "shim"], write_config: bool) -> int:
    """Install the client's hooks here; in a bare repository pre-receive. Doing it again renews them.

    Hooks of git-lfs and scripts of others stay in force. Where a framework owns a hook it is left, and the lines that
    let it call ours are printed, or written with --write-config. Exit code 1 when something is left for you to do.
    """
    from strata_git.authoring.merge import configure_driver
    from strata_git.hooks.install import install

    repo = session.repository()
    told = []
    if write_config:
        from strata_git.hooks.framework_config import write_config as write

        told += write(repo)
    done = {outcome.name for outcome in told}
    told += [one for one in install(repo, mode) if not (one.left and one.name in done)]
    out("\n".join([*map(str, told), *configure_driver(repo)]))
    _warn_of_older(repo)
    return 1 if any(outcome.left for outcome in told) else 0


def _warn_of_older(repo: Repository) -> None:
    if repo.worktree is None:
        return
    from strata_git.doctor.hooks import hook_facts

    for path, version in hook_facts(repo).older_gits:
        note(f"git {version} ({path}) does not run hooks that configuration names; for both: --mode shim")
