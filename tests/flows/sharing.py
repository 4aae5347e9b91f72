"""Two clones of a server, and short words for publishing and taking in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from strata_git.authoring.publish import Published, push
from strata_git.authoring.resolve import Resolution, resolve
from strata_git.authoring.sharing import Fetched, fetch
from strata_git.repo.notes import NOTES_REF
from tests.ledger.lab import NOW, SETTINGS, Lab, lab_in
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@dataclass(frozen=True, slots=True)
class Pair:
    """`one` and `two` are clones of `server`; v1 is in staging, published, and known to both."""

    server: RepositoryBuilder
    one: Lab
    two: Lab


def pushed(lab: Lab, *models: str, **options: object) -> Published:
    repo = lab.repo.repository()
    try:
        return push(repo, SETTINGS, models=models, **{"now": NOW + timedelta(hours=1), **options})  # type: ignore[arg-type]
    finally:
        repo.close()


def fetched(lab: Lab, **options: object) -> Fetched:
    repo = lab.repo.repository()
    try:
        return fetch(repo, SETTINGS, **{"now": NOW + timedelta(hours=1), **options})  # type: ignore[arg-type]
    finally:
        repo.close()


def resolved(lab: Lab, keep: str = "") -> Resolution:
    repo = lab.repo.repository()
    try:
        return resolve(repo, SETTINGS, "forest", keep, key=lab.keys.alice, now=NOW)
    finally:
        repo.close()


def stages(lab: Lab) -> dict[str, str]:
    assert {rule for rule, _ in lab.told()} == set()
    return {version: placed.stage for version, placed in lab.state().versions.items()}


def refs(repo: RepositoryBuilder, *patterns: str) -> dict[str, str]:
    lines = repo.git("for-each-ref", "--format=%(refname) %(objectname)", *patterns).splitlines()
    return dict(line.split(" ") for line in lines)


LEDGER = ("refs/tags/", "refs/strata/ledger/", "refs/strata/approvals/", NOTES_REF)


def pair_in(builder: Builder, keys: Keys) -> Pair:
    """Make them."""
    one = lab_in(builder("one"), keys)
    server = builder("server", bare=True)
    one.repo.git("remote", "add", "origin", str(server.path))
    one.repo.git("push", "--quiet", "origin", "main")
    one.repo.git("fetch", "--quiet")
    one.promote("v1")
    pushed(one)
    two = Lab(one.repo.clone("two"), keys)
    two.repo.git("remote", "set-url", "origin", str(server.path))
    two.repo.git("fetch", "--quiet", "origin")
    fetched(two)
    return Pair(server, one, two)
