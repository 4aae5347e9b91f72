"""Datasets: splits that are there, counted rightly, and apart from each other (TFC-0004)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from strata_git.checks.citations import citations
from strata_git.checks.documents import Reading
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, mapping, number, text

Split = tuple[str, ...]


def judge(exhibit: Exhibit, record: Reading) -> Account:
    """Judge a dataset by its metadata and its files."""
    account = Account()
    if next(exhibit.payload(), None) is None:
        account.findings.append(found("STR-D005", exhibit.artifact.path, "there is no payload, only words about it"))
    splits: dict[str, Split] = {}
    for name, said in mapping(record.value.get("splits")).items():
        files, findings = _open_split(exhibit, record, name, mapping(said))
        account.findings.extend(findings)
        if files:
            splits[name] = files
    account.findings.extend(_judge_overlap(exhibit, record, splits))
    account.facts["inputs"] = [cited.facts for cited in citations(dig(record.value, "provenance", "parents"))]
    account.facts["splits"] = {name: len(files) for name, files in splits.items()}
    return account


def _open_split(
    exhibit: Exhibit, record: Reading, name: str, said: Mapping[str, object]
) -> tuple[Split, list[Finding]]:
    """The files of one split, judged against what the metadata says of it."""
    path = text(said.get("path"))
    if path is None:
        return (), []
    line = record.line("splits", name)
    files = _files(exhibit, path)
    if not files:
        return (), [found("STR-D001", record.path, f"split '{name}' has no file at '{path}'", line=line)]
    return files, list(_judge_counts(exhibit, record, name, said, files))


def _files(exhibit: Exhibit, path: str) -> Split:
    """A file, or all payload below a directory (`.`: the dataset's own)."""
    if path in exhibit.entries:
        return (path,)
    prefix = "" if path == "." else f"{path}/"
    return tuple(name for name in exhibit.payload() if name.startswith(prefix))


def _judge_counts(
    exhibit: Exhibit, record: Reading, name: str, said: Mapping[str, object], files: Split
) -> Iterator[Finding]:
    counted = {"files": len(files)}
    if all(file in exhibit.contents for file in files):
        counted["bytes"] = sum(exhibit.contents[file].size for file in files)
    for key, true in counted.items():
        given = number(said.get(key))
        if given is not None and given != true:
            line = record.line("splits", name, key)
            yield found("STR-D002", record.path, f"split '{name}' says {given} {key}, there are {true}", line=line)


def _judge_overlap(exhibit: Exhibit, record: Reading, splits: Mapping[str, Split]) -> Iterator[Finding]:
    """Equal bytes in two splits, told once for each pair of splits."""
    held = {name: _digests(exhibit, files) for name, files in splits.items()}
    for one, other in combinations(held, 2):
        common = held[one].keys() & held[other].keys()
        if common:
            first = min(held[one][sha256] for sha256 in common)
            message = f"splits '{one}' and '{other}' share {len(common)} file contents, such as {first}"
            yield found("STR-D003", record.path, message, line=record.line("splits", other))


def _digests(exhibit: Exhibit, files: Split) -> dict[str, str]:
    """Digest -> name of the files that are here and not empty."""
    known = ((file, exhibit.contents.get(file)) for file in files)
    return {content.sha256: file for file, content in known if content is not None and content.size}
