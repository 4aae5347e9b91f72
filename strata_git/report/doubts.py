"""What a reader of a change should know beside what rules say: where its lineage is weak, where data leaked. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping

from strata_git.index.lineage import Edge, edges_of
from strata_git.index.records import ArtifactRecord, Index
from strata_git.report.values import Doubt

Splits = Mapping[str, Mapping[str, str]]
"""Split -> file -> SHA-256 of one dataset version."""
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_HELD_OUT = ("test", "valid", "val", "eval", "holdout", "held")


def lineage_doubts(index: Index, references: Collection[str]) -> Iterator[Doubt]:
    """Runs from dirty trees, runs that did not succeed, data that is not here or is not what was recorded."""
    concerned = set(references) | {record.run for name in references if (record := index.get(name)) and record.run}
    for record in index.artifacts:
        if record.reference in concerned:
            yield from _of_run(record)
    known = {record.reference for record in index.artifacts}
    removed = {gone.artifact.reference for gone in index.removed}
    for edge in edges_of(index):
        if edge.target in concerned and edge.relation not in ("stage", "code"):
            yield from _of_edge(edge, known, removed)


def leakage(datasets: Mapping[str, Splits], concerned: Collection[str]) -> Iterator[Doubt]:
    """Held-out files of one dataset version that are training files of the same or of another one, by digest.

    `datasets` are all versions that something uses; told are those pairs of which one is `concerned`.
    """
    trained: defaultdict[str, list[str]] = defaultdict(list)
    for name, splits in sorted(datasets.items()):
        for sha256 in _digests(splits, is_training):
            trained[sha256].append(name)
    for name, splits in sorted(datasets.items()):
        shared: defaultdict[str, list[str]] = defaultdict(list)
        for sha256, file in _digests(splits, is_held_out).items():
            for other in trained.get(sha256, ()):
                if name in concerned or other in concerned:
                    shared[other].append(file)
        for other, files in sorted(shared.items()):
            where = "its own training data" if name == other else f"the training data of {other}"
            count = f"{len(files)} file{'s' if len(files) > 1 else ''}"
            yield Doubt("leakage", name, f"{count} held out (such as {min(files)}) stand in {where}")


def is_training(split: str) -> bool:
    """Whether a model learns from the split, by its name."""
    return split.casefold().startswith("train")


def is_held_out(split: str) -> bool:
    """Whether a model is measured on the split, by its name."""
    return split.casefold().startswith(_HELD_OUT)


def _digests(splits: Splits, chosen: Callable[[str], bool]) -> dict[str, str]:
    return {
        sha256: f"{file} in {split}"
        for split, files in splits.items()
        if chosen(split)
        for file, sha256 in files.items()
        if sha256 != EMPTY
    }


def _of_run(record: ArtifactRecord) -> Iterator[Doubt]:
    if record.artifact.kind != "run":
        return
    if record.code is not None and record.code.dirty:
        message = f"ran from a tree with uncommitted changes, on top of {record.code.commit[:12]}"
        yield Doubt("dirty", record.reference, message)
    if record.status and record.status != "succeeded":
        yield Doubt("failed", record.reference, f"did not succeed: {record.status}")


def _of_edge(edge: Edge, known: Collection[str], removed: Collection[str]) -> Iterator[Doubt]:
    if edge.source in removed:
        yield Doubt("missing", edge.target, f"names {edge.source}, which was removed")
    elif edge.source not in known:
        yield Doubt("missing", edge.target, f"names {edge.source}, which is not released here")
    elif edge.matches is False:
        output = f"names {edge.source}, which did not make its file"
        other = f"used {edge.source}, which has another digest than was recorded"
        yield Doubt("differs", edge.target, output if edge.relation == "output" else other)
