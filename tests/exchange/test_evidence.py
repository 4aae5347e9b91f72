"""An auditor verifies evidence with stock tools alone, and is told of every byte that was changed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from strata_git.authoring.approve import approve
from strata_git.errors import StrataError
from tests.exchange.evidences import SCRIPT, STOCK, audited, seal, unpacked, written
from tests.index.opening import opened
from tests.ledger.court import court_in, ladder
from tests.ledger.lab import NOW, SETTINGS, Lab, fine
from tests.support.fixtures import Builder
from tests.support.keys import Keys, KeyStore
from tests.support.process import run

Forge = Callable[[Path], object]


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    """forest@v1 with its run and data, signed by alice, in production."""
    repo = builder().workspace()
    story = repo.story()
    repo.commit("A story")
    listed = repo.read(f"{story.model.path}/CHECKSUMS.txt")
    repo.commit("Sign", {f"{story.model.path}/SIGNATURE.asc": keys.sign(listed, "alice")})
    lab = Lab(repo, keys)
    lab.promote()
    lab.promote()
    return lab


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of the lab's model in production, unpacked; it is made once and for all tests."""
    archive = tmp_path_factory.getbasetemp() / "production.tar.gz"
    if not archive.exists():
        written(request.getfixturevalue("lab").repo, "forest@production", archive)
    return unpacked(archive, tmp_path / "out")


@pytest.fixture
def alice(key_store: KeyStore) -> str:
    return (key_store.folder("alice") / "fingerprint").read_text()


def test_everything_holds_in_an_empty_home(folder: Path, alice: str) -> None:
    audit = audited(folder, "-k", alice)
    assert audit.code == 0, audit.said
    assert "events: 4, artifacts: 3" in audit.said
    assert f"signed by {alice}  refs/tags/forest#production#3" in audit.said
    assert f"signed by {alice}  models/forest/v1" in audit.said
    assert "note:" not in audit.said
    told = json.loads((folder / "evidence.json").read_bytes())
    assert (told["artifact"], told["stages"], told["findings"]) == ("models/forest@v1", ["production"], [])
    assert not (folder / "artifacts/datasets/iris/v1/train.csv").exists()


def test_the_script_lies_in_the_archive(folder: Path) -> None:
    assert (folder / "verify.sh").stat().st_mode & 0o111
    assert (folder / "verify.sh").read_bytes() == SCRIPT.read_bytes()


def test_the_same_revision_gives_the_same_bytes_with_data_too(lab: Lab, tmp_path: Path) -> None:
    one, two = tmp_path / "one.tar.gz", tmp_path / "two.tar.gz"
    written(lab.repo, "forest@v1", one, with_data=True)
    lab.repo.git("gc", "--quiet")
    written(lab.repo, "forest@v1", two, with_data=True)
    assert one.read_bytes() == two.read_bytes()
    folder = unpacked(two, tmp_path / "whole")
    assert (folder / "artifacts/datasets/iris/v1/train.csv").read_bytes() == lab.repo.read("datasets/iris/v1/train.csv")
    assert audited(folder).code == 0


def test_another_key_than_the_auditor_expects_is_told(folder: Path) -> None:
    audit = audited(folder, "-k", "0" * 40)
    assert audit.code == 1
    assert all("which -k does not name" in line for line in audit.wrong)


def _flip(member: Path) -> None:
    before = member.read_bytes()
    place = len(before) // 2
    member.write_bytes(before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])


@pytest.mark.parametrize("name", ["repository.bundle", "artifacts/runs/run-2026-01-05-001/system.json"])
def test_a_flipped_byte_is_told(folder: Path, name: str) -> None:
    _flip(folder / name)
    assert audited(folder).code == 1


@pytest.mark.heavy
def test_a_byte_flipped_in_any_member_is_told(folder: Path) -> None:
    members = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(members) > 15
    for member in members:
        before = member.read_bytes()
        _flip(member)
        audit = audited(folder)
        assert audit.code == 1, f"{member.relative_to(folder)}\n{audit.said}"
        member.write_bytes(before)
    assert audited(folder).code == 0


@pytest.mark.heavy
def test_a_byte_flipped_and_sealed_again_is_told_wherever_a_signature_reaches(folder: Path) -> None:
    reached = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] in ("artifacts", "keys", "repository.bundle")
    ]
    for member in reached:
        before = member.read_bytes()
        _flip(member)
        seal(folder)
        audit = audited(folder)
        assert audit.code == 1, f"{member.relative_to(folder)}\n{audit.said}"
        member.write_bytes(before)


