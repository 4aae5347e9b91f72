"""Answers are given again only while nothing has changed that they follow from."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from strata_git.ledger.remembered import KEPT, answer_key, recall, remember
from tests.ledger.lab import NOW, Lab, lab_in
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    lab = lab_in(builder(), keys)
    lab.promote("v1")
    return lab


def key(lab: Lab, *question: str, **options: object) -> str:
    repo = lab.repo.repository()
    try:
        return answer_key(repo, question or ("stages",), **{"now": NOW, **options})  # type: ignore[arg-type]
    finally:
        repo.close()


def config(lab: Lab, name: str, value: str) -> None:
    lab.repo.git("config", "--global", name, value)


CHANGES: list[tuple[str, Callable[[Lab], object]]] = [
    ("a tag deleted", lambda lab: lab.delete("forest#staging#1")),
    ("a tag moved", lambda lab: lab.move_ref("forest#staging#1", lab.oid("refs/tags/forest@v1.0.0"))),
    ("the head moved", lambda lab: lab.repo.git("update-ref", "-d", "refs/strata/ledger/forest")),
    ("a commit", lambda lab: lab.repo.commit("More", {"x": b"x"})),
    ("settings, uncommitted", lambda lab: lab.repo.write({"strata.yaml": b"x: y\n"})),
    ("a new key", lambda lab: lab.keys.add("mallory")),
    ("a revoked key", lambda lab: lab.keys.revoke("alice")),
    ("allowed signers named", lambda lab: config(lab, "gpg.ssh.allowedSignersFile", "/nowhere")),
    ("a revocation list named", lambda lab: config(lab, "gpg.ssh.revocationFile", "/nowhere")),
    ("a pin", lambda lab: lab.repo.environ.update(STRATA_TRUST_PIN="sha256:" + "1" * 64)),
    ("the mark", lambda lab: Path(lab.repo.path, ".git/strata/seen.json").write_text("{}")),
    ("a shallow history", lambda lab: Path(lab.repo.path, ".git/shallow").write_text("")),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
def test_what_an_answer_follows_from_changes_its_key(lab: Lab, change: Callable[[Lab], object]) -> None:
    before = key(lab)
    assert key(lab) == before
    change(lab)
    assert key(lab) != before


def test_a_changed_file_of_allowed_signers_does_too(lab: Lab, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text("a")
    config(lab, "gpg.ssh.allowedSignersFile", str(allowed))
    before = key(lab)
    allowed.write_text("ab")
    assert key(lab) != before


def test_another_question_and_another_hour_have_other_keys(lab: Lab) -> None:
    assert len({key(lab), key(lab, "stages", "forest"), key(lab, now=NOW + timedelta(hours=1))}) == 3


def test_a_few_answers_are_kept(lab: Lab) -> None:
    repo = lab.repo.repository()
    for number in range(KEPT + 1):
        remember(repo, str(number), {"number": number})
    assert [recall(repo, str(number)) for number in range(KEPT + 1)] == [
        None,
        *({"number": n} for n in range(1, KEPT + 1)),
    ]
    for junk in (b"", b"{}", b"[1]", b"\xff", b"[" * 100_000, b'[["1", 2]]'):
        (repo.cache_dir / "answers.json").write_bytes(junk)
        assert recall(repo, "1") is None
    remember(repo, "1", {"number": 1})
    assert recall(repo, "1") == {"number": 1}
    repo.close()


def test_stages_are_answered_from_memory(lab: Lab) -> None:
    first = lab.repo.strata("stages", "--format", "json").expect(0)
    place = Path(lab.repo.path, ".git", "strata", "cache", "answers.json")
    kept = json.loads(place.read_bytes())
    kept[0][1]["models"][0]["versions"][0]["signer"] = "from memory"
    place.write_text(json.dumps(kept))
    shown = lab.repo.strata("stages").expect(0)
    if "from memory" not in shown.out:  # another hour has begun
        assert shown.out
    assert first.json()["schema"] == "strata/stages/v1"
    lab.delete("forest#staging#1")
    done = lab.repo.strata("stages").expect(2)
    assert "STR-P017" in done.err
    assert "from memory" not in done.out
    assert "STR-P017" in lab.repo.strata("stages").expect(2).err  # what is wrong is never remembered
    assert place.read_text().count("from memory") <= 1
