"""What lies around the artifacts: roots, settings, Git attributes (TFC-0001 sections 2 and 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from strata_git.checks.exhibit import TEXT_LIMIT
from strata_git.checks.finding import Finding, found
from strata_git.checks.layout import judge_places
from strata_git.checks.secrets import complaint
from strata_git.checks.selection import is_known
from strata_git.contracts.layout import ROOTS, SETTINGS
from strata_git.contracts.tree import REGULAR, Entry, Tree

if TYPE_CHECKING:
    from strata_git.config import Settings

ATTRIBUTES = ".gitattributes"
_EXPECTED = ("datasets", "models", "runs")
_LOCAL = ".strata/local"
_BYTES_MATTER = ("datasets", "models", "prompts", "runs")
_GUARDED = frozenset({*ROOTS, SETTINGS, ".strata"})
_EVERYWHERE = frozenset({"*", "**", "/**", "**/*"})
_KEEPS_BYTES = frozenset({"-text", "binary"})


def judge(tree: Tree) -> Iterator[Finding]:
    """Judge a whole tree apart from what is inside its artifacts."""
    entries = tree.under("")
    yield from judge_places(entry.path for entry in entries)
    yield from _judge_guarded(entries)
    yield from _judge_local(entries)
    present = {entry.path.partition("/")[0] for entry in entries}
    yield from _judge_roots(present)
    yield from _judge_settings(tree, present)
    yield from _judge_attributes(tree, present)


def _judge_guarded(entries: Sequence[Entry]) -> Iterator[Finding]:
    """What we read by exact name must be that name, and a file: a link or a twin could stand in for it."""
    told: set[str] = set()
    for entry in entries:
        top, slash, _ = entry.path.partition("/")
        folded = top.casefold()
        if folded not in _GUARDED:
            continue
        if top != folded and top not in told:
            told.add(top)
            yield found("STR-L020", top, f"'{top}' and '{folded}' are one name on some systems")
        elif top in (SETTINGS, ".strata") and entry.mode not in REGULAR:
            yield found("STR-L020", entry.path, "is a link or submodule, where a file is meant")
        elif not slash and top in ROOTS:
            yield found("STR-L020", entry.path, f"stands in the place of the directory {top}/")


def _judge_local(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Told once for each place: what one machine keeps would stand for something else on the next."""
    held = {entry.path if entry.path == ".env" else _LOCAL for entry in entries if _is_local(entry.path)}
    for place in sorted(held):
        yield found("STR-L023", place, "is kept by one machine for itself, and is committed (or would be)")


def _is_local(path: str) -> bool:
    return path == ".env" or path.startswith(f"{_LOCAL}/")


def _judge_roots(present: set[str]) -> Iterator[Finding]:
    missing = [f"{root}/" for root in _EXPECTED if root not in present]
    if missing:
        yield found("STR-L014", ".", f"no {', '.join(missing)} yet")


def _judge_settings(tree: Tree, present: set[str]) -> Iterator[Finding]:
    entry = tree.get(SETTINGS)
    if entry is None:
        if not present.isdisjoint(ROOTS):
            yield found("STR-L015", SETTINGS, "the workspace has no settings")
        return
    if entry.mode not in REGULAR:
        return
    from strata_git.config import SettingsError, load_settings

    try:
        settings = load_settings(tree.read(entry, TEXT_LIMIT))
        yield from (found("STR-L016", SETTINGS, message) for message in _complaints(settings))
    except SettingsError as error:
        yield found("STR-L016", SETTINGS, error.complaint.message, line=error.complaint.line)
    except KeyError:
        yield found("STR-Y003", SETTINGS, "not judged: object absent")
    except ValueError:
        yield found("STR-L016", SETTINGS, f"more than {TEXT_LIMIT} bytes")


def _complaints(settings: Settings) -> Iterator[str]:
    """What the settings' own reader cannot know: which rules there are, which patterns are safe to run."""
    for word in (*settings.doctor_select, *settings.doctor_ignore):
        if not is_known(word):
            yield f"'doctor' names the rule {word}, and there is none"
    for number, word in enumerate(settings.secrets_allow, 1):
        if wrong := complaint(word):
            yield f"'secrets.allow', entry {number}: {wrong}"


def _judge_attributes(tree: Tree, present: set[str]) -> Iterator[Finding]:
    """Without `-text`, line ends may be rewritten on checkout, and stock tools then see other bytes than Git holds."""
    roots = [root for root in _BYTES_MATTER if root in present]
    entry = tree.get(ATTRIBUTES)
    if not roots:
        return
    try:
        data = tree.read(entry, TEXT_LIMIT) if entry is not None else b""
    except KeyError:
        yield found("STR-Y003", ATTRIBUTES, "not judged: object absent")
        return
    except ValueError:
        data = b""
    kept = _kept(data.decode("utf-8", "replace"))
    for root in roots:
        if root not in kept:
            message = f"line ends below {root}/ may be rewritten on checkout"
            yield found("STR-L019", ATTRIBUTES, message, fix=f"add to {ATTRIBUTES}: `{root}/** -text`")


def _kept(text: str) -> set[str]:
    """The artifact roots whose bytes some line of .gitattributes protects."""
    kept: set[str] = set()
    for line in text.splitlines():
        pattern, *attributes = line.split() or ["#"]
        if pattern.startswith("#") or _KEEPS_BYTES.isdisjoint(attributes):
            continue
        if pattern in _EVERYWHERE:
            return set(ROOTS)
        kept.add(pattern.lstrip("/").partition("/")[0])
    return kept
