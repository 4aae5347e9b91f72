"""`git strata verify`: is it what was recorded, and who says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.authoring.verify import Depth, LedgerCheck, Verification, Verified, verify, verify_history
from strata_git.checks.finding import Finding
from strata_git.cli.output import format_option, out, out_json
from strata_git.cli.session import Session
from strata_git.cli.trusting import require_trust_option
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.integrity.oms_keys import PublicKey


@click.command()
@click.argument("words", nargs=-1, metavar="[REF|PATH|A..B]...")
@click.option("--at", "revision", metavar="REV", help="Verify what a commit holds, without a checkout.")
@click.option("--range", "span", metavar="A..B", help="Verify all that the commits of B beyond A gave to artifacts.")
@click.option("--all", "ever", is_flag=True, help="Verify every content of every artifact in the whole history.")
@click.option("--deep", is_flag=True, help="Hash the bytes of large files, where they are here.")
@click.option(
    "--remote", is_flag=False, flag_value="origin", default="", metavar="[NAME]",
    help="Ask a remote (origin) whether it has the large files; write --remote=NAME for another.",
)  # fmt: skip
@click.option(
    "--oms-key", "keys", multiple=True, type=click.Path(), metavar="PUB.pem",
    help="Trust this public key for signatures in model.sig; may be given more than once.",
)  # fmt: skip
@require_trust_option
@format_option
@click.pass_obj
def command(
    session: Session, words: tuple[str, ...], revision: str | None, span: str | None, ever: bool, deep: bool,
    remote: str, keys: tuple[str, ...], require_trust: bool, style: str,
) -> int:  # fmt: skip
    """Verify artifacts against their checksums and signatures; without REF all of them, and the ledger.

    Large files that Git LFS stores are believed by their pointers, which hold their SHA-256 (depth: pointer), are
    hashed with --deep (depth: bytes), and are looked for on a server with --remote.

    Exit code 0: all is well (nothing needs to be signed); 1: doubts; 2: something is wrong.
    """
    words, span = _span(words, span)
    if sum((revision is not None, span is not None, ever)) > 1:
        raise UsageError("--at, --range and --all exclude each other.")
    repo = session.repository()
    depth = Depth(deep, remote, tuple(_key(session.cwd / name) for name in keys))
    repository = "" if (words or span) and not require_trust else session.settings().repository
    if span is not None or ever:
        done = verify_history(repo, words, cwd=session.cwd, span=span or "", depth=depth, repository=repository,
                              require_trust=require_trust)  # fmt: skip
    else:
        done = verify(repo, words, cwd=session.cwd, at=revision, depth=depth, repository=repository,
                      require_trust=require_trust)  # fmt: skip
    if style == "json":
        out_json(_plain(done, deep))
    else:
        _show(done)
    return done.exit_code


_WORDS = ("ok", "warning", "error")


def _span(words: tuple[str, ...], span: str | None) -> tuple[tuple[str, ...], str | None]:
    """A word like `A..B` is a range; a path that looks so is written `./A..B`."""
    spans = [word for word in words if ".." in word and word != ".." and not re.search(r"^\.{0,2}/|/\.\.", word)]
    if len(spans) + (span is not None) > 1:
        raise UsageError("Only one range can be verified at a time.")
    if not spans:
        return words, span
    return tuple(word for word in words if word not in spans), spans[0]


def _key(path: Path) -> PublicKey:
    from strata_git.integrity.oms_keys import load_public_key

    try:
        data = path.read_bytes()
    except OSError as error:
        raise StrataError(f"{printable(str(path))} cannot be read: {error.strerror or error}.") from None
    return load_public_key(data)


def _show(done: Verification) -> None:
    for each in done.artifacts:
        _show_artifact(each)
    if done.unjudged:
        out(f"warning not verified: {done.unjudged}")
    for finding in done.ledger.findings if done.ledger else ():
        out(f"{finding.severity:8}{finding.path}: {finding.rule}: {finding.message}")
    if done.ledger and done.ledger.unjudged:
        out(f"warning the ledger is not judged: {done.ledger.unjudged}")
    if done.remote is not None:
        there = done.remote.asked - len(done.remote.missing)
        out(f"{done.remote.place}: {there} of {done.remote.asked} large files are there")
    counts = [sum(each.exit_code == code for each in done.artifacts) for code in range(3)]
    told = f", {done.ledger.trust}" if done.ledger is not None and done.ledger.trust else ""
    worth = sum(finding.severity != "info" for finding in done.ledger.findings) if done.ledger else 0
    ledger = "" if done.ledger is None else f"; ledger: {worth} complaints{told}"
    out(f"{done.subject}: {counts[0]} ok, {counts[1]} warnings, {counts[2]} errors{ledger}")


def _show_artifact(each: Verified) -> None:
    at = f" in {each.commit[:12]}" if each.commit else ""
    out(f"{_WORDS[each.exit_code]:8}{each.artifact.reference}{at}  {each.digest}  ({each.depth}, {_signed(each)})")
    if each.unseen:
        compared = "nothing of them" if each.depth == "nothing" else "only what their pointers say"
        out(f"        {each.unseen} files are not here; {compared} was compared")
    for finding in each.findings:
        if finding.severity != "info":
            out(f"        {finding.path}: {finding.severity} {finding.rule}: {finding.message}")
    for path, why in each.absent.items():
        out(f"        {path}: not on the remote: {why}")
    for verdict in each.signatures or ():
        out(f"        signature {verdict.fingerprint or verdict.key_id} {verdict.user}: {verdict.sentence}")
    if each.model_signature is not None:
        who = f" {each.model_signature.hint}" if each.model_signature.hint else ""
        out(f"        model.sig{who}: {each.model_signature.sentence}")


def _signed(each: Verified) -> str:
    if each.signatures is None:
        return "signatures not judged: no gpg here"
    good = sum(verdict.good for verdict in each.signatures)
    return f"{good} of {len(each.signatures)} signatures valid" if each.signatures else "unsigned"


def _plain(done: Verification, deep: bool) -> dict[str, object]:
    remote = None
    if done.remote is not None:
        remote = {"asked": done.remote.place, "files": done.remote.asked, "missing": len(done.remote.missing)}
    return {
        "schema": "strata/verify/v1",
        "subject": done.subject,
        "deep": deep,
        "remote": remote,
        "unjudged": done.unjudged or None,
        "verdict": _WORDS[done.exit_code],
        "artifacts": [_plain_artifact(each) for each in done.artifacts],
        "ledger": _plain_ledger(done.ledger) if done.ledger else None,
    }


def _plain_ledger(ledger: LedgerCheck) -> dict[str, object]:
    complaints = [_plain_finding(finding) for finding in ledger.findings]
    return {"models": ledger.models, "complaints": complaints, "unjudged": ledger.unjudged or None,
            "trust": ledger.trust or None}  # fmt: skip


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
    model = each.model_signature
    return {
        "ref": each.artifact.reference,
        "path": each.artifact.path,
        "commit": each.commit or None,
        "digest": each.digest or None,
        "files": each.files,
        "depth": each.depth,
        "unseen": each.unseen,
        "absent_on_remote": [{"path": printable(path), "says": why} for path, why in each.absent.items()],
        "verdict": _WORDS[each.exit_code],
        "signatures": signatures,
        "model_signature": model
        and {"key": model.hint or None, "status": model.status, "signer": model.signer or None, "says": model.sentence},
        "findings": [_plain_finding(finding) for finding in each.findings],
    }
