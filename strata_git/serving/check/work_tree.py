"""Whether the model's files lie in the work tree as they are served: what is served is never read from there."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.contracts.layout import ADDABLE, Artifact
from strata_git.errors import printable
from strata_git.serving.checked import Subject, Verdict


def judge(subject: Subject) -> Iterator[Verdict]:
    """A warning where the version's directory was changed; another about uncommitted files of the service."""
    if subject.loaded is None:
        yield Verdict("work-tree", "skipped", "the gate refused the model")
    else:
        source = subject.loaded.provenance
        version = Artifact("model", source.model, source.version)
        changed = [one for one in _differing(subject, version.path) if one.rpartition("/")[2] not in ADDABLE]
        if changed:
            yield Verdict(
                "work-tree", "warning",
                f"{printable(changed[0])}{_more(changed)} differs from what is served, which is what was committed",
                f"git restore {version.path}",
            )  # fmt: skip
    if loose := _differing(subject, subject.project.path):
        yield Verdict(
            "work-tree", "warning", f"{printable(loose[0])}{_more(loose)} is not committed as it is",
            f"git add {subject.project.path} && git commit",
        )  # fmt: skip


def _differing(subject: Subject, directory: str) -> list[str]:
    """Files of a directory that the work tree and HEAD do not have alike; ignored ones not."""
    from strata_git.repo.tree import commit_tree
    from strata_git.repo.worktree import WorkTree

    commit = subject.project.commit
    head = commit_tree(subject.repo, commit, [directory]).under(directory) if commit else ()
    seen = WorkTree(subject.repo, [directory]).under(directory)
    known, now = ({entry.path: (entry.mode, entry.oid) for entry in entries} for entries in (head, seen))
    return sorted({path for path, _ in known.items() ^ now.items()})


def _more(paths: list[str]) -> str:
    return f" (and {len(paths) - 1} files more)" if len(paths) > 1 else ""
