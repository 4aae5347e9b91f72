"""`git strata process`: documents of a connector as text and chunks, in a run and, when asked, a dataset version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.pipelines import configured, followed, settings_options
from strata_git.cli.run import EXIT, tell_tracking, tracking_option, watched
from strata_git.cli.session import Session
from strata_git.errors import printable

if TYPE_CHECKING:
    from strata_git.runs.execute import RunOutcome
    from strata_git.runs.spec import RunSpec

_SHOWN = 20
"""Documents left out that are told on the terminal; all of them are in the report."""


@click.command()
@click.option("--connector", required=True, metavar="NAME", help="The connector of strata.yaml to read from.")
@click.option("--select", metavar="GLOB", multiple=True, help="Names that fit this pattern only; again for more.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="But none that fit this one; again for more.")
@click.option("--limit", type=click.IntRange(min=1), help="No more than so many documents.")
@click.option("--dataset", metavar="NAME", help="Make the next version of this dataset out of them.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Documents read at a time (default: a processor each).")
@click.option(
    "--engine",
    type=click.Choice(["none", "loky", "dask", "ray"]),
    help="Where they are read: here (none), in joblib's processes, on a Dask or Ray cluster (else: execution.engine).",
)
@click.option("--scheduler", metavar="ADDRESS", help="The Dask or Ray cluster (default: one on this machine).")
@click.option("--strict", is_flag=True, help="Exit with 2 when a document was left out.")
@click.option("--tag", "tags", metavar="NAME=TEXT", multiple=True, help="Label the run.")
@tracking_option
@click.option("--commit", is_flag=True, help="Commit what was made (hooks run).")
@settings_options
@format_option
@click.pass_obj
def command(session: Session, /, *, dataset: str | None, strict: bool, commit: bool, style: str, **asked: Any) -> int:
    """Read documents, whatever they are, into text and chunks.

    A document that is damaged, encrypted or too large is left out and named in the run's report; the run goes on.
    How they are cut, and whether text is read from pictures, says the section processing of strata.yaml.
    """
    from strata_git.pipeline.process_dataset import require_name
    from strata_git.runs.execute import execute
    from strata_git.runs.tracking_choice import choose

    repo = session.repository()
    if dataset is not None:
        require_name(dataset)
    spec = _spec(session, asked)
    note(f"processing the connector {printable(asked['connector'])} ...")
    choice = choose(session.settings(), session.environ, asked["tracking"] or "")
    if choice.note:
        note(choice.note)
    with followed(session), watched() as steps:
        outcome = execute(repo, session.settings(), spec, session.environ, open_tracker=choice.open, steps=steps)
    told: dict[str, object] = {"schema": "strata/process/v1", "run": outcome.id, "status": outcome.status}
    paths = [outcome.path]
    report = _report(session, outcome)
    if outcome.status == "succeeded" and dataset is not None:
        paths += _version(session, dataset, outcome, asked, told)
    if style == "json":
        out_json(told | {"path": outcome.path, "error": outcome.error, "report": report})
    else:
        _show(outcome, report, told)
    tell_tracking(outcome)
    _settle(session, outcome, paths, commit=commit and outcome.status == "succeeded")
    if strict and report and report["left_out"]:
        return 2
    return EXIT[outcome.status]


def _spec(session: Session, asked: Mapping[str, Any]) -> RunSpec:
    """The run: what of the settings it depends on stands in it, so that the record says all."""
    from strata_git.contracts.layout import NAME
    from strata_git.pipeline.documents.ocr.engines import engine
    from strata_git.pipeline.process import engine_of
    from strata_git.pipeline.sources.catalog import named
    from strata_git.runs.spec import RunSpec, pair
    from strata_git.runs.system import cpu_facts

    name = asked["connector"]
    _, settings = configured(session, asked["overrides"], asked["profile"])
    named(settings.pipelines.connectors, name, "connector", "connectors")
    processing = settings.pipelines.processing
    engine(processing.ocr.engine, processing.ocr.languages, float(processing.timeout_s), session.environ)
    usable = cpu_facts()["usable"]
    engine_of(settings.pipelines.execution, asked["jobs"] or 1, asked)
    params: dict[str, Any] = {
        "connector": name,
        "select": list(asked["select"]),
        "exclude": list(asked["exclude"]),
        **({"limit": asked["limit"]} if asked["limit"] else {}),
        **processing.model_dump(mode="json", exclude_none=True),
        "jobs": asked["jobs"] or settings.pipelines.execution.jobs or (usable if isinstance(usable, int) else 1),
        **{key: asked[key] for key in ("engine", "scheduler") if asked[key]},
        **({"settings": list(asked["overrides"])} if asked["overrides"] else {}),
        **({"profile": asked["profile"]} if asked["profile"] else {}),
    }
    tags = dict(pair(text, "--tag") for text in asked["tags"])
    experiment = f"process-{name}"
    return RunSpec(experiment if NAME.fullmatch(experiment) else "process", "process", params=params, tags=tags)


def _report(session: Session, outcome: RunOutcome) -> dict[str, Any] | None:
    path = session.repository().require_worktree() / outcome.path / "artifacts" / "report.json"
    if not path.is_file():
        return None
    report: dict[str, Any] = json.loads(path.read_bytes())
    return report


def _version(
    session: Session, name: str, outcome: RunOutcome, asked: Mapping[str, Any], told: dict[str, object]
) -> list[str]:
    """Make the dataset's version, or find that there is nothing new; what there is to commit for it."""
    from strata_git.pipeline.process_dataset import add, unchanged

    repo = session.repository()
    same = unchanged(repo, name, repo.require_worktree() / outcome.path / "artifacts")
    if same is not None:
        told["dataset"], told["changed"] = same.reference, False
        return []
    selected = " ".join(asked["select"])
    added = add(repo, name, outcome.id, source=f"connector {asked['connector']}{': ' + selected if selected else ''}")
    told["dataset"], told["changed"] = added.artifact.reference, True
    return [added.artifact.path]


def _show(outcome: RunOutcome, report: Mapping[str, Any] | None, told: Mapping[str, object]) -> None:
    out(f"{outcome.path}  {outcome.status}")
    if outcome.error is not None:
        note(f"{outcome.status}: {outcome.error}")
        note(f"its log: {outcome.path}/logs.txt")
    if report is not None:
        about = "" if report["tokenizer"]["exact"] else " (estimated)"
        out(f"  {report['documents']} documents, {report['chunks']} chunks, {report['tokens']} tokens{about}")
        left = report["left_out"]
        if left:
            note(f"{len(left)} documents were left out; all that is known: {outcome.path}/artifacts/report.md")
            rows = [(one["document"], one["why"], one["reason"]) for one in left[:_SHOWN]]
            out(table(rows, ("left out", "why", "what is wrong")))
    if "dataset" in told:
        out(f"{told['dataset']}  {'made' if told['changed'] else 'holds the same already: no new version'}")


def _settle(session: Session, outcome: RunOutcome, paths: list[str], *, commit: bool) -> None:
    from strata_git.authoring.commit import commit_paths

    repo = session.repository()
    message = f"Process documents: {outcome.id}"
    if commit:
        note(f"committed {commit_paths(repo, paths, message).oid}")
        return
    note("next:")
    note(f"  {session.commit_command(paths, message)}")
