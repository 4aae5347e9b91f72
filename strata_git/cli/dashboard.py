"""`git strata dashboard`: the repository as pages to look at, written to a directory or served on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import UsageError

if TYPE_CHECKING:
    from strata_git.dashboard.server import Live

PORT = 8765


@click.command()
@click.option(
    "--static", "directory", type=click.Path(file_okay=False, path_type=Path),
    help="Write the pages below this directory and end; they need no server.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True,
              help="Where to listen on 127.0.0.1; 0 takes a free port.")  # fmt: skip
@click.option("--open", "opened", is_flag=True, help="Open the first page in the browser.")
@click.option("--title", default="", help="What the pages are headed by; the directory's name when not given.")
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@click.option(
    "--federation", is_flag=True,
    help="Show all repositories of `git strata federate list` as one, from what was fetched of them.",
)  # fmt: skip
@click.pass_obj
def command(
    session: Session, directory: Path | None, port: int, opened: bool, title: str, revision: str, federation: bool
) -> None:
    """Show datasets, runs, models, lineage, promotions and findings as web pages.

    With --static the pages are files that work without a server; without it they are served, and follow the repository.
    """
    if federation and revision != "HEAD":
        raise UsageError("--federation shows each repository as it is now; --at goes with one alone.")
    live = _site(session, title, revision, federation)
    if directory is not None:
        _write(live, session.cwd / directory, opened)
    else:
        _serve(live, port, opened)


def _site(session: Session, title: str, revision: str, federation: bool) -> Live:
    """What is shown, nothing of it read yet."""
    from strata_git.dashboard.federated import LiveFederation
    from strata_git.dashboard.server import Live
    from strata_git.integrity.gpg import Gpg

    repo = session.repository()
    if federation:
        return LiveFederation(repo, title=title, settings=session.settings)
    return Live(repo, revision, Gpg(None, environ=session.environ), title)


def _write(live: Live, directory: Path, opened: bool) -> None:
    from strata_git.dashboard.static import claim, write_site

    claim(directory)  # before anything is read: a directory that is not ours is refused at once
    site = live.made()
    written = write_site(site, directory, _counting(len(site.files)))
    out(f"{written.files} files, {written.changed} changed, {written.removed} removed")
    first = directory / "index.html"
    out(f"open {first}")
    if opened:
        click.launch(first.as_uri())


def _counting(total: int) -> Callable[[int], None] | None:
    """Tells how far it got, on one line, where somebody looks on."""
    if not sys.stderr.isatty():
        return None
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if done % 100 == 0 or done == total:
            click.echo(f"\r{done} of {total} pages", err=True, nl=done == total)

    return step


def _serve(live: Live, port: int, opened: bool) -> None:
    from strata_git.dashboard.server import listen, serve
    from strata_git.doctor.judge import require_commit

    if live.revision != "HEAD":
        require_commit(live.repo, live.revision)
    listening = listen(port)

    def ready(address: str) -> None:
        out(f"ready {address}")
        note("Ctrl-C ends it.")
        if opened:
            click.launch(address)

    serve(live, listening, ready)