def _replaced(name: str, old: str, new: str) -> Forge:
    def forge(folder: Path) -> None:
        path = folder / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new))

    return forge


def _removed(name: str) -> Forge:
    return lambda folder: (folder / name).unlink()


def _other_data(folder: Path) -> None:
    facts = (folder / "facts.txt").read_text()
    (folder / "facts.txt").write_text(re.sub(r"(?m)^(artifact datasets/iris/v1 .*).{4}$", r"\1beef", facts))


FORGERIES: dict[str, tuple[Forge, str]] = {
    "metrics": (_replaced("artifacts/models/forest/v1/metrics.yaml", "0.9", "0.99"), "metrics.yaml: FAILED"),
    "a file more": (lambda folder: (folder / "artifacts/models/forest/v1/x").write_text("x"), "does not have"),
    "no list": (_removed("artifacts/models/forest/v1/CHECKSUMS.txt"), "is missing"),
    "no keys": (lambda folder: shutil.rmtree(folder / "keys"), "does not verify"),
    "other head": (_replaced("facts.txt", "head forest ", "head forest 0"), "does not end in"),
    "other data": (_other_data, "has not the digest that facts.txt claims"),
    "a link": (lambda folder: (folder / "link").symlink_to("facts.txt"), "links or special files"),
}


_CHEAP = ("no keys",)


@pytest.mark.parametrize(
    "name", [name if name in _CHEAP else pytest.param(name, marks=pytest.mark.heavy) for name in FORGERIES]
)
def test_a_forger_who_seals_again_is_caught(folder: Path, name: str) -> None:
    forge, told = FORGERIES[name]
    forge(folder)
    seal(folder)
    audit = audited(folder)
    assert audit.code == 1
    assert any(told in line for line in audit.wrong), audit.said


HOSTILE = """artifact ../../../../etc - - x
artifact $(touch pwned) - - x
artifact --upload-pack=x --help --help x
cites digest /etc/passwd ../../etc
cites content * `touch pwned`
cites file a b ; touch pwned
head -x -x
"""


def test_what_a_stranger_wrote_into_the_facts_is_words(folder: Path) -> None:
    facts = folder / "facts.txt"
    facts.write_text("subject $(touch pwned)\n" + facts.read_text() + HOSTILE)
    (folder / "a\x1b[31m").write_text("x")
    audit = audited(folder)
    assert (audit.code, "\x1b" in audit.said) == (1, False)
    assert "facts.txt holds lines that mean nothing" in audit.wrong
    assert list(folder.parent.rglob("pwned")) == []
    assert "cannot open" not in audit.said


def _reseal_records(folder: Path) -> None:
    """Change the measured value and every digest that follows from it, as far as no signature stands in the way."""
    import hashlib

    model = folder / "artifacts/models/forest/v1"
    _replaced("artifacts/models/forest/v1/metrics.yaml", "0.9", "0.99")(folder)
    listed = (model / "CHECKSUMS.txt").read_text().splitlines()
    fresh = hashlib.sha256((model / "metrics.yaml").read_bytes()).hexdigest()
    lines = [f"{fresh}  metrics.yaml" if line.endswith("  metrics.yaml") else line for line in listed]
    before = hashlib.sha256((model / "CHECKSUMS.txt").read_bytes()).hexdigest()
    (model / "CHECKSUMS.txt").write_text("\n".join(lines) + "\n")
    after = hashlib.sha256((model / "CHECKSUMS.txt").read_bytes()).hexdigest()
    _replaced("facts.txt", before, after)(folder)
    seal(folder)


def test_digests_that_were_all_made_anew_meet_the_signatures(folder: Path) -> None:
    _reseal_records(folder)
    audit = audited(folder)
    assert audit.code == 1
    assert "the signature of models/forest/v1 does not verify" in audit.wrong
    assert any("has another models/forest/v1/CHECKSUMS.txt" in line for line in audit.wrong)


