"""`git strata runs`: what is done with the records of runs once they are there."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from strata_git.cli import runs_sync
from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import printable


@click.group()
def command() -> None:
    """Publish, prune, renumber and complete the records of runs."""


@command.command()
@click.argument("runs", nargs=-1)
@click.option("--remote", default=None, metavar="NAME", help="Where to (default: the only remote, else origin).")
@format_option
@click.pass_obj
def push(session: Session, runs: tuple[str, ...], remote: str | None, style: str) -> None:
    """Publish the work trees kept for RUNS (all, when none is named), so that others can reproduce them.

    A run from a work tree that was not as HEAD keeps it under refs/strata/runs/. Nothing else pushes those references.
    """
    from strata_git.authoring.remote import remote_named
    from strata_git.runs.publish_kept import push_kept

    repo = session.repository()
    done = push_kept(repo, remote_named(repo, remote), runs)
    if style == "json":
        out_json({"schema": "strata/runs-push/v1", "remote": done.remote, "new": done.new, "known": done.known})
        return
    for run in done.new:
        out(f"{run}  pushed")
    for run in done.known:
        out(f"{run}  there already")
    if not (done.new or done.known):
        note("no work tree is kept: every run here came from a commit")


@command.command()
@click.option("--keep-days", type=click.IntRange(min=0), help="Keep runs of the last N days.")
@click.option("--keep-runs", type=click.IntRange(min=0), help="Keep the newest N runs.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be taken.")
@format_option
@click.pass_obj
def prune(session: Session, keep_days: int | None, keep_runs: int | None, dry_run: bool, style: str) -> None:
    """Take old runs out of the work tree, and drop the work trees kept for them.

    What to keep stands in strata.yaml under retention; options go before it. Runs that a model, a receipt, a service or
    another run names stay, and those that are not committed as they lie there: the rest comes back from history.
    """
    from strata_git.pipeline.settings import load
    from strata_git.runs.citing import citations
    from strata_git.runs.prune import plan
    from strata_git.runs.prune import prune as take

    repo = session.repository()
    if keep_days is None and keep_runs is None:
        retention = load(repo.require_worktree(), session.environ).pipelines.retention
        keep_days, keep_runs = retention.keep_days, retention.keep_runs
    wanted = plan(repo, citations(repo), now=datetime.now(UTC), keep_days=keep_days, keep_runs=keep_runs)
    if not dry_run:
        take(repo, wanted)
    if style == "json":
        staying = [{"run": one.run, "reason": one.reason} for one in wanted.staying]
        told = {"runs": dict(wanted.runs), "references": sorted(wanted.references), "staying": staying}
        out_json({"schema": "strata/runs-prune/v1", "done": not dry_run, "bytes": wanted.bytes, **told})
        return
    rows = [(run, f"{size:,} bytes") for run, size in wanted.runs.items()]
    rows += [(name, "reference") for name in wanted.references]
    word = "would be taken" if dry_run else "taken"
    out(table(rows, ("what", word)) if rows else "nothing to take")
    for one in wanted.staying:
        note(f"{one.run} stays: {printable(one.reason)}")
    if wanted.runs and not dry_run:
        note("next:")
        note(f'  git add -u runs && git commit -m "Prune {len(wanted.runs)} runs"')


@command.command()
@click.argument("run")
@format_option
@click.pass_obj
def renumber(session: Session, run: str, style: str) -> None:
    """Give RUN, which is not published, another number: two clones may take the same one."""
    from strata_git.runs.citing import citations
    from strata_git.runs.renumber import renumber as give

    repo = session.repository()
    done = give(repo, run, citations(repo))
    if style == "json":
        told = {"old": done.old, "new": done.new, "digest": done.digest, "introduced": done.introduced or None}
        out_json({"schema": "strata/runs-renumber/v1", **told})
        return
    out(f"runs/{done.new}  was {done.old}")
    note("next:")
    paths = f"runs/{done.old} runs/{done.new}"
    if not done.introduced:
        note(f'  git add runs/{done.new} && git commit -m "Run {done.new}"')
    elif done.introduced == repo.head():
        note(f"  git add --all {paths} && git commit --amend --no-edit")
    else:
        short = done.introduced[:12]
        note(f"  git add --all {paths} && git commit --fixup={short} && git rebase --autosquash {short}~")
    note("MLflow goes on showing the run under its old number")


@command.command()
@format_option
@click.pass_obj
def recover(session: Session, style: str) -> None:
    """Put on record the runs whose process is gone: killed ones, and those whose record could not be completed."""
    from strata_git.runs.recover import record_killed

    done = record_killed(session.repository())
    if style == "json":
        rows = [{"run": one.id, "status": one.status} for one in done]
        out_json({"schema": "strata/runs-recover/v1", "runs": rows})
        return
    for one in done:
        out(f"runs/{one.id}  {one.status}")
    if not done:
        note("no run waits for its record")


command.add_command(runs_sync.command)
