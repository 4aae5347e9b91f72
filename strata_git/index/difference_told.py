"""A difference as text, Markdown and JSON data. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from strata_git.errors import printable
from strata_git.index.difference import Difference, Fact, Figure, FileChange
from strata_git.index.export import Plain, encodable
from strata_git.index.measures import delta, plain, shown, signed
from strata_git.index.records import FileRecord

SCHEMA = "strata/diff/v1"
_SHOWN = 40
"""Lines of one kind that are told to people; programs get all."""
_MARKS = {"better": "better", "worse": "WORSE", "equal": "=", "differs": "differs", "new": "new", "missing": "MISSING"}
_LONGEST = 200
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@<>&-])")


def difference_text(found: Difference) -> str:
    """A difference for people."""
    lines = [f"{found.before} → {found.after}"]
    if found.same:
        return "\n".join([*lines, "  the same payload, and the same said of it"])
    for title, told in _sections(found):
        lines += ["", title, *(f"  {line}" for line in told)]
    return "\n".join(lines)


def difference_markdown(found: Difference) -> str:
    """A difference for a pull request; whatever names say, they are words and nothing else."""
    lines = [f"### {escaped(found.before)} → {escaped(found.after)}", ""]
    if found.same:
        return "\n".join([*lines, "The same payload, and the same said of it.", ""])
    for title, told in _sections(found):
        if title == "metrics":
            lines += ["| metric | before | after | change | |", "|---|---:|---:|---:|---|"]
            lines += [f"| {' | '.join(escaped(cell) for cell in _cells(figure))} |" for figure in found.figures]
        else:
            lines += [f"**{escaped(title)}**", "", *(f"- {escaped(line)}" for line in told)]
        lines.append("")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Text that Markdown and HTML take for nothing but itself, on one line."""
    flat = printable(" ".join(text.split()))
    return _MARKDOWN.sub(lambda match: f"&#{ord(match.group())};", flat)


def difference_document(found: Difference) -> Plain:
    """A difference for programs (schema strata/diff/v1)."""
    files = found.files
    return encodable({
        "schema": SCHEMA,
        "kind": found.kind,
        "before": found.before,
        "after": found.after,
        "same": found.same,
        "files": {
            "added": [_file(file) for file in files.added],
            "removed": [_file(file) for file in files.removed],
            "renamed": [_change(change) for change in files.renamed],
            "changed": [_change(change) for change in files.changed],
            "kept": files.kept,
            "bytes": {"before": files.before, "after": files.after},
        },
        "metrics": [
            {"metric": one.name, "before": plain(one.before), "after": plain(one.after), "verdict": one.verdict,
             "delta": delta(one.before, one.after) if one.before and one.after else None}
            for one in found.figures
        ],
        "facts": [
            {"topic": one.topic, "name": one.name, "before": one.before, "after": one.after} for one in found.facts
        ],
        "overlaps": [
            {"before": one.before, "after": one.after, "files": one.files, "example": one.example}
            for one in found.overlaps
        ],
        "tensors": [
            {"file": one.file, "added": list(one.added), "removed": list(one.removed), "changed": list(one.changed),
             "reshaped": list(one.reshaped), "kept": one.kept, "structure": one.structure,
             "problem": one.problem or None}
            for one in found.tensors
        ],
        "commits": list(found.commits),
        "passage": list(found.passage),
    })  # fmt: skip


# -- text ------------------------------------------------------------------------------------------------------------


def _sections(found: Difference) -> Iterator[tuple[str, list[str]]]:
    if found.overlaps:
        yield (
            "LEAKAGE: the same files in splits of different names",
            [
                f"{one.before} of {found.before}, {one.after} of {found.after}: {one.files} files, e.g. {one.example}"
                for one in found.overlaps
            ],
        )
    if found.figures:
        yield "metrics", list(_columns(_cells(figure) for figure in found.figures))
    topics: dict[str, list[Fact]] = {}
    for fact in found.facts:
        topics.setdefault(fact.topic, []).append(fact)
    for topic, facts in topics.items():
        yield topic, _few([_fact(fact) for fact in facts])
    if found.commits:
        yield "commits between", list(found.commits)
    if told := list(_files(found)):
        yield _size(found), told
    for one in found.tensors:
        yield f"tensors of {one.file}", list(_tensors(found, one.file))
    if found.passage:
        yield "prompt.yaml", list(found.passage)


def _cells(figure: Figure) -> tuple[str, ...]:
    before, after = figure.before, figure.after
    known = before or after
    way = {"higher": "↑", "lower": "↓"}.get(known.direction if known else "", "")
    told = [shown(one.value) if one else "-" for one in (before, after)]
    change = signed(delta(before, after)) if before and after else ""
    assumed = "" if known is None or known.declared or not known.direction else " (by its name)"
    return f"{figure.name} {way}".rstrip(), *told, change, _MARKS[figure.verdict] + assumed


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    listed = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    for row in listed:
        first, *numbers, last = row
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True)),
        ]
        yield "  ".join([*cells, last]).rstrip()


def _fact(fact: Fact) -> str:
    if fact.before is None:
        return f"+ {fact.name}: {value_text(fact.after)}"
    if fact.after is None:
        return f"- {fact.name}: {value_text(fact.before)}"
    return f"~ {fact.name}: {value_text(fact.before)} → {value_text(fact.after)}"


def value_text(value: object) -> str:
    """A value of a document on one line, cut where it is long."""
    if isinstance(value, float):
        text = shown(value)
    elif isinstance(value, str):
        text = " ".join(value.split())
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def _size(found: Difference) -> str:
    files = found.files
    return f"files ({files.kept} the same; {files.before:,} → {files.after:,} bytes)"


def _files(found: Difference) -> Iterator[str]:
    files = found.files
    told = [f"+ {file.name}  {_bytes(file)}" for file in files.added]
    told += [f"- {file.name}  {_bytes(file)}" for file in files.removed]
    told += [f"> {change.before.name} → {change.after.name}" for change in files.renamed]
    told += [f"~ {change.after.name}  {change.before.size:,} → {change.after.size:,} bytes" for change in files.changed]
    yield from _few(told)


def _bytes(file: FileRecord) -> str:
    return "not in this clone" if file.stored == "absent" else f"{file.size:,} bytes"


def _tensors(found: Difference, file: str) -> Iterator[str]:
    one = next(each for each in found.tensors if each.file == file)
    if one.problem:
        yield f"not looked into: {one.problem}"
        return
    told = [f"+ {name}" for name in one.added] + [f"- {name}" for name in one.removed]
    told += [f"~ {name}" for name in one.changed] + [f"~ {name} (other type or shape)" for name in one.reshaped]
    yield from _few(told)
    yield f"{one.kept} the same" + ("; the rest of the file (its graph or notes) differs" if one.structure else "")


def _few(lines: list[str]) -> list[str]:
    rest = len(lines) - _SHOWN
    return lines if rest <= 0 else [*lines[:_SHOWN], f"... and {rest} more (--format json tells all)"]


def _file(file: FileRecord) -> Plain:
    return {"path": file.name, "sha256": file.sha256, "bytes": file.size, "stored": file.stored}


def _change(change: FileChange) -> Plain:
    return {"before": _file(change.before), "after": _file(change.after)}
