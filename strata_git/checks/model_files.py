"""What lies in the files of a model, by their content (TFC-0005 section 6). Nothing is loaded; see `integrity/scan`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from strata_git.checks.documents import Reading
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import items

if TYPE_CHECKING:
    from strata_git.integrity.scan import Danger, Report

LOOK_LIMIT = 64 << 20
"""Bytes of a file that is looked into without being asked; larger ones only where bytes are asked for."""
DEEP_LIMIT = 512 << 20
"""Bytes of a file that is looked into at all: it is held in memory as a whole."""

_SHOWN = 4
_RULES = {
    "harm": "STR-M009",
    "disguise": "STR-M008",
    "broken": "STR-M011",
    "unknown": "STR-M010",
    "code": "STR-M006",
    "unscanned": "STR-M012",
}


def judge(exhibit: Exhibit, record: Reading) -> Account:
    """Look into every payload file whose bytes Git holds. Git LFS pointers stand for bytes that are not looked at."""
    account = Account()
    imports: set[str] = set()
    for name in sorted(exhibit.payload()):
        content = exhibit.contents.get(name)
        if content is None or content.stored != "blob" or name in exhibit.contract_files:
            continue
        path = exhibit.path(name)
        if content.size > LOOK_LIMIT:
            account.findings.append(found("STR-M012", path, f"not looked into: {content.size >> 20} MiB"))
            continue
        from strata_git.integrity.scan import scan_file

        report = scan_file(name, exhibit.read(name, LOOK_LIMIT))
        imports |= report.imports
        account.findings.extend(judge_report(exhibit, record, name, report))
    if imports:
        account.facts["imports"] = sorted(imports)
    return account


def judge_report(exhibit: Exhibit, record: Reading, name: str, report: Report) -> Iterator[Finding]:
    """Findings on what was found in the payload file `name`."""
    path = exhibit.path(name)
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for danger in report.dangers:
        groups[_RULES[danger.kind], danger.where].append(danger.what)
    for (rule, where), told in groups.items():
        if rule == "STR-M006":
            continue
        inside = f"in it, '{where}' " if where else ""
        yield found(rule, path, inside + _joined(told))
    codes = [danger for danger in report.dangers if danger.kind == "code"]
    if codes:
        yield found("STR-M006", path, _code(codes))
    yield from _judge_types(exhibit, record, name, report)
    yield from _judge_external(exhibit, name, report)


def _joined(told: list[str]) -> str:
    more = f" and {len(told) - _SHOWN} things more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def _code(codes: list[Danger]) -> str:
    first = codes[0]
    inside = f" ('{first.where}' {first.what})" if first.where else f" (it {first.what})"
    return f"is in a format that can run code when loaded{inside}"


def _judge_types(exhibit: Exhibit, record: Reading, name: str, report: Report) -> Iterator[Finding]:
    """skops loads no type that is not trusted: what the metadata says must be what a reader is asked to trust."""
    if not report.types:
        return
    from strata_git.integrity.imports import judge_import

    trusted = set(items(record.value.get("trusted_types")))
    harmful = sorted(one for one in report.types if judge_import(one) == "harm" and not _is_plain(one))
    if harmful:
        yield found("STR-M009", exhibit.path(name), f"names {_listed(harmful)}")
    strange = sorted(
        one for one in report.types - trusted - set(harmful) if judge_import(one) == "unknown" and not _is_plain(one)
    )
    if strange and record.legible:
        yield found("STR-M013", exhibit.path(name), f"needs {_listed(strange)}, not among trusted_types")


def _is_plain(name: str) -> bool:
    """Types and functions of numpy, scipy and Python that every reader of skops files trusts by itself."""
    root, _, rest = name.partition(".")
    if root in ("builtins", "typing"):
        return rest in _BUILTIN_TYPES
    return root in ("numpy", "scipy", "sklearn") and not any(part in _LEADS_OUT for part in rest.split("."))


_BUILTIN_TYPES = frozenset(
    ["int", "float", "complex", "str", "bytes", "bytearray", "bool", "dict", "list", "tuple", "set", "frozenset"]
) | {"slice", "range", "type", "NoneType", "object", "function", "method", "builtin_function_or_method"}
_LEADS_OUT = frozenset({"os", "sys", "subprocess", "testing", "f2py", "distutils", "ctypeslib", "load", "fromfile"})


def _judge_external(exhibit: Exhibit, name: str, report: Report) -> Iterator[Finding]:
    directory = name.rpartition("/")[0]
    for file in sorted(report.external):
        other = f"{directory}/{file}" if directory else file
        if other.removeprefix("./") not in exhibit.entries:
            yield found("STR-M011", exhibit.path(name), f"takes data from '{file[:100]}', which is not there")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name[:120] for name in names[:_SHOWN]) + more
