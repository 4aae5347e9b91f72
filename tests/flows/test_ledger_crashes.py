"""Many promoters at once, and promotions that are cut short: the line of events stays whole, and goes on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from strata_git.ledger.noting import missing_notes, stray_notes
from tests.flows.crashing import CODE
from tests.ledger.lab import Lab
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.keys import Keys

pytestmark = pytest.mark.heavy

PROMOTER = """\
import os, sys
from pathlib import Path
from strata_git.errors import StrataError
from tests.ledger.lab import SETTINGS, fine
from strata_git.authoring.promote import promote
from strata_git.repo.command import Repository

version, key = sys.argv[1:]
for attempt in range(200):
    repo = Repository.discover(Path.cwd(), dict(os.environ))
    try:
        promote(repo, SETTINGS, "forest", version, "staging", key=key, judge=fine)
        break
    except StrataError as error:
        if "at the same time" not in error.message:
            raise
else:
    sys.exit("never got in")
"""


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    """v1 in production and v2 in staging, of a model that a run made from a dataset."""
    repo = builder().workspace()
    repo.story()
    repo.commit("Add forest@v1")
    repo.write(_as_version(repo, "v2"))
    repo.commit("Add forest@v2")
    lab = Lab(repo, keys)
    for version in ("v1", "v1", "v2"):
        repo.strata("promote", f"forest@{version}", "--key", keys.alice).expect(0)
    return lab


def _as_version(repo: RepositoryBuilder, version: str) -> dict[str, bytes | None]:
    from tests.support import artifacts

    iris = {path: repo.read(path) for path in repo.paths() if path.startswith("datasets/iris/v1/")}
    return dict(artifacts.model("forest", version, datasets=[artifacts.cite(iris, "datasets/iris/v1")]))


def copied(lab: Lab, name: str) -> Lab:
    path = lab.repo.path.with_name(name)
    shutil.copytree(lab.repo.path, path, symlinks=True)
    return Lab(replace(lab.repo, path=path), lab.keys)


def ended(lab: Lab, fatal: int, place: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.flows.crashing", str(fatal), place, "--", "-C", str(lab.repo.path), *words]
    environ = lab.repo.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)


def judge(lab: Lab, case: object) -> None:
    """Whatever happened, the ledger is sound, and the promotion is made whole by asking for it again."""
    assert lab.told(now=None) == set(), case
    for lock in lab.repo.path.glob(".git/**/*.lock"):
        lock.unlink()  # what git leaves when it is killed, and tells to remove
    done = lab.repo.strata("promote", "forest@v2", "production", "--key", lab.keys.alice)
    assert done.code == 0 or "is in production already" in done.err, (case, done)
    state = lab.state(now=None)
    assert (state.production, state.complaints) == ("v2", ()), case
    repo = lab.repo.repository()
    try:
        assert missing_notes(repo, state.events) == {}, case
        assert stray_notes(repo, state.events) == (), case
    finally:
        repo.close()
    assert lab.repo.git("fsck", "--strict", "--no-dangling") == "", case
    assert not list((lab.repo.path / ".git" / "strata").glob(".*.tmp.*")), case


PROMOTION = ("promote", "forest@v2", "production", "--key")


def test_a_promotion_that_ends_at_any_write(lab: Lab) -> None:
    whole = ended(copied(lab, "whole"), 0, "after", *PROMOTION, lab.keys.alice)
    assert whole.returncode == 0, whole.stderr
    writes = int(re.findall(r"writes: (\d+)", whole.stderr)[0])
    assert writes > 6
    for fatal in range(1, writes + 1):
        for place in ("before", "after"):
            case = copied(lab, f"{place}-{fatal}")
            done = ended(case, fatal, place, *PROMOTION, lab.keys.alice)
            assert done.returncode == CODE, (fatal, done.stderr)
            judge(case, (fatal, place))
            shutil.rmtree(case.repo.path)


@pytest.mark.parametrize("words", [("sign", "models/forest/v2"), ("checksum", "datasets/digits/v1")])
def test_sealing_and_signing_that_end_at_any_write(lab: Lab, words: tuple[str, ...]) -> None:
    lab.repo.dataset("digits")
    extra = ("--key", lab.keys.alice) if words[0] == "sign" else ()
    if words[0] == "checksum":
        (lab.repo.path / words[1] / "CHECKSUMS.txt").unlink()
    whole = copied(lab, "whole")
    done = ended(whole, 0, "after", *words, *extra)
    assert done.returncode == 0, done.stderr
    writes = int(re.findall(r"writes: (\d+)", done.stderr)[0])
    assert writes >= 1
    for fatal in range(1, writes + 1):
        for place in ("before", "after"):
            case = copied(lab, f"{place}-{fatal}")
            assert ended(case, fatal, place, *words, *extra).returncode == CODE
            case.repo.strata(*words, *extra).expect(0)
            assert case.repo.read(f"{words[1]}/CHECKSUMS.txt") == whole.repo.read(f"{words[1]}/CHECKSUMS.txt")
            case.repo.strata("verify", words[1]).expect(0)
            shutil.rmtree(case.repo.path)


def test_fifty_random_kills(lab: Lab) -> None:
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    begun = time.monotonic()
    whole = ended(copied(lab, "whole"), 0, "after", *PROMOTION, lab.keys.alice)
    length = time.monotonic() - begun
    assert whole.returncode == 0, whole.stderr
    for number in range(50):
        case = copied(lab, f"kill-{number}")
        command = [sys.executable, "-m", "strata_git", *PROMOTION, lab.keys.alice]
        process = subprocess.Popen(
            command, cwd=case.repo.path, env=case.repo.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(dice.uniform(0.2, 1.0) * length)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        judge(case, (seed, number))
        shutil.rmtree(case.repo.path)


def test_eight_promoters_at_once(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace()
    for number in range(1, 9):
        repo.model("forest", f"v{number}")
        repo.commit(f"Add v{number}")
    environ = repo.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROMOTER, f"v{number}", keys.alice], cwd=repo.path, env=environ,
            stderr=subprocess.PIPE, text=True,
        )
        for number in range(1, 9)
    ]  # fmt: skip
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 8, errors
    lab = Lab(repo, keys)
    state = lab.state(now=None)
    assert state.complaints == ()
    assert {version: placed.stage for version, placed in state.versions.items()} == {
        f"v{number}": "staging" for number in range(1, 9)
    }
    assert [event.name.seq for event in state.events if event.name.seq] == list(range(1, 9))
    assert lab.oid("refs/strata/ledger/forest") == state.events[-1].oid
    assert len(Path(repo.path, ".git", "strata", "seen.json").read_text()) > 0
    held = lab.repo.repository()
    assert missing_notes(held, state.events) == {}
    held.close()
