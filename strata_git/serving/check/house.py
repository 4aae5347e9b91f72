"""What the doctor says of the service's directory."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.serving.checked import Subject, Verdict


def judge(subject: Subject) -> Iterator[Verdict]:
    """Findings on its files; what the service's golden predictions lack is told by a check of its own."""
    from strata_git.doctor.judge import judge_worktree

    for finding in judge_worktree(subject.repo, [subject.project.path]).findings:
        if finding.severity == "info" or finding.rule == "STR-V004":
            continue
        place = f"{finding.path}:{finding.line}" if finding.line else finding.path
        said, hint = f"{place}: {finding.rule}: {finding.message}", f"git strata explain {finding.rule}"
        yield Verdict("doctor", "error" if finding.severity == "error" else "warning", said, hint)
