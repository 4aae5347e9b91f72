"""The trust policy as a file (TFC-0009 6.5): is it one, and is it for this repository?"""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.checks.exhibit import TEXT_LIMIT
from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import POLICY
from strata_git.contracts.tree import REGULAR, Tree


def judge_policy(tree: Tree, repository: str) -> Iterator[Finding]:
    """Judge policy.yaml of a tree; `repository` is the UUID in strata.yaml (`""`: it names none)."""
    entry = tree.get(POLICY)
    if entry is None or entry.mode not in REGULAR:
        return
    try:
        data = tree.read(entry, TEXT_LIMIT)
    except KeyError:
        yield found("STR-Y003", POLICY, "not judged: object absent")
        return
    except ValueError:
        yield found("STR-P030", POLICY, f"more than {TEXT_LIMIT} bytes")
        return
    yield from _judge_data(data, repository)


def _judge_data(data: bytes, repository: str) -> Iterator[Finding]:
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.policy import TrustPolicy
    from strata_git.load import Unloadable, load_yaml

    try:
        policy = parse(TrustPolicy, load_yaml(data))
    except Unloadable as error:
        yield found("STR-P030", POLICY, error.message, line=error.line)
    except ContractError as error:
        for complaint in error.complaints:
            yield found("STR-P030", POLICY, complaint.message, line=complaint.line)
    else:
        if policy.repository != repository:
            here = f"this is {repository}" if repository else "strata.yaml names none"
            yield found("STR-P031", POLICY, f"it is for the repository {policy.repository}, and {here}")
