"""The secrets rule, with what the workspace lets pass. A loose file is looked through once for each blob id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from strata_git.checks import secrets
from strata_git.checks.catalog import RULESET
from strata_git.checks.engine import Judgement
from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import Artifact
from strata_git.contracts.tree import REGULAR, Entry, Tree
from strata_git.doctor.cache import Cache
from strata_git.doctor.subject import WATCHED, Subject


def judge_secrets(
    subject: Subject, judged: Mapping[Artifact, Judgement], paths: Sequence[str], allow: Sequence[str], cache: Cache
) -> list[Finding]:
    """Secrets in the artifacts judged, and in the watched files around them, as far as they lie below `paths`.

    `allow` is the setting `secrets.allow`. Its patterns need the texts themselves, which are read again for them: the
    cache holds no secret.
    """
    allowance = secrets.Allowance.of(allow)
    findings: list[Finding] = []
    for artifact, judgement in judged.items():
        told = judgement.summary
        if told.get("secrets") or told.get("unscanned"):
            tree = subject.files([artifact.path]) if allowance.patterns else subject.loose
            findings += secrets.judge(artifact.path, told, _allowed(tree, artifact.path, told, allowance))
    for entry, facts in _loose(subject, paths, cache):
        if facts is None:
            findings.append(found("STR-Y003", entry.path, "not judged: object absent"))
            continue
        here = _placed(facts, entry.path)
        findings += secrets.judge("", here, _allowed(subject.loose, "", here, allowance))
    return findings


def _loose(subject: Subject, paths: Sequence[str], cache: Cache) -> Iterator[tuple[Entry, Mapping[str, object] | None]]:
    """Every loose file that is looked through, with the facts on it; None where its object is absent."""
    wanted = list(_watched(subject, paths))
    kept = cache.get({_key(entry) for entry in wanted})
    for entry in wanted:
        known = kept.get(_key(entry))
        facts = known if isinstance(known, dict) else _look(subject.loose, entry)
        if facts is not None and facts is not known:
            cache.put({_key(entry): facts})
        yield entry, facts


def _watched(subject: Subject, paths: Sequence[str]) -> Iterator[Entry]:
    """The loose files that are looked through: where the hooks look too, so that all doors say the same."""
    for entry in subject.loose.under(""):
        inside = not paths or any(entry.path == one or entry.path.startswith(f"{one}/") for one in paths)
        if inside and entry.path.partition("/")[0] in WATCHED and entry.mode in REGULAR and secrets.is_text(entry.path):
            yield entry


def _look(tree: Tree, entry: Entry) -> dict[str, object] | None:
    """Facts on one file, without its name; None when its object is absent."""
    try:
        rows = secrets.look_through("", tree.read(entry, secrets.SCAN_LIMIT))
    except KeyError:
        return None
    except ValueError:
        return {"unscanned": [""]}
    return {"secrets": rows}


def _placed(facts: Mapping[str, object], path: str) -> dict[str, object]:
    rows = [[path, *row[1:]] for row in secrets.suspects(facts.get("secrets"))]
    return {"secrets": rows, "unscanned": [path] if facts.get("unscanned") else []}


def _allowed(tree: Tree, directory: str, facts: Mapping[str, object], allowance: secrets.Allowance) -> set[str]:
    """The SHA-256 of all matches that the workspace lets pass."""
    passed = set(allowance.digests)
    if not allowance.patterns:
        return passed
    for name in sorted({str(row[0]) for row in secrets.suspects(facts.get("secrets"))}):
        entry = tree.get(f"{directory}/{name}" if directory else name)
        if entry is not None:
            try:
                passed |= secrets.allowed_in(tree.read(entry, secrets.SCAN_LIMIT), allowance)
            except (KeyError, ValueError):
                continue
    return passed


def _key(entry: Entry) -> str:
    return f"secrets:{RULESET}:{entry.oid}"
