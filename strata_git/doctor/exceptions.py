"""What a workspace has asked not to be told: rules left out in strata.yaml, and the findings of its baseline.

A tree is judged by its own exceptions; commits that are received, by those of the side that receives them, so that no
push can silence a rule and break it (TFC-0006 2.4 and section 6).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from strata_git.config import Settings
from strata_git.contracts.layout import BASELINE, SETTINGS
from strata_git.doctor.cache import Cache
from strata_git.doctor.settings import settings_in
from strata_git.doctor.verdict import Verdict, ordered
from strata_git.repo.command import Repository
from strata_git.repo.history import Commit
from strata_git.repo.tree import ListedTree, commit_tree

if TYPE_CHECKING:
    from strata_git.checks.baseline import Entries
    from strata_git.checks.selection import Selection


@dataclass(frozen=True, slots=True)
class Exceptions:
    """The settings in force, the baseline's entries, and why those cannot be read (`""`: they can)."""

    settings: Settings
    entries: Entries = frozenset()
    unreadable: str = ""


def exceptions_in(tree: ListedTree, cache: Cache) -> Exceptions:
    """The exceptions that stand in `tree`, which lists at least the files around the artifacts."""
    settings = settings_in(tree, cache)
    entry = tree.get(BASELINE)
    if entry is None or entry.mode not in ("100644", "100755"):
        return Exceptions(settings)
    from strata_git.checks.baseline import LIMIT, parse

    try:
        return Exceptions(settings, parse(tree.read(entry, LIMIT)))
    except KeyError:
        return Exceptions(settings, unreadable="its object is not here")
    except ValueError as error:
        return Exceptions(settings, unreadable=str(error))


def exceptions_of_base(
    repo: Repository, commits: Sequence[Commit], base: Collection[str], cache: Cache
) -> Exceptions | None:
    """The exceptions of the side that receives `commits` (parents first); None where it has no settings yet.

    With one base that is its side; with several, the commit that the new ones were made on. A baseline that cannot be
    read there excuses nothing: the push that mends it must pass.
    """
    new = {commit.oid for commit in commits}
    grown_from = [parent for commit in commits for parent in commit.parents if parent not in new]
    sides = [one for one in base if not one.startswith("-")] if len(base) == 1 else []
    side = next(iter([*sides, *grown_from]), None)
    if side is None:
        return None
    tree = commit_tree(repo, side, [SETTINGS, BASELINE])
    if tree.get(SETTINGS) is None:
        return None
    return replace(exceptions_in(tree, cache), unreadable="")


def excused(verdict: Verdict, exceptions: Exceptions, *, whole: bool) -> Verdict:
    """The verdict without what the exceptions cover; `whole` says that everything was judged.

    Only a whole verdict can tell which entries of the baseline occur no more.
    """
    settings = exceptions.settings
    asked = settings.doctor_select or settings.doctor_ignore
    if not (asked or exceptions.entries or exceptions.unreadable):
        return verdict
    from strata_git.checks.baseline import judge_stale, judge_unreadable, subtract
    from strata_git.checks.selection import Selection

    left, known = subtract(verdict.findings, exceptions.entries)
    if exceptions.unreadable:
        left.append(judge_unreadable(exceptions.unreadable))
    if whole and not verdict.unjudged:
        left += judge_stale(verdict.findings, exceptions.entries)
    told, ignored = Selection(settings.doctor_select, settings.doctor_ignore).divide(left, guarded=True)
    return replace(verdict, findings=ordered(told), known=ordered(known), ignored=ordered(ignored))


def chosen(verdict: Verdict, selection: Selection) -> Verdict:
    """The verdict as far as somebody asks to hear it. Rules named by `select` are told whatever the settings say."""
    pool = [*verdict.findings, *verdict.ignored] if selection.select else verdict.findings
    aside = () if selection.select else verdict.ignored
    told, left = selection.divide(pool, guarded=False)
    return replace(verdict, findings=ordered(told), ignored=ordered([*aside, *left]))


def taken_on(verdict: Verdict) -> tuple[Verdict, Entries]:
    """What is left of a verdict once a new baseline knows everything that one may hold, and that baseline's entries."""
    from strata_git.checks.baseline import adopted, subtract

    found = [f for f in (*verdict.findings, *verdict.known) if f.rule not in ("STR-L021", "STR-L022")]
    entries = adopted(found)
    left, known = subtract(found, entries)
    return replace(verdict, findings=ordered(left), known=ordered(known)), entries
