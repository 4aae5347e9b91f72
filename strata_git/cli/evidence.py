"""`git strata evidence`: one archive for an auditor."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import StrataError, printable


@click.command()
@click.argument("reference", metavar="MODEL@stage|REF")
@click.option("-o", "--output", required=True, metavar="FILE.tar.gz", help="The archive to write.")
@click.option("--with-data", is_flag=True, help="Put all files in, not the records alone.")
@click.option("--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit.")
@click.option("--force", is_flag=True, help="Replace an archive that is there already.")
@format_option
@click.pass_obj
def command(
    session: Session, reference: str, output: str, with_data: bool, revision: str, force: bool, style: str
) -> int:
    """Pack everything that proves REF into one archive that git, gpg and sha256sum can verify.

    In it are the events, approvals and policies with their signatures and keys, the records of all it was made from,
    and a script. Ends with 2 when something on the way is missing or is not what was recorded, which the archive tells
    as well.
    """
    from strata_git.checks.engine import exit_code
    from strata_git.checks.formats import as_plain, to_text
    from strata_git.exchange.evidence import write_evidence
    from strata_git.index.build import build

    repo = session.repository()
    target = session.cwd / output
    if target.exists() and not force:
        raise StrataError(f"{printable(str(target))} is there already.", hint="Add --force to replace it.")
    if not target.parent.is_dir():
        raise StrataError(f"{printable(str(target.parent))} is no directory.")
    index = build(repo, revision)
    repository = session.settings().repository
    made = write_evidence(repo, index, reference, target, repository=repository, with_data=with_data)
    if style == "json":
        out_json(
            {
                "schema": "strata/evidence-written/v1",
                "file": str(made.path),
                "bytes": made.bytes,
                "artifacts": list(made.artifacts),
                "events": list(made.events),
                "keys": list(made.keys),
                "absent_keys": list(made.absent_keys),
                "findings": [as_plain(finding) for finding in made.findings],
            }
        )
    else:
        out(f"{made.path}  {made.bytes:,} bytes")
        out(f"  {len(made.artifacts)} artifacts, {len(made.events)} events, {len(made.keys)} keys")
    for key in made.absent_keys:
        note(f"warning: the public key {key} is not in your keyring; add it to the evidence by hand")
    if made.findings:
        note(to_text(made.findings).rstrip("\n"))
    note("verify it: tar -xzf FILE && sh evidence-*/verify.sh")
    return exit_code(made.findings)
