"""Whether the hooks of a clone do what its owner relies on (TFC-0006 section 8). Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strata_git.checks.finding import Finding, found


@dataclass(frozen=True, slots=True)
class HookFacts:
    """What is in force in one clone.

    `names` are the hooks that belong there; `reached` those from which we are called; `installed` says that somebody
    installed ours here once. `troubles` tell of ours that stand there: (state, hook, place), the state being outdated,
    changed, not executable, ignored (by an older git) or broken. `owners` tell who has the place of a hook, by name;
    `passed_by` is the directory that core.hooksPath puts in the place of the repository's own, `""` where it does not.

    `stores_lfs`: attributes send content to Git LFS; `uploads_lfs`: a push gets to git-lfs. `older_gits` are those on
    PATH that run no configured hooks: (path, version), where some of ours are only configured; `older_first`: the
    first of them is the git that is used.
    """

    names: tuple[str, ...]
    reached: frozenset[str]
    installed: bool = True
    troubles: tuple[tuple[str, str, str], ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict)
    passed_by: str = ""
    stores_lfs: bool = False
    uploads_lfs: bool = True
    older_gits: tuple[tuple[str, str], ...] = ()
    older_first: bool = False


def judge_hooks(facts: HookFacts) -> list[Finding]:
    """Findings about the hooks of a clone."""
    return [*_installed(facts), *_states(facts), *_uploads(facts), *_older(facts)]


def _installed(facts: HookFacts) -> Iterator[Finding]:
    missing = [name for name in facts.names if name not in facts.reached]
    if not missing:
        return
    if not facts.installed:
        message = "this clone has no hooks of git-strata: nothing is sealed or judged at commit and push"
        if facts.reached:  # a framework calls us, which is a way of its own
            message = f"git does not get to git-strata for {_several(missing)}"
        yield found("STR-H001", ".git/hooks", message)
        return
    if facts.passed_by:
        message = f"core.hooksPath points to {facts.passed_by}: git passes by {_several(missing)}"
        yield found("STR-H002", ".git/config", message)
        return
    told = {name for _, name, _ in facts.troubles}
    silent = [name for name in missing if name not in told]
    absent = [name for name in silent if not facts.owners.get(name)]
    if absent:
        message = f"{_several(absent)} {'is' if len(absent) == 1 else 'are'} not there, though others of ours are"
        yield found("STR-H002", ".git/hooks", message)
    for name in silent:
        if owner := facts.owners.get(name):
            message = f"{name} belongs to {owner}, which does not call git-strata"
            yield found("STR-H002", f".git/hooks/{name}", message)


def _states(facts: HookFacts) -> Iterator[Finding]:
    texts = {
        "outdated": ("STR-H003", "{} is that of another version of git-strata"),
        "changed": ("STR-H004", "{} was edited after it was installed"),
        "not executable": ("STR-H002", "{} is not executable, so git passes over it"),
        "broken": ("STR-H002", "{} is configured, but its script in the git directory is gone"),
    }
    for state, name, place in facts.troubles:
        if state in texts:
            rule, text = texts[state]
            yield found(rule, place, text.format(name))


def _uploads(facts: HookFacts) -> Iterator[Finding]:
    if not facts.stores_lfs or facts.uploads_lfs:
        return
    owner = facts.owners.get("pre-push", "")
    why = f"pre-push belongs to {owner}" if owner else "no hook calls it"
    message = f"a push would not reach git-lfs ({why}): pointers arrive without their content, and nobody is told"
    touched = facts.installed or facts.owners or facts.passed_by  # a fresh clone has no hook at all, and that is told
    yield found("STR-H005", ".git/hooks/pre-push", message, severity="" if touched else "info")


def _older(facts: HookFacts) -> Iterator[Finding]:
    for number, (path, version) in enumerate(facts.older_gits):
        first = number == 0 and facts.older_first
        message = f"git {version} ({path}) does not run the hooks that are installed by configuration"
        more = "" if first else ", and is on PATH behind one that does"
        yield found("STR-H006", ".git/config", message + more, severity="" if first else "info")


def _several(names: list[str]) -> str:
    return ", ".join(names)
