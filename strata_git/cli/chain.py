"""What `git strata run --chain` adds to `run`: the chain's file as an experiment, and what it would cost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from strata_git.cli.output import note, out, out_json, table
from strata_git.cli.pipelines import configured, secrets_of
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable

if TYPE_CHECKING:
    from strata_git.pipeline.chain.estimate import Estimate
    from strata_git.pipeline.deploy.records import Records
    from strata_git.repo.command import Repository
    from strata_git.runs.spec import RunSpec


def chain_spec(
    session: Session, file: str, overrides: Sequence[str], tags: Sequence[str], profile: str | None, *, again: bool
) -> RunSpec:
    """The run that a chain's file describes. `again`: answers of earlier runs are not taken."""
    from dataclasses import replace

    from strata_git.pipeline.chain.spec import load_chain

    path = session.cwd / file
    if not path.is_file():
        raise UsageError(f"There is no chain {printable(file)}.", hint=_known(session))
    spec = load_chain(path.read_bytes(), file=file, overrides=overrides, tags=tags, profile=profile)
    _, settings = configured(session, spec.params.get("settings", ()), profile)  # what is wrong is told before a run
    limit = settings.pipelines.execution.time_limit_s
    resources = {"time_limit_s": limit} if limit else {}
    if not again:
        return replace(spec, resources=resources)
    from secrets import token_hex

    return replace(spec, resources=resources, params={**spec.params, "salt": token_hex(8)})


def prompts_to_commit(session: Session, spec: RunSpec) -> list[str]:
    """Directories of the prompt versions that a chain asks and HEAD lacks: its record cites them."""
    from strata_git.contracts.layout import CHECKSUMS, parse_reference
    from strata_git.errors import StrataError
    from strata_git.pipeline.chain.spec import PLUGIN, chain_of

    if spec.plugin != PLUGIN:
        return []
    repo = session.repository()
    try:
        asked = dict.fromkeys(step.prompt for step in chain_of(spec).steps if step.prompt is not None)
    except StrataError:  # a chain that could not be run cites nothing
        return []
    paths = [parse_reference(reference, kind="prompt").artifact("prompt").path for reference in asked]
    head = repo.head()
    return [path for path in paths if head is None or not _has(repo, f"{head}:{path}/{CHECKSUMS}")]


def _has(repo: Repository, name: str) -> bool:
    try:
        repo.objects.read(name)
    except KeyError:
        return False
    return True


def records_of(session: Session, spec: RunSpec, sink: str) -> Records:
    """Where the run gets its number from and its record goes, beside the work tree: an S3 sink of strata.yaml."""
    from strata_git.pipeline.deploy.records import open_records

    root, settings = configured(session, spec.params.get("settings", ()), spec.params.get("profile"))
    return open_records(settings.pipelines, sink, secrets_of(session, root, settings), session.environ)


def dry_run(session: Session, spec: RunSpec, style: str) -> int:
    """Tell what the chain would ask and cost. No model is asked."""
    from strata_git.pipeline.chain.plugin import estimates
    from strata_git.runs.catalog import load_plugin, require

    root = session.repository().require_worktree()
    require(load_plugin(spec.plugin, root).requires, "A chain")
    found, counts = estimates(spec, root, session.environ, session.mask())
    total = (
        None if any(one.cost is None for one in found) else sum((one.cost or Decimal(0) for one in found), Decimal(0))
    )
    if style == "json":
        out_json({
            "schema": "strata/chain-estimate/v1", **counts,
            "steps": [_plain(one) for one in found],
            "cost": None if total is None else {"amount": str(total), "currency": "USD"},
        })  # fmt: skip
        return 0
    out(f"{counts['documents']} documents, {counts['chunks']} chunks")
    rows = [(one.step, one.model, str(one.calls), f"{one.input_tokens:,}", f"{one.output_tokens:,}", _price(one.cost))
            for one in found]  # fmt: skip
    out(table(rows, ("step", "model", "calls", "tokens in", "tokens out", "USD at most")))
    note("estimated: answers are taken to be as long as they may be, nothing to be remembered; nobody was asked")
    return 0


def _price(cost: Decimal | None) -> str:
    return "unknown (see price_as)" if cost is None else f"{cost:.4f}"


def _plain(one: Estimate) -> dict[str, object]:
    return {
        "id": one.step, "model": one.model, "calls": one.calls, "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens, "cost": None if one.cost is None else str(one.cost),
    }  # fmt: skip


def _known(session: Session) -> str:
    found = sorted(path.name for path in (session.cwd / "chains").glob("*.yaml"))
    return f"There are: {', '.join(printable(f'chains/{name}') for name in found)}" if found else ""
