"""The shape of GTO's public example: three artifacts, two commits that bring versions, nine annotated tags.

Names, numbers, stages and their order are those of that repository; the files and words in it are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.builder import RepositoryBuilder

ARTIFACTS = b"""\
churn:
  path: models/churn.bin
  type: model
  labels: [tabular]
segment:
  path: models/segment.bin
  type: model
cv-class:
  path: models/cv-class.bin
  type: model
"""


@dataclass(frozen=True, slots=True)
class GtoEvent:
    """One annotated tag: its name, the commit it is on (1 or 2), and what GTO takes it for."""

    tag: str
    commit: int
    artifact: str
    kind: str
    version: str
    stage: str | None = None


EVENTS = (
    GtoEvent("churn@v3.0.0", 1, "churn", "registration", "v3.0.0"),
    GtoEvent("segment@v0.4.1", 1, "segment", "registration", "v0.4.1"),
    GtoEvent("cv-class@v0.1.13", 1, "cv-class", "registration", "v0.1.13"),
    GtoEvent("churn@v3.1.0", 2, "churn", "registration", "v3.1.0"),
    GtoEvent("churn#dev#1", 1, "churn", "assignment", "v3.0.0", "dev"),
    GtoEvent("churn#staging#2", 2, "churn", "assignment", "v3.1.0", "staging"),
    GtoEvent("churn#prod#3", 1, "churn", "assignment", "v3.0.0", "prod"),
    GtoEvent("churn#dev#4", 2, "churn", "assignment", "v3.1.0", "dev"),
    GtoEvent("segment#dev#1", 1, "segment", "assignment", "v0.4.1", "dev"),
)
"""In the order of their dates."""


def write_example(repo: RepositoryBuilder) -> RepositoryBuilder:
    """Bring the example's files and tags into a repository, on top of what it holds."""
    names = ("churn", "segment", "cv-class")
    repo.commit("Put models under names", {"artifacts.yaml": ARTIFACTS, **{f"models/{n}.bin": b"1\n" for n in names}})
    commits = {1: repo.git("rev-parse", "HEAD")}
    repo.commit("Train churn anew", {"models/churn.bin": b"2\n"})
    commits[2] = repo.git("rev-parse", "HEAD")
    for minute, event in enumerate(EVENTS):
        words = f"{event.kind} of {event.artifact}"
        date = {"GIT_COMMITTER_DATE": f"{1_767_700_000 + 60 * minute} +0000"}
        repo.git("tag", "-a", "-m", words, event.tag, commits[event.commit], env=date)
    return repo
