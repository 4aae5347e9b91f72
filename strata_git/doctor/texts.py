"""The texts around the artifacts that have a meaning (experiments, chains, plugins, pipelines' settings), judged.

Each is read once for each blob id and path; what they name is looked up in what is judged, and beneath it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple

from strata_git.checks.catalog import RULESET
from strata_git.checks.engine import Summary
from strata_git.checks.finding import Finding, found
from strata_git.checks.text_account import Around, TextAccount
from strata_git.checks.texts import SHIPPED, judge_text, judge_texts, kind_of
from strata_git.config import Settings
from strata_git.contracts.layout import Artifact, parse_reference
from strata_git.contracts.tree import REGULAR, Entry
from strata_git.doctor.cache import Cache
from strata_git.doctor.judgements import judgements
from strata_git.doctor.subject import Subject
from strata_git.repo.command import Repository

LIMIT = 1 << 20


def judge_around(
    repo: Repository, subject: Subject, paths: Sequence[str], settings: Settings, cache: Cache
) -> list[Finding]:
    """Findings on those texts, as far as they lie below `paths`."""
    wanted = {entry.path: entry for entry in subject.loose.under("") if entry.mode in REGULAR and kind_of(entry.path)}
    accounts, findings = _accounts(subject, wanted, cache)
    asked = {path: account for path, account in accounts.items() if _inside(path, paths)}
    findings += [finding for account in asked.values() for finding in account.findings]
    if any(account.kind in ("experiment", "chain") for account in asked.values()):
        findings += judge_texts(asked, _around(repo, subject, accounts, settings, cache))
    told = [finding for finding in findings if _inside(finding.path, paths)]
    return [finding for finding in told if finding.severity != "info"] if subject.narrow else told


def _accounts(
    subject: Subject, wanted: Mapping[str, Entry], cache: Cache
) -> tuple[dict[str, TextAccount], list[Finding]]:
    keys = {path: f"text:{RULESET}:{path}:{entry.oid}" for path, entry in wanted.items()}
    kept = cache.get(keys.values())
    accounts: dict[str, TextAccount] = {}
    findings = []
    fresh: dict[str, object] = {}
    for path, entry in wanted.items():
        known = _thawed(kept.get(keys[path]))
        if known is None:
            try:
                known = judge_text(path, subject.loose.read(entry, LIMIT))
            except KeyError:
                findings.append(found("STR-Y003", path, "not judged: object absent"))
                continue
            except ValueError:
                findings.append(found("STR-Y004", path, f"more than {LIMIT} bytes; not read"))
                continue
            fresh[keys[path]] = [known.kind, [astuple(finding) for finding in known.findings], known.facts]
        accounts[path] = known
    cache.put(fresh)
    return accounts, findings


def _around(
    repo: Repository, subject: Subject, accounts: Mapping[str, TextAccount], settings: Settings, cache: Cache
) -> Around:
    from strata_git.checks.plugins import plugin_name

    files = {path for path, account in accounts.items() if account.kind == "plugin"}
    if subject.narrow and subject.commit:
        files |= set(_committed(repo, subject.commit))
    here = {name for path in files if (name := plugin_name(path))}
    spelled = {other for name in here for other in (name, name.replace("_", "-"), name.replace("-", "_"))}
    declared = next((account.facts for account in accounts.values() if account.kind == "settings"), {})
    learned: dict[str, Summary | None] = {}

    def prompt(reference: str) -> Summary | None:
        if reference not in learned:
            learned[reference] = _summary(subject, reference, cache)
        return learned[reference]

    return Around(
        plugins=frozenset({*SHIPPED, *settings.runs_plugins, *spelled}),
        pipelines=None if declared.get("unread") else declared,
        present=lambda reference: bool(_learn(subject, reference)),
        prompt=prompt,
    )


def _committed(repo: Repository, commit: str) -> Iterator[str]:
    """The modules below plugins/ that lie underneath: files, and directories that are packages."""
    from strata_git.repo.scan import read_trees

    for _, row in repo.objects.lookup([f"{commit}:plugins"]):
        if row is None or row[1] != "tree":
            return
        for entry in next(iter(list(read_trees(repo, [row[0]])))):
            yield f"plugins/{entry.name}/__init__.py" if entry.is_tree else f"plugins/{entry.name}"


def _learn(subject: Subject, reference: str) -> list[Artifact]:
    try:
        parsed = parse_reference(reference)
    except ValueError:
        return []
    exact = parsed.kind is not None and parsed.version is not None
    return subject.learn([parsed.artifact(str(parsed.kind))]) if exact else []


def _summary(subject: Subject, reference: str, cache: Cache) -> Summary | None:
    learned = _learn(subject, reference)
    if not learned:
        return None
    judged, _ = judgements(subject, learned, cache)
    return judged[learned[0]].summary


def _inside(path: str, paths: Sequence[str]) -> bool:
    return not paths or any(path == one or path.startswith(f"{one}/") for one in paths)


def _thawed(value: object) -> TextAccount | None:
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[2], dict):
        return None
    try:
        return TextAccount(str(value[0]), tuple(Finding(*row) for row in value[1]), value[2])
    except TypeError:
        return None
