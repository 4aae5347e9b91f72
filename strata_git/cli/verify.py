"""`git strata verify`: is it what was recorded, and who says so."""

from __future__ import annotations

import click

from strata_git.authoring.verify import LedgerCheck, Verification, Verified, verify
from strata_git.checks.finding import Finding
from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session


@click.command()
@click.argument("words", nargs=-1, metavar="[REF|PATH]...")
@click.option("--at", "revision", metavar="REV", help="Verify what a commit holds.")
@click.option("--deep", is_flag=True, help="Hash the bytes of large files, where they are here.")
@format_option
@click.pass_obj
def command(session: Session, words: tuple[str, ...], revision: str | None, deep: bool, style: str) -> int:
    """Verify artifacts against their checksums and signatures; without REF all of them, and the ledger.

    Exit code 0: all is well (nothing needs to be signed); 1: doubts; 2: something is wrong.
    """
    done = verify(
        session.repository(),
        words,
        cwd=session.cwd,
        at=revision,
        deep=deep,
        repository="" if words else session.settings().repository,
    )
    if style == "json":
        out_json(_plain(done, deep))
    else:
        _show(done)
    return done.exit_code


_WORDS = ("ok", "warning", "error")


def _show(done: Verification) -> None:
    for each in done.artifacts:
        out(f"{_WORDS[each.exit_code]:8}{each.artifact.reference}  {each.digest}  ({each.depth}, {_signed(each)})")
        if each.unseen:
            out(f"        {each.unseen} files are not here; only what their pointers say was compared")
        for finding in each.findings:
            if finding.severity != "info":
                out(f"        {finding.path}: {finding.severity} {finding.rule}: {finding.message}")
        for verdict in each.signatures or ():
            out(f"        signature {verdict.fingerprint or verdict.key_id} {verdict.user}: {verdict.sentence}")
    for finding in done.ledger.findings if done.ledger else ():
        out(f"{finding.severity:8}{finding.path}: {finding.rule}: {finding.message}")
    if done.ledger and done.ledger.unjudged:
        out(f"warning the ledger is not judged: {done.ledger.unjudged}")
    counts = [sum(each.exit_code == code for each in done.artifacts) for code in range(3)]
    ledger = "" if done.ledger is None else f"; ledger: {len(done.ledger.findings)} complaints"
    out(f"{done.subject}: {counts[0]} ok, {counts[1]} warnings, {counts[2]} errors{ledger}")


def _signed(each: Verified) -> str:
    if each.signatures is None:
        return "signatures not judged: no gpg here"
    good = sum(verdict.good for verdict in each.signatures)
    return f"{good} of {len(each.signatures)} signatures valid" if each.signatures else "unsigned"


def _plain(done: Verification, deep: bool) -> dict[str, object]:
    return {
        "schema": "strata/verify/v1",
        "subject": done.subject,
        "deep": deep,
        "verdict": _WORDS[done.exit_code],
        "artifacts": [_plain_artifact(each) for each in done.artifacts],
        "ledger": _plain_ledger(done.ledger) if done.ledger else None,
    }


def _plain_ledger(ledger: LedgerCheck) -> dict[str, object]:
    complaints = [_plain_finding(finding) for finding in ledger.findings]
    return {"models": ledger.models, "complaints": complaints, "unjudged": ledger.unjudged or None}


def _plain_finding(finding: Finding) -> dict[str, object]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "path": finding.path,
        "line": finding.line,
        "message": finding.message,
        "fix": finding.fix,
    }


def _plain_artifact(each: Verified) -> dict[str, object]:
    signatures = None
    if each.signatures is not None:
        signatures = [
            {"fingerprint": v.fingerprint, "primary": v.primary, "status": v.status, "user": v.user}
            | {"created": v.created, "enrolled": v.enrolled, "says": v.sentence}
            for v in each.signatures
        ]
    return {
        "ref": each.artifact.reference,
        "path": each.artifact.path,
        "digest": each.digest or None,
        "files": each.files,
        "depth": each.depth,
        "unseen": each.unseen,
        "verdict": _WORDS[each.exit_code],
        "signatures": signatures,
        "findings": [_plain_finding(finding) for finding in each.findings],
    }
