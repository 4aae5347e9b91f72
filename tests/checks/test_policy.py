"""policy.yaml as a file: what it says, and for which repository."""

from __future__ import annotations

from strata_git.checks.policy import judge_policy
from strata_git.contracts.layout import POLICY
from strata_git.repo.tree import MemoryTree

REPOSITORY = "5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01"
PLAIN = f"""\
schema: strata/policy/v1
repository: {REPOSITORY}
version: 1
previous: null
issued: 2026-11-21T09:30:00Z
roots: {{threshold: 1, principals: [ada]}}
principals:
  ada: {{keys: ["gpg:{"A" * 40}"]}}
"""


def told(text: str | bytes | None, repository: str = REPOSITORY) -> list[tuple[str, int]]:
    """Rule and line of every finding."""
    data = text.encode() if isinstance(text, str) else text
    tree = MemoryTree({} if data is None else {POLICY: data})
    return [(finding.rule, finding.line) for finding in judge_policy(tree, repository)]


def test_a_sound_policy_and_none_at_all() -> None:
    assert told(PLAIN) == []
    assert told(None) == []


def test_every_complaint_has_its_line() -> None:
    assert told(PLAIN.replace("version: 1", "version: one").replace("issued: ", "issued: x")) == [
        ("STR-P030", 3),
        ("STR-P030", 5),
    ]
    assert told("- no mapping\n") == [("STR-P030", 1)]
    assert told(PLAIN + "version: 2\n") == [("STR-P030", 9)]
    assert told(b"#" * ((1 << 20) + 1)) == [("STR-P030", 0)]


def test_it_is_for_this_repository() -> None:
    assert told(PLAIN, REPOSITORY.replace("5", "6")) == [("STR-P031", 0)]
    assert told(PLAIN, "") == [("STR-P031", 0)]


def test_a_link_is_no_policy() -> None:
    assert list(judge_policy(MemoryTree({POLICY: (b"elsewhere", "120000")}), REPOSITORY)) == []
