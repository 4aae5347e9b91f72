"""Around the events: borrowed names, notes, the policy's file, words for terminals, copies of artifacts."""

from __future__ import annotations

import shutil

import pytest

from strata_git.contracts.layout import POLICY
from tests.attacks.stand import MALLORY, THIRD, Stand, armored, enact, placed, unsigned
from tests.flows.kinds import strata
from tests.flows.server import NOTES
from tests.support.builder import RepositoryBuilder

ALICE = "Alice Tester <alice@example.org>"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e"


def test_a_borrowed_name(stand: Stand) -> None:
    """Tagger, author, committer and .mailmap say Alice; the key is Mallory's."""
    names = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", "Alice Tester"), ("EMAIL", "alice@example.org"))}  # fmt: skip
    stand.repo.write({".mailmap": f"{ALICE} {MALLORY}\n"})
    stand.repo.git("add", ".mailmap")
    stand.repo.git("commit", "-qm", "Mailmap", env=names)
    leaving = stand.record()
    stand.forge("forest#staging!#3", leaving, "mallory", tagger=ALICE)
    assert {rule for rule, _ in stand.told()} == {"STR-P009"}, "half a move, which Mallory may make"
    told = strata(stand.repo, "history", "forest", "--format", "json").json()
    rows = {row["tag"]: row["signer"] for row in told["events"]}  # type: ignore[attr-defined]
    assert rows["forest#staging!#3"] == rows[THIRD] == "mallory"


def test_words_for_a_terminal(stand: Stand) -> None:
    """In the tagger's name and in the reason, signed by somebody who may."""
    tag = "forest#staging!#3"
    sentence = f"leaves staging\n\nBecause {ESCAPES}."
    payload = unsigned(tag, stand.record(), stand.when() + 9, f"A{ESCAPES} <a@example.org>", sentence)
    placed(stand.court, tag, payload + armored(stand.packet(payload, "alice")))
    assert {rule for rule, _ in stand.told()} == {"STR-P009"}
    commands = (("stages",), ("history", "forest"), ("verify",), ("lineage", "forest@v1"), ("show", "forest@v1"))
    for words in commands:
        answer = strata(stand.repo, *words)
        assert answer.code in (0, 1, 2)
        for sign in ("\x1b", "\x07", "\u202e"):
            assert sign not in answer.out + answer.err, words
    assert "Because" in strata(stand.repo, "history", "forest").out


# --- notes


def test_a_note_moved_to_another_commit(stand: Stand) -> None:
    """A line of an event, word for word, where it does not belong."""
    commit = stand.court.oid("refs/tags/forest@v1.0.0^{commit}")
    line = stand.repo.git("notes", "--ref", NOTES, "show", commit).splitlines()[0]
    stand.repo.git("notes", "--ref", NOTES, "append", "-m", line, "main")
    assert "STR-P018" in strata(stand.repo, "verify").expect(1).out
    stand.server.refuses("STR-P018", NOTES)


@pytest.mark.heavy
def test_a_note_that_says_otherwise(stand: Stand) -> None:
    commit = stand.court.oid("refs/tags/forest@v1.0.0^{commit}")
    lines = stand.repo.git("notes", "--ref", NOTES, "show", commit)
    better = lines.replace('"staging"', '"production"')
    assert better != lines
    lie = next(line for line in better.splitlines() if line not in lines.splitlines())
    stand.repo.git("notes", "--ref", NOTES, "append", "-m", lie, commit)
    assert "STR-P018" in strata(stand.repo, "verify").expect(1).out
    stand.server.refuses("STR-P018", NOTES)


@pytest.mark.parametrize("how", [pytest.param("deleted", marks=pytest.mark.heavy), "from scratch"])
def test_notes_taken_away_take_nothing_away(stand: Stand, how: str) -> None:
    """Tags are the truth: stages are what they were, and the server gives nothing up."""
    before = strata(stand.repo, "stages", "--format", "json").expect(0).json()["models"]
    stand.repo.git("update-ref", "-d", NOTES)
    if how == "from scratch":
        stand.repo.git("notes", "--ref", NOTES, "add", "-m", "trust me", "main")
    assert strata(stand.repo, "stages", "--format", "json").expect(0).json()["models"] == before
    stand.server.refuses("STR-P017", "--force", f":{NOTES}" if how == "deleted" else NOTES)


# --- the policy's file


@pytest.mark.heavy
def test_the_policy_becomes_a_link(stand: Stand) -> None:
    """To a file with other rules; and beside it a twin that some systems take for it."""
    eased = stand.repo.read(POLICY).replace(b'"threshold": 2', b'"threshold": 1')
    stand.repo.write({"easy.yaml": eased, POLICY: None})
    stand.repo.symlink({POLICY: "../../easy.yaml"})
    stand.repo.commit("Link", None, "--no-verify")
    assert f"{POLICY}: error STR-L020" in strata(stand.repo, "doctor").expect(2).out
    stand.server.refuses("STR-L020", "main")
    refs = stand.bring("alice")
    told = stand.refused("STR-P020", "forest#production#4", *refs)
    assert "asks for 2 of alice, bob" in told, "the last policy that was one is in force"


def test_an_old_policy_comes_back(stand: Stand) -> None:
    """The stricter second version is undone by setting the branch back."""
    first = stand.repo.head
    enact(stand, "alice", freshness={"max_age_days": 7})
    stand.server.accepts("main")
    stand.repo.git("reset", "-q", "--hard", first)
    stand.server.refuses("STR-P031", "--force", "main")


# --- an artifact under another name


@pytest.mark.parametrize("elsewhere", [pytest.param("models/birch/v1", marks=pytest.mark.heavy), "models/forest/v9"])
def test_a_signed_directory_is_copied(stand: Stand, elsewhere: str) -> None:
    """Its signature is as good as before; what it says of itself is not."""
    repo = stand.repo
    strata(repo, "sign", "forest@v1", "--key", stand.court.keys.alice).expect(0)
    repo.commit("Signed")
    copy(repo, "models/forest/v1", elsewhere)
    stock = stand.court.keys.gpg("--verify", str(repo.path / elsewhere / "SIGNATURE.asc"),
                                 str(repo.path / elsewhere / "CHECKSUMS.txt"))  # fmt: skip
    assert stock.code == 0
    repo.commit("Copy", None, "--no-verify")
    assert f"{elsewhere}/metadata.yaml: error STR-C007" in strata(repo, "verify", elsewhere).expect(2).out
    assert "error STR-C007: " in strata(repo, "doctor", "--range", "HEAD~1..HEAD").expect(2).out


def copy(repo: RepositoryBuilder, place: str, elsewhere: str) -> None:
    shutil.copytree(repo.path / place, repo.path / elsewhere)
