"""The high-water mark: what was here once is missed, damage is told and never mended behind anybody's back."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strata_git.authoring.freshness import LATEST, declare_fresh
from strata_git.authoring.marks import judge_marks
from strata_git.authoring.publish import push
from strata_git.authoring.sharing import fetch
from strata_git.errors import StrataError
from strata_git.ledger.assurances import freshness_complaints
from strata_git.ledger.events import HEADS, read_ledger
from strata_git.ledger.freshness import parse_freshness
from strata_git.ledger.record import RecordError
from strata_git.ledger.seen import Seen, read_seen, record_seen, rewind_seen
from strata_git.load import canonical_json
from tests.ledger.book import UUID, Book
from tests.ledger.lab import NOW, SETTINGS, Lab, lab_in
from tests.support.artifacts import REPOSITORY
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    """v1 is in production."""
    lab = lab_in(builder(), keys)
    lab.promote("v1")
    lab.promote("v1")
    return lab


def place(lab: Lab) -> Path:
    return lab.repo.path / ".git" / "strata" / "seen.json"


def seen(lab: Lab) -> Seen:
    repo = lab.repo.repository()
    try:
        return read_seen(repo)
    finally:
        repo.close()


def marks(lab: Lab, **options: object) -> set[str]:
    repo = lab.repo.repository()
    try:
        at = options.pop("now", NOW + timedelta(hours=1))
        ledger = read_ledger(repo, repository=REPOSITORY, now=at)  # type: ignore[arg-type]
        return {finding.rule for finding in judge_marks(repo, ledger, REPOSITORY, now=at)}  # type: ignore[arg-type]
    finally:
        repo.close()


def test_a_promotion_is_seen(lab: Lab) -> None:
    assert seen(lab) == Seen({"forest": (lab.oid("refs/tags/forest#production#3"),)}, {"forest": 3})
    assert json.loads(place(lab).read_bytes())["schema"] == "strata/seen/v1"


def test_taking_tags_and_head_back_together_is_noticed(lab: Lab) -> None:
    for tag in ("forest#production#3", "forest#staging!#2"):
        lab.delete(tag)
    lab.repo.git("update-ref", f"{HEADS}forest", lab.oid("refs/tags/forest#staging#1"))
    assert lab.told() == {("STR-P017", "")}
    before = seen(lab)
    assert marks(lab) == set()
    assert seen(lab) == before  # what is missed is not forgotten


def test_all_gone_is_noticed(lab: Lab) -> None:
    for ref in lab.repo.git("for-each-ref", "--format=%(refname)", "refs/tags", "refs/strata").splitlines():
        lab.repo.git("update-ref", "-d", ref)
    assert lab.told() == {("STR-P017", "")}


def test_a_clone_begins_anew_and_verify_remembers(lab: Lab) -> None:
    clone = Lab(lab.repo.clone(), lab.keys)
    assert seen(clone) == Seen()
    assert marks(clone) == set()
    assert seen(clone) == seen(lab)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"null", b"[]", b"\xff", b"{" * 100_000,
        b'{"schema": "strata/seen/v2", "models": {}, "policy": 0}',
        b'{"schema": "strata/seen/v1", "models": {"forest": {"seq": 1, "heads": []}}, "policy": 0}',
        b'{"schema": "strata/seen/v1", "models": {"../x": {"seq": 1, "heads": ["' + b"1" * 40 + b'"]}}, "policy": 0}',
        b'{"schema": "strata/seen/v1", "models": {"tree": {"seq": "1", "heads": ["' + b"1" * 40 + b'"]}}, "policy": 0}',
        b'{"schema": "strata/seen/v1", "models": {"forest": {"seq": 1, "heads": "' + b"1" * 40 + b'"}}, "policy": 0}',
    ],
)  # fmt: skip
def test_damage_is_told_and_left_as_it_is(lab: Lab, data: bytes) -> None:
    place(lab).write_bytes(data)
    assert seen(lab).damage
    assert marks(lab) == {"STR-P025"}
    lab.promote("v2")
    assert place(lab).read_bytes() == data


def test_a_link_is_damage(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    place(lab).rename(other)
    place(lab).symlink_to(other)
    assert seen(lab).damage


def test_it_only_moves_forward(lab: Lab) -> None:
    repo = lab.repo.repository()
    short = Book().move("v1", "staging").fold()
    before = read_seen(repo)
    assert record_seen(repo, short)  # these are other events: what was seen is not among them
    assert read_seen(repo) == before
    assert rewind_seen(repo, "forest", (), 0)
    assert read_seen(repo) == Seen()
    assert record_seen(repo, short, policy=3)
    assert read_seen(repo).policy == 3
    assert record_seen(repo, short, policy=2)
    assert read_seen(repo).policy == 3
    repo.close()


def test_many_at_once_leave_one_sound_file(lab: Lab) -> None:
    books = [Book(f"model{n}").move("v1", "staging").fold() for n in range(6)]
    repos = [lab.repo.repository() for _ in books]
    threads = [threading.Thread(target=record_seen, args=pair) for pair in zip(repos, books, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for repo in repos:
        repo.close()
    assert set(seen(lab).heads) == {"forest", *(f"model{n}" for n in range(6))}


def test_verify_tells(lab: Lab) -> None:
    place(lab).write_bytes(b"gone bad")
    done = lab.repo.strata("verify")
    assert "STR-P025" in done.out


# --- statements of freshness: what a fresh clone can know


def declared(lab: Lab, days: int = 7, **options: object) -> str:
    repo = lab.repo.repository()
    try:
        declare_fresh(repo, SETTINGS, days, key=lab.keys.alice, **{"now": NOW, **options})  # type: ignore[arg-type]
    finally:
        repo.close()
    return lab.oid(LATEST)


def told(lab: Lab, *, days: float = 0) -> set[str]:
    repo = lab.repo.repository()
    try:
        at = NOW + timedelta(days=days)
        ledger = read_ledger(repo, repository=REPOSITORY, now=at)
        return {
            each.rule for each in freshness_complaints(repo, ledger.state, ledger.trust, repository=REPOSITORY, now=at)
        }
    finally:
        repo.close()


def test_git_accepts_a_statement(lab: Lab) -> None:
    lab.repo.git("verify-tag", declared(lab))
    assert told(lab) == set()
    lab.promote("v2")
    assert told(lab) == set()  # what came later contradicts nothing


def test_a_fresh_clone_misses_what_a_statement_names(lab: Lab, builder: Builder) -> None:
    server = builder("server", bare=True)
    lab.repo.git("remote", "add", "origin", str(server.path))
    declared(lab)
    repo = lab.repo.repository()
    push(repo, SETTINGS, now=NOW)
    repo.close()
    lab.repo.git("push", "--quiet", "origin", "main")
    for tag in ("forest#production#3", "forest#staging!#2"):
        server.git("update-ref", "-d", f"refs/tags/{tag}")
    server.git("update-ref", f"{HEADS}forest", lab.oid("refs/tags/forest#staging#1"))
    clone = Lab(server.clone("fresh"), lab.keys)
    assert clone.told() == set()
    other = clone.repo.repository()
    made = fetch(other, SETTINGS, now=NOW)
    other.close()
    assert {each.rule for _, each in made.complaints} == {"STR-P017"}
    assert told(clone) == {"STR-P017"}
    assert told(clone, days=8) == {"STR-P017", "STR-P026"}


def test_an_older_statement_does_not_take_the_place_of_a_later_one(lab: Lab, builder: Builder) -> None:
    server = builder("server", bare=True)
    lab.repo.git("remote", "add", "origin", str(server.path))
    old = declared(lab)
    repo = lab.repo.repository()
    push(repo, SETTINGS, now=NOW)
    new = declared(lab, now=NOW + timedelta(minutes=1))
    fetch(repo, SETTINGS, now=NOW + timedelta(minutes=1))
    assert lab.oid(LATEST) == new
    push(repo, SETTINGS, now=NOW + timedelta(minutes=1))
    assert server.git("rev-parse", LATEST) == new
    lab.repo.git("update-ref", LATEST, old)
    fetch(repo, SETTINGS, now=NOW + timedelta(minutes=1))
    assert lab.oid(LATEST) == new
    repo.close()


def test_a_statement_ends(lab: Lab) -> None:
    declared(lab)
    assert told(lab, days=6.9) == set()
    assert told(lab, days=7.1) == {"STR-P026"}


def test_a_statement_nobody_known_signed_says_nothing(lab: Lab) -> None:
    declared(lab)
    lab.keys.gpg("--yes", "--delete-secret-and-public-key", lab.keys.alice)
    assert told(lab) == {"STR-P026"}


def test_other_objects_are_no_statements(lab: Lab) -> None:
    for oid in (lab.oid("refs/tags/forest@v1.0.0"), lab.oid("HEAD")):
        lab.repo.git("update-ref", LATEST, oid)
        assert told(lab) == {"STR-P026"}


def test_a_statement_needs_a_sound_ledger_and_a_sensible_time(lab: Lab) -> None:
    for days in (0, 367):
        with pytest.raises(StrataError, match="1 to 366 days"):
            declared(lab, days)
    lab.delete("forest#staging!#2")
    with pytest.raises(StrataError, match="Something is wrong"):
        declared(lab)


RECORD = {
    "schema": "strata/freshness/v1", "repo": UUID, "heads": {"forest": "1" * 40}, "issued_at": "2026-02-01T12:00:00Z",
    "valid_until": "2026-02-08T12:00:00Z",
}  # fmt: skip


def test_a_statement_is_read_back() -> None:
    text = canonical_json(RECORD).decode()
    assert canonical_json(parse_freshness(text).as_json()).decode() == text
    assert replace(parse_freshness(text), heads={}).heads == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "x"}, {"repo": ""}, {"heads": []}, {"heads": {"../x": "1" * 40}}, {"heads": {"forest": "HEAD"}},
        {"issued_at": "now"}, {"valid_until": "2026-02-01T12:00:00Z"}, {"more": 1},
    ],
)  # fmt: skip
def test_other_statements_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        parse_freshness(canonical_json({**RECORD, **changes}).decode())