def test_evidence_under_a_policy_holds_its_versions_and_approvals(builder: Builder, keys: Keys, tmp_path: Path) -> None:
    court = court_in(builder(), keys)
    court.enact("alice", "bob", rules=ladder("alice", "bob", threshold=2))
    ours = opened(court.repo)
    approved = approve(ours, SETTINGS, "forest", "v1", "staging", key=keys.bob, now=NOW, judge=fine)
    court.promote("v1")
    written(court.repo, "forest@v1", tmp_path / "e.tar.gz")
    folder = unpacked(tmp_path / "e.tar.gz", tmp_path / "out")
    audit = audited(folder)
    assert audit.code == 0, audit.said
    assert f"signed by {keys.alice}  policy/1/policy.yaml" in audit.said
    assert f"signed by {keys.bob}  {approved.ref}" in audit.said
    told = json.loads((folder / "evidence.json").read_bytes())
    assert (told["trust"]["state"], told["trust"]["versions"][0]["version"]) == ("trusted", 1)
    (folder / "policy/1/policy.yaml").write_text("{}\n")
    seal(folder)
    assert any("the trust policy sha256:" in line for line in audited(folder).wrong)


def test_receipts_for_the_runs_on_the_way_are_in_the_evidence(lab: Lab, tmp_path: Path) -> None:
    from tests.ledger.test_receipts import said, sign

    good, unsigned = sign(lab, said(lab), "bob"), sign(lab, said(lab), "")
    written(lab.repo, "forest@v1", tmp_path / "e.tar.gz")
    audit = audited(unpacked(tmp_path / "e.tar.gz", tmp_path / "out"))
    assert audit.code == 0, audit.said
    assert f"signed by {lab.keys.bob}  {good}" in audit.said
    assert unsigned not in audit.said


def test_data_that_was_removed_since_is_in_the_evidence(lab: Lab, tmp_path: Path) -> None:
    lab.repo.git("rm", "-rq", "datasets/iris")
    lab.repo.commit("Remove iris")
    written(lab.repo, "forest@v1", tmp_path / "e.tar.gz", with_data=True)
    folder = unpacked(tmp_path / "e.tar.gz", tmp_path / "out")
    assert (folder / "artifacts/datasets/iris/v1/train.csv").is_file()
    audit = audited(folder)
    assert (audit.code, "events: 4, artifacts: 3" in audit.said) == (0, True), audit.said


@pytest.mark.heavy
def test_a_plain_clone_lacks_the_mark_of_the_last_event(lab: Lab, tmp_path: Path) -> None:
    written(lab.repo.clone(), "forest@production", tmp_path / "e.tar.gz")
    audit = audited(unpacked(tmp_path / "e.tar.gz", tmp_path / "out"))
    assert (audit.code, "did not have refs/strata/ledger" in audit.said) == (0, True), audit.said


def test_a_missing_event_is_missed(lab: Lab, tmp_path: Path) -> None:
    lab.delete("forest#staging!#2")
    made = written(lab.repo, "forest@v1", tmp_path / "e.tar.gz")
    assert made.findings
    audit = audited(unpacked(tmp_path / "e.tar.gz", tmp_path / "out"))
    assert any("events are missing" in line for line in audit.wrong)


@pytest.mark.heavy
def test_an_unsigned_event_does_not_hold(lab: Lab, tmp_path: Path) -> None:
    lab.forge("forest#production#4", lab.record(), sign=False)
    written(lab.repo, "forest@v1", tmp_path / "e.tar.gz")
    audit = audited(unpacked(tmp_path / "e.tar.gz", tmp_path / "out"))
    assert "the signature of refs/tags/forest#production#4 does not verify" in audit.wrong


def test_data_without_any_signature_is_called_so(lab: Lab, tmp_path: Path) -> None:
    written(lab.repo, "iris@v1", tmp_path / "e.tar.gz")
    folder = unpacked(tmp_path / "e.tar.gz", tmp_path / "out")
    audit = audited(folder)
    assert (audit.code, "NOTHING in here is signed" in audit.said) == (0, True)
    assert audited(folder, "-k", lab.keys.alice).code == 1


