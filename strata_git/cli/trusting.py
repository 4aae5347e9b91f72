"""What commands that read the ledger say about the trust policy it was judged by."""

from __future__ import annotations

from collections.abc import Sequence

import click

from strata_git.checks.finding import Finding
from strata_git.cli.output import note
from strata_git.ledger.trust import Trust, unprotected_as_error

require_trust_option = click.option(
    "--require-trust", is_flag=True, help="Fail unless a pinned trust policy protects this repository."
)


def trust_findings(trust: Trust, required: bool) -> tuple[Finding, ...]:
    """What there is to say; errors where protection is `required` and absent."""
    return unprotected_as_error(trust) if required else trust.findings


def trust_json(trust: Trust, findings: Sequence[Finding]) -> dict[str, object]:
    """The state of trust as JSON has it."""
    told = [{"rule": f.rule, "severity": f.severity, "message": f.message, "fix": f.fix} for f in findings]
    version = trust.policy.version if trust.policy else None
    return {"state": trust.state, "version": version, "complaints": told}


def told_of_trust(trust: Trust, findings: Sequence[Finding]) -> list[str]:
    """The same in lines for people."""
    lines = [f"judged by version {trust.policy.version} of the trust policy"] if trust.policy is not None else []
    for finding in findings:
        lines.append(f"{finding.severity} {finding.rule} {finding.message}")
        lines += [f"  {finding.fix}"] if finding.severity != "info" else []
    return lines


def tell_trust(trust: Trust, findings: Sequence[Finding]) -> int:
    """Print it on standard error; 2 when one is an error."""
    for line in told_of_trust(trust, findings):
        note(line)
    return 2 if any(finding.severity == "error" for finding in findings) else 0
