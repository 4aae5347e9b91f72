"""`git strata show`: all about one artifact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import printable

if TYPE_CHECKING:
    from strata_git.contracts.layout import Artifact


@click.command()
@click.argument("reference")
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@format_option
@click.pass_obj
def command(session: Session, reference: str, revision: str, style: str) -> None:
    """Show who made an artifact, from what, its files and its stages."""
    from strata_git.index.build import build
    from strata_git.index.describe import describe
    from strata_git.index.export import artifact_document
    from strata_git.index.render import artifact_text
    from strata_git.integrity.gpg import Gpg

    repo, verifier = session.repository(), Gpg(None, environ=session.environ)
    description = describe(repo, build(repo, revision), reference, verifier)
    receipts = _receipts(session, description.record.artifact)
    if style == "json":
        out_json({**artifact_document(description), **({"receipts": receipts} if receipts else {})})
        return
    out(artifact_text(description))
    for one in receipts:
        counts = "" if one["signed"] else ", whose signature does not count"
        out(printable(f"  made again: {one['verdict']}, says {one['signer']}{counts}  ({one['ref']})"))


def _receipts(session: Session, artifact: Artifact) -> list[dict[str, object]]:
    """Who made a run again, and what came of it; signatures judged as the trust policy, or the user's keys, have it."""
    from strata_git.ledger.receipts import read_receipts

    if artifact.kind != "run" or not read_receipts(session.repository(), run=artifact.name):
        return []
    from datetime import UTC, datetime

    from strata_git.ledger.assurances import present_keys
    from strata_git.ledger.trust import read_trust

    repo = session.repository()
    keys = present_keys(repo, read_trust(repo, session.settings().repository), now=datetime.now(UTC))
    return [
        {
            "ref": one.ref,
            "oid": one.oid,
            "signer": one.signer,
            "signed": one.signed,
            "digest": one.record.digest if one.record else None,
            "verdict": one.record.verdict if one.record else f"nothing ({one.flaw})",
            "issued_at": one.record.issued_at if one.record else None,
        }
        for one in read_receipts(repo, keys, run=artifact.name)
    ]
