"""Plain git on one side, or on both, with and without our hook where pushes arrive."""

from __future__ import annotations

import pytest

from strata_git.authoring.approve import approve
from strata_git.authoring.promote import Promotion
from strata_git.authoring.publish import Outrun
from strata_git.ledger.events import HEADS
from tests.flows.sharing import Pair, fetched, pair_in, pushed, refs, resolved, stages
from tests.ledger.lab import NOW, SETTINGS, Lab, fine
from tests.support.fixtures import Builder
from tests.support.keys import Keys
from tests.support.process import Completed


@pytest.fixture
def pair(builder: Builder, keys: Keys) -> Pair:
    return pair_in(builder, keys)


def guard(pair: Pair) -> None:
    """Our hook where pushes arrive; it judges by what is there."""
    pair.server.install_hooks()


def plainly(lab: Lab, *refs: str, options: tuple[str, ...] = ("--atomic",)) -> Completed:
    return lab.repo.try_git("push", *options, "origin", *refs)


def tags_of(promotion: Promotion) -> list[str]:
    return [f"refs/tags/{event.tag}" for event in promotion.events]


@pytest.mark.parametrize("guarded", [False, True])
def test_tags_alone_by_plain_git_fork_the_line_or_are_refused(pair: Pair, guarded: bool) -> None:
    if guarded:
        guard(pair)
    first, second = pair.one.promote("v1"), pair.two.promote("v2", "archived")
    assert plainly(pair.one, *tags_of(first)).code == 0
    done = plainly(pair.two, *tags_of(second))
    assert (done.code != 0) is guarded
    if guarded:
        assert "STR-P007" in done.err
        assert "refs/tags/forest#archived#2" not in refs(pair.server)
        return
    three = Lab(pair.server.clone("three"), pair.one.keys)
    assert {rule for rule, _ in three.told()} == {"STR-P007"}
    pushed_by = resolved(three)
    assert pushed_by.events[0].name.kind == "resolution"
    three.repo.git("remote", "set-url", "origin", str(pair.server.path))
    pushed(three)
    fetched(pair.one, join=True)
    fetched(pair.two, join=True)
    assert stages(pair.one) == stages(pair.two) == {"v1": "production", "v2": "archived"}


@pytest.mark.parametrize("guarded", [False, True])
def test_one_by_plain_git_the_other_by_ours(pair: Pair, guarded: bool) -> None:
    if guarded:
        guard(pair)
    first, second = pair.one.promote("v1"), pair.two.promote("v2", "archived")
    head = f"{HEADS}forest"
    begun = first.events[0].record
    assert begun is not None
    lease = f"--force-with-lease={head}:{begun.prev}"
    assert plainly(pair.one, *tags_of(first), head, options=("--atomic", lease)).code == 0
    with pytest.raises(Outrun):
        pushed(pair.two)
    assert len(fetched(pair.two, give_way=True).aside) == len(second.events)
    assert stages(pair.two) == {"v1": "production"}
    pair.two.promote("v2", "archived")
    assert pushed(pair.two).models == ("forest",)
    assert fetched(pair.one).complaints == ()
    assert stages(pair.one) == {"v1": "production", "v2": "archived"}


def test_a_guarded_server_takes_approvals_and_resolutions(pair: Pair) -> None:
    guard(pair)
    repo = pair.two.repo.repository()
    approve(repo, SETTINGS, "forest", "v1", key=pair.two.keys.bob, now=NOW, judge=fine)
    repo.close()
    pushed(pair.two)
    fetched(pair.one)
    pair.one.promote("v1")
    pair.two.promote("v2", "archived")
    pushed(pair.one)
    fetched(pair.two, join=True)
    resolved(pair.two)
    assert len(pushed(pair.two).refs) == 4
    fetched(pair.one)
    assert stages(pair.one) == {"v1": "production", "v2": "archived"}
