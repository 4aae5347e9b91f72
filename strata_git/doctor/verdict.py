"""One verdict: what was judged, what was found, and what could not be judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from strata_git.checks.engine import exit_code
from strata_git.checks.finding import Finding


@dataclass(frozen=True, slots=True)
class Verdict:
    """`findings` are sorted; `artifacts` counts what was judged, `fresh` how many of those were not remembered.

    `unjudged` names, in sentences, what this verdict does not cover (a shallow clone's lost history, say). `known` are
    findings that the baseline takes away, `ignored` those of rules that somebody asked not to hear of.
    """

    subject: str
    findings: tuple[Finding, ...]
    artifacts: int = 0
    fresh: int = 0
    unjudged: tuple[str, ...] = ()
    known: tuple[Finding, ...] = ()
    ignored: tuple[Finding, ...] = ()

    def exit_code(self, *, strict: bool = False) -> int:
        """0 fine, 1 warnings, 2 errors; under `strict` warnings and what was not judged count as errors."""
        if strict and self.unjudged:
            return 2
        return exit_code(self.findings, strict=strict)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    def joined(self, other: Verdict) -> Verdict:
        """Both verdicts as one, under this one's name."""
        return replace(
            self,
            findings=ordered([*self.findings, *other.findings]),
            artifacts=self.artifacts + other.artifacts,
            fresh=self.fresh + other.fresh,
            unjudged=tuple(dict.fromkeys([*self.unjudged, *other.unjudged])),
            known=ordered([*self.known, *other.known]),
            ignored=ordered([*self.ignored, *other.ignored]),
        )


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once: errors before warnings before information, then by place."""
    weight = {"error": 0, "warning": 1, "info": 2}
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (weight[f.severity], f.path, f.line, f.rule, f.commit, f.message)))
