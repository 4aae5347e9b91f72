"""STR-K: what a commit message says of artifacts is true."""

from __future__ import annotations

import pytest

from strata_git.checks.messages import judge_message, named_in
from strata_git.contracts.layout import Artifact

IRIS = Artifact("dataset", "iris", "v1")
TRUE = "Add iris\n\nStrata-Dataset: datasets/iris@v1\nSigned-off-by: A <a@example.org>\n"


def told(message: str, *there: Artifact, mild: bool = False) -> list[tuple[str, str]]:
    return [(f.rule, f.severity) for f in judge_message(message, there, mild=mild)]


def test_what_is_true_passes() -> None:
    assert told(TRUE, IRIS) == []
    assert told("No word of ours\n\nFixes: everything") == []
    assert named_in(TRUE * 2) == [IRIS]


@pytest.mark.parametrize(
    ("line", "rule", "severity"),
    [
        ("Strata-Dataset: iris@v1", "STR-K001", "error"),
        ("Strata-More: some", "STR-K001", "error"),
        ("Strata-Dataset: datasets/iris@v2", "STR-K002", "error"),
        ("Strata-Datasets: datasets/iris@v1", "STR-K003", "warning"),
    ],
)
def test_what_is_not(line: str, rule: str, severity: str) -> None:
    assert told(f"x\n\n{line}\n", IRIS) == [(rule, severity)]
    assert told(f"x\n\n{line}\n", IRIS, mild=True) == [(rule, "warning")]


def test_the_line_is_named_and_the_commit_too() -> None:
    (finding,) = judge_message("x\n\nStrata-Run: y\n", (), commit="c" * 40)
    assert finding.message.startswith("line 3 of the commit message: 'Strata-Run: y'")
    assert (finding.path, finding.commit) == (".", "c" * 40)