def test_the_commands_of_the_instructions_work_as_they_stand(folder: Path, tmp_path: Path) -> None:
    text = (folder / "VERIFY.md").read_text()
    block = text.partition("## By hand\n")[2].partition("`SIGNATURE.asc` holds")[0]
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")]
    wanted = [line for line in lines if "TAG" not in line and "COMMIT" not in line and "BLOCK" not in line]
    assert len(wanted) > 8
    done = subprocess.run(
        ["sh", "-e"], input="\n".join(wanted).replace("/tmp/evidence.git", str(tmp_path / "evidence.git")),
        cwd=folder, env=STOCK | {"HOME": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("Good signature") == 5


@pytest.mark.heavy
def test_a_newer_git_takes_the_bundle_too(folder: Path, newer_git: Path) -> None:
    environ = STOCK | {"PATH": f"{newer_git}:{STOCK['PATH']}"}
    done = subprocess.run(["sh", str(SCRIPT), str(folder)], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.heavy
def test_sha256_repositories_and_lfs_pointers(builder: Builder, keys: Keys, tmp_path: Path) -> None:
    repo = builder(object_format="sha256").workspace(lfs=True).install_lfs("--skip-repo")
    repo.story()
    repo.commit("A story")
    lab = Lab(repo, keys)
    lab.promote()
    written(repo, "forest@staging", tmp_path / "e.tar.gz", with_data=True)
    folder = unpacked(tmp_path / "e.tar.gz", tmp_path / "out")
    assert (folder / "artifacts/models/forest/v1/model.skops").read_bytes()[:2] == b"PK"
    audit = audited(folder)
    assert audit.code == 0, audit.said


def test_bytes_that_were_not_fetched_are_named(lab: Lab, builder: Builder, tmp_path: Path) -> None:
    repo = builder("lfs").workspace(lfs=True).install_lfs("--skip-repo")
    repo.story()
    repo.commit("A story")
    shutil.rmtree(repo.path / ".git/lfs/objects")
    repo.delete("models/forest/v1/model.skops")
    with pytest.raises(StrataError, match="Git LFS pointer alone") as told:
        written(repo, "forest@v1", tmp_path / "e.tar.gz", with_data=True)
    assert "git lfs pull" in told.value.hint
    assert list(tmp_path.glob("*.gz*")) == []


@pytest.mark.parametrize("kinds", [pytest.param(("ssh",), marks=pytest.mark.heavy), ("gpg", "ssh")])
def test_ssh_keys_sign_events_and_artifacts(lab: Lab, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """Keys of both sorts, side by side in one SIGNATURE.asc; the public key of SSH comes from its signature."""
    repo, key = lab.repo, tmp_path / "id"
    environ = repo.environ
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", key, cwd=tmp_path, environ=environ).expect(0)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    repo.git("config", "--global", "gpg.ssh.allowedSignersFile", str(allowed))
    place = "models/forest/v2"
    repo.model("forest", "v2")
    listed = repo.read(f"{place}/CHECKSUMS.txt")
    signed = {"gpg": lambda: lab.keys.sign(listed, "alice"), "ssh": lambda: _ssh_signed(key, listed, tmp_path, environ)}
    repo.commit("Add v2", {f"{place}/SIGNATURE.asc": b"".join(signed[kind]() for kind in kinds)})
    repo.git("config", "--global", "gpg.format", "ssh")
    lab.promote("v2", key=str(key))
    made = written(repo, "forest@v2", tmp_path / "e.tar.gz")
    assert any(name.startswith("SHA256:") for name in made.keys)
    folder = unpacked(tmp_path / "e.tar.gz", tmp_path / "out")
    audit = audited(folder)
    assert audit.code == 0, audit.said
    (fingerprint,) = [name for name in made.keys if name.startswith("SHA256:")]
    assert f"signed by {fingerprint}  refs/tags/forest#staging#4" in audit.said
    assert f"signed by {fingerprint}  {place}" in audit.said
    keys = folder / "keys/allowed_signers"
    keys.write_text(keys.read_text().replace(fingerprint, "somebody"))
    other = tmp_path / "other"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other, cwd=tmp_path, environ=environ).expect(0)
    keys.write_text(f"somebody {other.with_suffix('.pub').read_text()}")
    seal(folder)
    wrong = audited(folder).wrong
    assert f"the signature of {place} does not verify" in wrong
    assert "the signature of refs/tags/forest#staging#4 does not verify" in wrong


def _ssh_signed(key: Path, data: bytes, tmp_path: Path, environ: dict[str, str]) -> bytes:
    (tmp_path / "data").write_bytes(data)
    words = ("ssh-keygen", "-q", "-Y", "sign", "-n", "strata-checksums", "-f", str(key), str(tmp_path / "data"))
    run(*words, cwd=tmp_path, environ=environ).expect(0)
    return (tmp_path / "data.sig").read_bytes()
