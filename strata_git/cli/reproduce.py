"""`git strata reproduce`: a run made again, and compared."""

from __future__ import annotations

import math

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.promote import key_option, terminal
from strata_git.cli.run import watched
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable


@click.command()
@click.argument("run")
@click.option(
    "--tolerance", "tolerances", metavar="METRIC=X", multiple=True,
    help="A difference of this metric (* and ? stand for other characters) that does not count; "
    "without it the run's own tolerance does, else none.",
)  # fmt: skip
@click.option("--keep", is_flag=True, help="Add the new record to runs/, under a number of its own.")
@click.option("--receipt", is_flag=True, help="Sign what came of it: a receipt that a trust policy can ask for.")
@key_option
@format_option
@click.pass_obj
def command(
    session: Session, run: str, tolerances: tuple[str, ...], keep: bool, receipt: bool, key: str, style: str
) -> int:
    """Make RUN again from its commit, configuration, seed and inputs, and compare what comes out.

    It works in a place of its own below the git directory: the work tree, the index, runs/ and MLflow stay as they are.
    Exit code 0: identical; 1: within tolerance; 2: it differs.
    """
    from strata_git.runs.reproduce import reproduce
    from strata_git.runs.reproduce_compare import EXIT
    from strata_git.runs.reproduce_record import named_run
    from strata_git.runs.reproduce_told import lines, plain

    repo, name = session.repository(), named_run(run)
    bounds = _bounds(tolerances)
    if receipt:
        from strata_git.runs.receipt import prepare

        prepare(repo, session.settings(), key=key, terminal=terminal())
    note(f"making {name} again ...")
    with watched() as steps:
        made = reproduce(repo, name, tolerances=bounds, keep=keep, steps=steps)
    signed: dict[str, object] = {}
    if receipt:
        from strata_git.runs.receipt import sign_receipt

        written = sign_receipt(repo, session.settings(), made, key=key, terminal=terminal())
        signed = {"receipt": {"ref": written.ref, "oid": written.oid, "signer": written.signer}}
    if style == "json":
        out_json({"schema": "strata/reproduction/v1", **plain(made), **signed})
        return EXIT[made.verdict]
    for line in lines(made):
        out(printable(line))
    for line in made.log:
        note(f"  | {line}")
    if made.kept:
        note(f"its record: runs/{made.kept}")
    if receipt:
        note(f"receipt: {written.ref}, signed by {written.signer}")
        note("Publish it:\n  git strata push")
    return EXIT[made.verdict]


def _bounds(told: tuple[str, ...]) -> dict[str, float]:
    """`name=0.01` as pairs; UsageError for what is no such pair."""
    found = {}
    for text in told:
        name, _, number = text.rpartition("=")
        try:
            bound = float(number)
        except ValueError:
            bound = math.nan
        if not name or not math.isfinite(bound) or bound < 0:
            raise UsageError(
                f"--tolerance {printable(text)} is not METRIC=X, X a number from 0 on.",
                hint="For example --tolerance test_f1=0.01, or for all metrics --tolerance '*=1e-9'",
            )
        found[name] = bound
    return found
