"""What passes the gate, and every way in which something must not."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.config import Settings
from strata_git.errors import UsageError
from strata_git.serving.gate import STEPS, Demands, Loaded, NotServed, Step, current_event, open_model
from strata_git.serving.golden import parse_golden
from strata_git.serving.tables import read_table
from tests.ledger.lab import NOW, SETTINGS, Lab
from tests.serving.models import COLUMNS, LINEAR, golden_text, linear, other, served
from tests.support.builder import FIRST, Clock, RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

MARK = Path(tempfile.gettempdir()) / f"strata-{os.getpid()}-was-here"
"""What a pickle would leave behind."""
ORIGIN = {"records": [{"sepal": 2, "petal": 2}]}


def build(repo: RepositoryBuilder, keys: Keys) -> Lab:
    """forest v1 in production, v2 (another model) registered and in staging."""
    repo.workspace()
    repo.model("forest", "v1", **served())
    repo.commit("Add v1")
    repo.model("forest", "v2", **served(other()))
    repo.commit("Add v2")
    lab = Lab(repo, keys)
    for version in ("v1", "v1", "v2"):
        lab.promote(version)
    return lab


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[Path]:
    home, base = short_directory(), tmp_path_factory.mktemp("gate")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    repo = create(base / "repo", sealed(base, home, os.environ))
    build(repo, Keys(home, key_store))
    yield repo.path
    remove_home(home)


@dataclass(frozen=True, slots=True)
class Shop:
    """A copy of the repository with promotions, and the gate before it."""

    lab: Lab

    @property
    def repo(self) -> RepositoryBuilder:
        return self.lab.repo

    def open(self, reference: str = "forest@production", settings: Settings = SETTINGS, **options: Any) -> Loaded:
        repo = self.repo.repository()
        progress = options.pop("progress", None)
        try:
            return open_model(
                repo, settings, reference, demands=Demands(**options), now=NOW + timedelta(hours=1), progress=progress
            )
        finally:
            repo.close()

    def refused(self, reference: str = "forest@production", **options: Any) -> NotServed:
        with pytest.raises(NotServed) as error:
            self.open(reference, **options)
        told = error.value
        assert told.exit_code == 2
        assert [step.name for step in told.steps] == list(STEPS[: len(told.steps)])
        assert [step.verdict for step in told.steps].count("refused") == 1
        assert told.steps[-1].verdict == "refused"
        return told

    def release(self, name: str, **options: Any) -> None:
        """A version v1 of another model, registered."""
        self.repo.model(name, "v1", **options)
        self.repo.commit(f"Add {name}")
        self.lab.promote("v1", "staging", model=name)


@pytest.fixture
def shop(template: Path, tmp_path: Path, hermetic: dict[str, str], keys: Keys) -> Shop:
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    return Shop(Lab(RepositoryBuilder(tmp_path / "repo", hermetic, Clock(FIRST + 100_000)), keys))


def score(loaded: Loaded) -> float:
    return float(loaded.model.predict(read_table(ORIGIN, LINEAR))["score"][0])


def test_what_is_promoted_and_sound_answers_with_its_provenance(shop: Shop) -> None:
    told: list[Step] = []
    loaded = shop.open(golden=parse_golden(golden_text()), progress=told.append)
    assert score(loaded) == 10
    assert tuple(step.name for step in loaded.steps) == STEPS
    assert {step.verdict for step in loaded.steps} == {"passed", "skipped"}
    assert tuple(told) == loaded.steps
    source = loaded.provenance
    assert (source.reference, source.stage, source.format, source.file) == (
        "forest@v1", "production", "onnx", "model.onnx",
    )  # fmt: skip
    assert source.commit == shop.repo.git("rev-list", "--max-parents=0", "HEAD")
    assert (source.trust, source.event) == ("unprotected", "forest#production#3")
    assert source.headers() == {
        "strata-model": "forest@v1", "strata-stage": "production", "strata-commit": source.commit,
        "strata-run": source.run, "strata-digest": source.digest,
        "strata-signer": "Alice Tester <alice@example.org>", "strata-format": "onnx",
    }  # fmt: skip
    assert source.as_json()["schema"] == "strata/provenance/v1"
    # another stage, another version; a version by its number
    assert (shop.open("forest@staging").provenance.version, score(shop.open("forest@v2"))) == ("v2", 24)
    assert shop.open("models/forest@v1").provenance.version == "v1"


def test_the_work_tree_is_not_asked_and_head_has_to_agree(shop: Shop) -> None:
    shop.repo.write({"models/forest/v1/model.onnx": other(), "models/forest/v1/metadata.yaml": b"{}"})
    assert score(shop.open()) == 10
    shop.repo.commit("Tamper")
    told = shop.refused()
    assert (told.step, "metadata.yaml was changed in HEAD" in told.message) == ("tree", True)
    repo = shop.repo.repository()
    with pytest.raises(NotServed, match="tree"):  # whoever asks again and again hears of it, too
        current_event(repo, SETTINGS, "forest@production", now=NOW + timedelta(hours=1))
    repo.close()
    shop.repo.git("checkout", "--quiet", "HEAD~1", "--", "models")
    shop.repo.write({"models/forest/v1/more.txt": b"more"})
    shop.repo.commit("Mend, and add")
    assert "more.txt was added in HEAD" in shop.refused().message
    shop.repo.git("rm", "--quiet", "-r", "models/forest/v1")
    shop.repo.commit("Retire")  # what was promoted is served; nothing else goes by its name
    assert score(shop.open()) == 10


@pytest.mark.parametrize("reference", ["forest", "forest@best", "datasets/iris@v1", "run-2026-01-05-001"])
def test_words_that_name_no_model(shop: Shop, reference: str) -> None:
    with pytest.raises(UsageError):
        shop.open(reference)


def test_what_no_event_vouches_for(shop: Shop) -> None:
    shop.repo.model("forest", "v3", **served(other()))
    shop.repo.commit("Add v3")
    assert "no event vouches for v3" in shop.refused("forest@v3").message
    assert shop.refused("forest@archived").step == "ledger"
    assert shop.refused("nobody@production").step == "ledger"


def test_tags_that_are_unsigned_forged_or_moved(shop: Shop) -> None:
    lab, tag = shop.lab, "forest#production#3"
    honest = lab.oid(f"refs/tags/{tag}")
    again = replace(lab.record(), version="v2", origin="staging", target="production")
    lab.forge(f"forest#production#{again.seq}", again, sign=False)
    told = shop.refused()
    assert (told.step, "it is not signed" in told.message) == ("ledger", True)
    lab.delete(f"forest#production#{again.seq}")
    for change in ({"digest": f"sha256:{'0' * 64}"}, {"tree": "0" * 40}):  # signed, and not what git holds
        lab.forge(f"forest#production!#{again.seq}", lab.record(origin="production", target="staging", **change))
        assert shop.refused().step == "ledger"
        lab.delete(f"forest#production!#{again.seq}")
    for forged in (
        lab.oid("refs/tags/forest#staging#4"),  # the tag of another event
        lab.oid("HEAD"),  # a lightweight tag
    ):
        lab.move_ref(tag, forged)
        assert shop.refused().step == "ledger"
    lab.move_ref(tag, honest)
    unsigned = shop.repo.git("cat-file", "tag", honest).partition("-----BEGIN")[0]
    made = shop.repo.git("hash-object", "-w", "-t", "tag", "--stdin", stdin=unsigned.encode())
    lab.move_ref(tag, made)
    assert shop.refused().step == "ledger"
    lab.move_ref(tag, honest)
    assert shop.open().event == honest


def test_a_demoted_model_is_served_no_more(shop: Shop) -> None:
    repo = shop.repo.repository()
    loaded = shop.open()
    assert current_event(repo, SETTINGS, "forest@production", now=NOW + timedelta(hours=1)) == loaded.event
    shop.lab.promote("v1", "archived")
    assert "no version is in production" in shop.refused().message
    with pytest.raises(NotServed, match="ledger"):
        current_event(repo, SETTINGS, "forest@production", now=NOW + timedelta(hours=1))
    repo.close()


def test_a_flipped_byte_in_the_object_store(shop: Shop) -> None:
    oid = shop.repo.git("rev-parse", "HEAD:models/forest/v1/model.onnx")
    flipped = bytearray(linear())
    flipped[-1] ^= 1
    loose = shop.repo.path / ".git/objects" / oid[:2] / oid[2:]
    wrong = shop.repo.git("hash-object", "-w", "--stdin", stdin=bytes(flipped))
    loose.chmod(0o600)
    shutil.copy(shop.repo.path / ".git/objects" / wrong[:2] / wrong[2:], loose)
    assert shop.refused().step in ("tree", "bytes")


def test_signatures_on_the_version(shop: Shop) -> None:
    required = replace(SETTINGS, signing_required=True)
    told = shop.refused(settings=required)
    assert (told.step, "nobody has signed" in told.message) == ("signed", True)
    sums = shop.repo.path / "models/forest/v1/CHECKSUMS.txt"
    signed = sums.with_name("SIGNATURE.asc")
    sign = ["-u", shop.lab.keys.alice, "--armor", "--detach-sign", "--output"]
    shop.lab.keys.gpg(*sign, str(signed), str(sums))
    shop.repo.commit("Sign v1")
    assert shop.open(settings=required).provenance.signed_by == ("Alice Tester <alice@example.org>",)
    other_sums = shop.repo.path / "models/forest/v2/CHECKSUMS.txt"
    signed.unlink()
    shop.lab.keys.gpg(*sign, str(signed), str(other_sums))  # a true signature over something else
    shop.repo.commit("Sign badly")
    assert shop.refused().step == "signed"


def test_a_trust_policy_may_be_asked_for(shop: Shop) -> None:
    told = shop.refused(require_trust=True)
    assert (told.step, "unprotected" in told.message) == ("trust", True)


class _Harm:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {MARK}",)


@pytest.mark.heavy
def test_versions_that_are_signed_and_still_not_served(shop: Shop) -> None:
    harm = pickle.dumps(_Harm())
    pickled = served(artifact="model.pkl", format="pickle")
    pickled["extra"] = {"model.skops": None, "model.pkl": harm}
    for name, given, step, words in (
        ("altered", {**served(), "replace": {"card.md": b"other words"}}, "tree", "card.md is not the file that"),
        ("unlisted", {**served(), "replace": {"more.txt": b"more"}}, "tree", "does not list exactly its files"),
        ("pickled", pickled, "bytes", "nothing that can run code"),
        ("disguised", served(harm), "format", "calls posix.system"),
        ("columnless", served(signature={"inputs": [], "outputs": []}), "columns", "names no inputs"),
        ("texts", served(signature={**COLUMNS, "outputs": [{"name": "y", "type": "string"}]}), "warm-up", "is text"),
    ):
        shop.release(name, **given)
        told = shop.refused(f"{name}@staging")
        assert (told.step, words in told.message) == (step, True), told.message
    assert not MARK.exists()


def test_golden_predictions_that_do_not_come_out_again(shop: Shop) -> None:
    told = shop.refused(golden=parse_golden(golden_text(10.1)))
    assert (told.step, "row 0: 'score' is not what it was" in told.message) == ("golden", True)
    assert "10.1" not in told.message
    assert shop.open(golden=parse_golden(golden_text(10.1)), absolute=0.2).steps[-1].verdict == "passed"
    loaded = shop.open("forest@v2", golden=parse_golden(golden_text()))  # another version's are not compared
    assert loaded.steps[-1] == Step("golden", "skipped", "they were made for models/forest@v1")


def in_lfs(repo: RepositoryBuilder) -> Path:
    oid = repo.git("show", "HEAD:models/large/v1/model.onnx").split("sha256:")[1].split()[0]
    return repo.path / ".git/lfs/objects" / oid[:2] / oid[2:4] / oid


def test_large_files_are_read_once_hashed_and_loaded_from_those_bytes(shop: Shop) -> None:
    (shop.repo.path / ".gitattributes").write_text("models/large/v1/model.onnx filter=lfs diff=lfs merge=lfs -text\n")
    shop.repo.install_lfs("--skip-repo")
    shop.release("large", **served())
    file = in_lfs(shop.repo)
    file.chmod(0o600)

    def swap(step: Step) -> None:
        if step.name == "bytes":
            file.write_bytes(other())

    loaded = shop.open("large@staging", progress=swap)
    assert score(loaded) == 10  # what was hashed is what answers
    told = shop.refused("large@staging")
    assert (told.step, "other bytes" in told.message) == ("bytes", True)
    file.unlink()
    told = shop.refused("large@staging")
    assert (told.step, told.hint) == ("bytes", 'git lfs fetch --include "models/large/v1/**"')
    file.symlink_to(shop.repo.path / "models/forest/v1/model.onnx")
    assert shop.refused("large@staging").step == "bytes"


@pytest.mark.heavy
def test_another_form_beside_the_model_must_have_shown_that_it_answers_alike(shop: Shop) -> None:
    from strata_git.load import dump_json

    beside: dict[str, Any] = {"metadata": {"signature": COLUMNS}, "extra": {"model.onnx": linear()}}
    shop.release("unproved", **beside)
    told = shop.refused("unproved@staging")
    assert (told.step, "parity.json" in told.message) == ("format", True)
    beside["extra"]["parity.json"] = dump_json({"schema": "strata/parity/v1", "holds": True})
    shop.release("proved", **beside)
    assert np.isclose(score(shop.open("proved@staging")), 10)
    assert "no form that is served as rds" in shop.refused("proved@staging", format="rds").message
