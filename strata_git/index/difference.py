"""What differs between two artifacts of one kind, from their records, digests and documents. Pure.

Files are compared by SHA-256: a pointer and the bytes it stands for are the same file. Overlap of splits is found by
digest too, so only whole files that lie on both sides are seen, not rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import product

from strata_git.checks.plain import dig, items, mapping, number, text
from strata_git.contracts.layout import METADATA, UNSUMMED
from strata_git.index.measures import Measure, Verdict, flat, judge
from strata_git.index.opened import Contents
from strata_git.index.records import FileRecord

_UNINTERESTING = frozenset({"content_hash", "created", "finished", "id", "name", "started", "version"})
_TEXT_LINES = 400


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file on both sides: `renamed` (same bytes, other name) or changed. Sizes in bytes."""

    before: FileRecord
    after: FileRecord

    @property
    def renamed(self) -> bool:
        """Whether only the name differs."""
        return self.before.name != self.after.name


@dataclass(frozen=True, slots=True)
class Files:
    """Files apart, by SHA-256; `before` and `after` are the bytes of all on each side, `kept` how many are the same."""

    added: tuple[FileRecord, ...]
    removed: tuple[FileRecord, ...]
    renamed: tuple[FileChange, ...]
    changed: tuple[FileChange, ...]
    kept: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric on both sides."""

    name: str
    before: Measure | None
    after: Measure | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Fact:
    """Something said on both sides, below `topic`; None where it is not said."""

    topic: str
    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Overlap:
    """Files whose bytes lie in two splits of different names, one on each side: what was learnt from is tested on."""

    before: str
    after: str
    files: int
    example: str


@dataclass(frozen=True, slots=True)
class TensorChanges:
    """Which tensors of a model file differ. `problem` says why nobody could look; then the rest is empty."""

    file: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    kept: int = 0
    structure: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two artifacts apart. `commits` lie between the code of one and of the other (`oid subject`); `passage` is the
    changed text of a prompt as a unified diff, `overlaps` those of datasets, `tensors` those of models."""

    kind: str
    before: str
    after: str
    files: Files
    figures: tuple[Figure, ...] = ()
    facts: tuple[Fact, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    tensors: tuple[TensorChanges, ...] = ()
    commits: tuple[str, ...] = ()
    passage: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the payload and all that is said are the same."""
        files = self.files
        moved = files.added or files.removed or files.renamed or files.changed
        return not moved and not self.facts and all(figure.verdict == "equal" for figure in self.figures)


def difference(
    before: Contents, after: Contents, measures: tuple[Mapping[str, Measure], Mapping[str, Measure]]
) -> Difference:
    """Compare two versions; `measures` are the metrics of each. Tensors and commits are for others to add."""
    kind = after.record.artifact.kind
    names = sorted({*measures[0], *measures[1]})
    figures = [Figure(n, a := measures[0].get(n), b := measures[1].get(n), judge(a, b)) for n in names]
    return Difference(
        kind,
        before.record.reference,
        after.record.reference,
        compare_files(_payload(before), _payload(after)),
        tuple(figures),
        tuple(_facts(before, after)),
        tuple(_overlaps(before, after)) if kind == "dataset" else (),
        passage=tuple(_passage(before, after)) if kind == "prompt" else (),
    )


def compare_files(before: Sequence[FileRecord], after: Sequence[FileRecord]) -> Files:
    """Files apart. A file whose digest is unknown on either side counts as changed."""
    old, new = {file.name: file for file in before}, {file.name: file for file in after}
    changed = [FileChange(old[n], new[n]) for n in sorted(old.keys() & new.keys()) if not _equal(old[n], new[n])]
    gone = {name: old[name] for name in sorted(old.keys() - new.keys())}
    come = {name: new[name] for name in sorted(new.keys() - old.keys())}
    renamed = []
    waiting: dict[str, list[str]] = {}
    for name, file in gone.items():
        if file.sha256 and file.size:
            waiting.setdefault(file.sha256, []).append(name)
    for name, file in list(come.items()):
        if file.sha256 and (names := waiting.get(file.sha256)):
            renamed.append(FileChange(gone.pop(names.pop(0)), come.pop(name)))
    return Files(
        tuple(come.values()),
        tuple(gone.values()),
        tuple(renamed),
        tuple(changed),
        len(old.keys() & new.keys()) - len(changed),
        sum(file.size for file in before),
        sum(file.size for file in after),
    )


def splits_of(contents: Contents) -> dict[str, tuple[FileRecord, ...]]:
    """The files of each split of a dataset, as its metadata names them."""
    payload = _payload(contents)
    found = {}
    for name, said in mapping(dig(contents.said(METADATA), "splits")).items():
        path = (text(dig(said, "path")) or "").rstrip("/")
        if path:
            found[name] = tuple(f for f in payload if path == "." or f.name == path or f.name.startswith(f"{path}/"))
    return found


def labels_of(contents: Contents, split: str) -> dict[str, int]:
    """How many files lie in each folder of a split: its labels, where folders are labels. `{}` where there are none."""
    path = (text(dig(contents.said(METADATA), "splits", split, "path")) or "").rstrip("/")
    prefix = "" if path == "." else f"{path}/"
    below = [file.name[len(prefix) :] for file in splits_of(contents).get(split, ()) if file.name.startswith(prefix)]
    return dict(sorted(Counter(name.partition("/")[0] for name in below if "/" in name).items()))


# -- what is said ----------------------------------------------------------------------------------------------------


def run_facts(before: Contents, after: Contents) -> Iterator[Fact]:
    """How two runs were made differently: inputs and prompts, parameters, packages, system, code. Asked of models, too:
    of the runs that made them."""
    sides = (before, after)
    yield from _apart("inputs", *(_cited(one) for one in sides))
    yield from _apart("parameters", *(_setting(one.said("config.yaml")) for one in sides))
    yield from _apart("packages", *(dict(mapping(dig(one.said("system.json"), "packages"))) for one in sides))
    yield from _apart("system", *(_system(one) for one in sides))
    yield from _apart("code", *({"commit": _code(one)} if _code(one) else {} for one in sides))


def _facts(before: Contents, after: Contents) -> Iterator[Fact]:
    kind = after.record.artifact.kind
    sides = (before, after)
    if kind == "dataset":
        yield from _apart("splits", *(_counted(one) for one in sides))
        yield from _apart("schema", *(_columns(dig(one.said(METADATA), "schema")) for one in sides))
        yield from _apart("made from", *(_cited(one) for one in sides))
    if kind == "model":
        yield from _apart("datasets", *(_cited(one) for one in sides))
        yield from _apart("signature", *(_signature(one) for one in sides))
    if kind == "run":
        yield from run_facts(before, after)
    if kind == "prompt":
        yield from _apart("prompt", *(_prompted(one) for one in sides))
    if kind == "service":
        yield from _apart("service", *(flat(one.said("service.yaml")) for one in sides))
    yield from _apart("said", *(_said(one) for one in sides))


def _apart(topic: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Fact]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Fact(topic, name, before.get(name), after.get(name))


def _counted(contents: Contents) -> dict[str, object]:
    """Rows, files, bytes and labels of each split."""
    found: dict[str, object] = {}
    for name, files in splits_of(contents).items():
        found[f"{name} files"] = len(files)
        found[f"{name} bytes"] = sum(file.size for file in files)
        rows = number(dig(contents.said(METADATA), "splits", name, "rows"))
        if rows is not None:
            found[f"{name} rows"] = rows
        found |= {f"{name} label {label}": count for label, count in labels_of(contents, name).items()}
    return found


def _columns(said: object) -> dict[str, object]:
    found: dict[str, object] = {}
    for place, column in enumerate(items(said), 1):
        name = text(dig(column, "name")) or f"column {place}"
        rest = {key: value for key, value in mapping(column).items() if key != "name"}
        found[name] = rest.get("type") if set(rest) == {"type"} else rest
    return found


def _signature(contents: Contents) -> dict[str, object]:
    said = dig(contents.said(METADATA), "signature")
    sides = ("inputs", "outputs")
    return {f"{side[:-1]} {k}": v for side in sides for k, v in _columns(dig(said, side)).items()}


def _cited(contents: Contents) -> dict[str, object]:
    return {one.reference: one.content_hash or one.digest or "named" for one in contents.record.inputs}


def _setting(config: object) -> dict[str, object]:
    return {name: value for name, value in flat(config).items() if not name.startswith("tags.")}


def _system(contents: Contents) -> dict[str, object]:
    return {name: dig(contents.said("system.json"), name) for name in ("platform", "python")}


def _code(contents: Contents) -> str:
    code = contents.record.code
    return "" if code is None else code.commit + (" with uncommitted changes" if code.dirty else "")


def _prompted(contents: Contents) -> dict[str, object]:
    """Variables, and what the model is asked with; the text itself is told line by line."""
    said = mapping(contents.said("prompt.yaml"))
    names = [text(one) or text(dig(one, "name")) or "?" for one in items(said.get("variables"))]
    found: dict[str, object] = {f"variable {name}": "declared" for name in names}
    return found | flat({key: said[key] for key in ("model", "parameters") if key in said})


def _said(contents: Contents) -> dict[str, object]:
    """What remains: words about the artifact, its code, its run."""
    record = contents.record
    kind = record.artifact.kind
    document = mapping(contents.said("run.yaml" if kind == "run" else METADATA))
    told = {
        "dataset": ("description", "licence", "provenance"),
        "model": ("description", "licence", "artifact", "format", "framework", "run", "trusted_types"),
        "prompt": ("description", "licence"),
        "run": ("status", "plugin", "experiment", "seed", "tokens", "cost", "error"),
    }.get(kind, ())
    found = flat({key: document[key] for key in told if document.get(key) is not None})
    found.pop("provenance.parents", None)
    return {name: value for name, value in found.items() if name not in _UNINTERESTING}


def _passage(before: Contents, after: Contents) -> Iterator[str]:
    old, new = (one.texts.get("prompt.yaml", "").splitlines() for one in (before, after))
    changed = unified_diff(old, new, before.record.reference, after.record.reference, lineterm="", n=3)
    for place, line in enumerate(changed):
        if place == _TEXT_LINES:
            yield f"... more than {_TEXT_LINES} lines"
            return
        yield line


# -- files -----------------------------------------------------------------------------------------------------------


def _payload(contents: Contents) -> tuple[FileRecord, ...]:
    hidden = {*UNSUMMED, METADATA}
    return tuple(file for file in contents.files if file.name not in hidden)


def _equal(one: FileRecord, other: FileRecord) -> bool:
    return one.sha256 is not None and one.sha256 == other.sha256


def _overlaps(before: Contents, after: Contents) -> Iterator[Overlap]:
    """Splits of different names, one of each side, that share files which are not empty."""
    sides = [{name: _digests(files) for name, files in splits_of(one).items()} for one in (before, after)]
    for (one, held), (other, holds) in product(sides[0].items(), sides[1].items()):
        if one != other and (common := held.keys() & holds.keys()):
            yield Overlap(one, other, len(common), min(holds[sha256] for sha256 in common))


def _digests(files: Sequence[FileRecord]) -> dict[str, str]:
    return {file.sha256: file.name for file in files if file.sha256 and file.size}
