"""Large files of models looked into, where their bytes are here: only when the doctor is asked for bytes (`--deep`).

What was found is remembered by the SHA-256 of the content and the versions of the scanners, whatever file it lies in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple
from hashlib import sha256

from strata_git.checks.documents import Reading
from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.model_files import DEEP_LIMIT, judge_report
from strata_git.doctor.cache import Cache
from strata_git.integrity.scan import Danger, Report, Scanner, merged, scan_file

Read = Callable[[str], bytes]


def judge_model_bytes(
    exhibit: Exhibit, record: Reading, read: Read, cache: Cache, scanners: Sequence[Scanner]
) -> Iterator[Finding]:
    """Findings on every payload file of a model whose bytes are here.

    `exhibit` was hashed from bytes; `read(path)` gives a file's bytes and raises OSError. Our own scanner always looks,
    those of `scanners` beside it.
    """
    if exhibit.artifact.kind != "model":
        return
    for name in sorted(exhibit.payload()):
        content = exhibit.contents.get(name)
        if content is None or content.stored != "blob" or name in exhibit.contract_files:
            continue
        path = exhibit.path(name)
        if content.size > DEEP_LIMIT:
            yield found("STR-M012", path, f"not looked into: {content.size >> 20} MiB, more than {DEEP_LIMIT >> 20}")
            continue
        key = _key(content.sha256, name, scanners)
        report = _thawed(cache.get([key]).get(key))
        if report is None:
            try:
                data = read(path)
            except (OSError, KeyError, ValueError):
                yield found("STR-M012", path, "not looked into: it cannot be read")
                continue
            report = _report(name, data, scanners)
            cache.put({_key(sha256(data).hexdigest(), name, scanners): _frozen(report)})
        yield from judge_report(exhibit, record, name, report)


def _report(name: str, data: bytes, scanners: Sequence[Scanner]) -> Report:
    report = scan_file(name, data)
    unsound = any(danger.kind == "broken" for danger in report.dangers)
    if not unsound:  # what unpacks without end is not handed on to others
        report.dangers = merged([report.dangers, *(scanner.scan(name, data) for scanner in scanners)])
    return report


def _key(digest: str, name: str, scanners: Sequence[Scanner]) -> str:
    from strata_git.integrity.scan import SCAN_REVISION

    who = ",".join(f"{scanner.name}-{scanner.version}" for scanner in scanners)
    ending = os.path.splitext(name)[1].casefold()
    return f"scan:{SCAN_REVISION}:{who}:{ending}:{digest}"


def _frozen(report: Report) -> dict[str, object]:
    return {
        "format": report.format,
        "dangers": [list(astuple(danger)) for danger in report.dangers],
        "imports": sorted(report.imports),
        "types": sorted(report.types),
        "external": sorted(report.external),
    }


def _thawed(value: object) -> Report | None:
    if not isinstance(value, dict):
        return None
    try:
        dangers = [Danger(*row) for row in value["dangers"]]
        sets = (set(value[key]) for key in ("imports", "types", "external"))
        return Report(value["format"], dangers, *sets)
    except (KeyError, TypeError):
        return None
