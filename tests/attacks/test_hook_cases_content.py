"""The cases of docs/threat-model-hooks.md that are about what is committed: names, documents, sheer size."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import pytest

from tests.flows.kinds import Place, strata
from tests.flows.releasing import unchecked
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.process import Completed, run

PLACE = "datasets/iris/v1"
QUICK = 15.0
"""Seconds in which a hook says no, whatever it was fed (on a machine that does other things as well)."""


def commits(repo: RepositoryBuilder) -> Completed:
    """Try to commit everything; the answer came in time and speaks to no terminal."""
    repo.git("add", "--all")
    begun = time.monotonic()
    answer = repo.try_git("commit", "-qm", "Try").clean()
    assert time.monotonic() - begun < QUICK
    assert "\x1b" not in answer.err + answer.out
    return answer


# --- 23: names

NAMES: dict[str, tuple[bytes, str]] = {
    "newline": (b"a\nb.csv", "STR-L001"),
    "tab": (b"a\tb.csv", "STR-L001"),
    "escape": (b"a\x1b[31mb.csv", "STR-L001"),
    "right to left": ("a\u202eb.csv".encode(), "STR-L001"),
    "double quotes": (b'a"b.csv', "STR-L005"),
    "a single dash": (b"-", "STR-L003"),
    "not UTF-8": (b"a\xffb.csv", "STR-L002"),
    "decomposed": ("u\u0308ber.csv".encode(), "STR-L017"),
    "a device": (b"CON", "STR-L005"),
    "a device with an ending": (b"nul.csv", "STR-L005"),
    "a dot at the end": (b"data.", "STR-L006"),
    "a space at the end": (b"data ", "STR-L006"),
    "a twin by case": (b"TRAIN.csv", "STR-L004"),
    "git's own": (b".gitignore", "STR-L018"),
}


@pytest.mark.parametrize("name", NAMES)
def test_case_23_names_that_are_refused(place: Place, name: str) -> None:
    raw, rule = NAMES[name]
    place.repo.write(artifacts.dataset("iris"))
    (place.repo.path / PLACE / os.fsdecode(raw)).write_bytes(b"x\n")
    answer = commits(place.repo)
    assert answer.code == 1
    assert rule in answer.err


@pytest.mark.parametrize("name", [b"-x.csv", b"--all", b"'quoted'.csv", b"with space.csv", "Übermaß.csv".encode()])
def test_case_23_odd_names_that_pass(place: Place, name: bytes) -> None:
    """They reach no command as an option, and no list wrongly."""
    files = {"train": {os.fsdecode(name): b"a,b\n1,2\n"}}
    place.repo.write(artifacts.dataset("iris", files=files, seal=False))
    assert commits(place.repo).code == 0
    strata(place.repo, "doctor", "--strict").expect(0)


def test_case_23_a_name_of_255_bytes(place: Place) -> None:
    """It passes with a warning: not every system can hold the path."""
    files = {"train": {"x" * 251 + ".csv": b"a,b\n1,2\n"}}
    place.repo.write(artifacts.dataset("iris", files=files, seal=False))
    answer = commits(place.repo)
    assert answer.code == 0
    assert "STR-L007" in answer.err


def test_case_23_a_name_changed_in_case_only(place: Place) -> None:
    place.repo.git("mv", "datasets/old/v1/data/iris.csv", "datasets/old/v1/data/Iris.csv")
    answer = place.repo.try_git("commit", "-qm", "Try")
    assert answer.code == 1
    assert "STR-I00" in answer.err


@pytest.mark.parametrize(
    "name", ["Datasets/iris/v1/train.csv", "MODELS/x/v1/m", "Strata.yaml", ".Strata/trust/policy.yaml"]
)
def test_case_23_twins_of_our_own_places(place: Place, name: str) -> None:
    """The gate looks at them, though it asks by name."""
    place.repo.write({name: "x\n"})
    answer = commits(place.repo)
    assert answer.code == 1
    assert "STR-L020" in answer.err
    unchecked(place.repo)
    pushed = place.repo.try_git("push", "-q", "--no-verify", "origin", "HEAD:main")
    assert pushed.code != 0
    assert "STR-L020" in pushed.err


# --- 24: documents

BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" if n else "a0: &a0 [x]\n" for n in range(10))
DOCUMENTS: dict[str, Mapping[str, bytes | str]] = {
    "an alias bomb": {f"{PLACE}/metadata.yaml": BOMB},
    "a Python object": {f"{PLACE}/metadata.yaml": '!!python/object/apply:os.system ["touch /tmp/owned"]\n'},
    "a deep nest": {f"{PLACE}/metadata.yaml": "[" * 100_000 + "]" * 100_000},
    "a long document": {f"{PLACE}/metadata.yaml": "x: y\n" * 1_000_000},
    "100,000 keys": {f"{PLACE}/metadata.yaml": "{" + ", ".join(f'"k{n}": {n}' for n in range(100_000)) + "}"},
    "not a number": {f"runs/{artifacts.RUN}/metrics.json": '{"accuracy": NaN}'},
    "a deep nest of JSON": {f"runs/{artifacts.RUN}/metrics.json": '{"a":' * 50_000 + "1" + "}" * 50_000},
    "keys given twice": {f"{PLACE}/metadata.yaml": artifacts.dataset()[f"{PLACE}/metadata.yaml"] + b"name: other\n"},
    "a settings bomb": {"strata.yaml": BOMB},
    "words for a terminal": {f"{PLACE}/metadata.yaml": b"kind: \x1b]0;owned\x07\x1b[2J\n"},
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_case_24_documents_that_bite(place: Place, case: str) -> None:
    """Each ends in a finding, in time, without the memory of the machine."""
    place.repo.write(artifacts.dataset("iris", seal=False) | artifacts.run(seal=False))
    place.repo.write(DOCUMENTS[case])
    place.repo.git("add", "--all")
    bounded = ("prlimit", f"--as={600 << 20}", "git", "commit", "-qm", "Try")
    answer = run(*bounded, cwd=place.repo.path, environ=place.repo.environ).clean()
    assert answer.code == 1, str(answer)
    assert "error STR-" in answer.err
    assert "\x1b" not in answer.err + answer.out
    assert not os.path.exists("/tmp/owned")


LISTED = "0" * 64
LISTS = {
    "up and away": f"{LISTED}  ../../../etc/passwd\n",
    "absolute": f"{LISTED}  /etc/passwd\n",
    "an escape": f"{LISTED}  a\x1b[31m.csv\n",
    "itself": f"{LISTED}  CHECKSUMS.txt\n",
}


@pytest.mark.parametrize("case", LISTS)
def test_case_24_a_list_that_leads_astray(place: Place, case: str) -> None:
    """Sealing writes the true list at the commit; whoever goes past the hook is refused by the server."""
    repo = place.repo
    repo.write(artifacts.dataset("iris") | {f"{PLACE}/CHECKSUMS.txt": LISTS[case].encode()})
    unchecked(repo)
    answer = repo.try_git("push", "-q", "--no-verify", "origin", "HEAD:main")
    assert answer.code != 0
    assert "STR-C002" in answer.clean().err
    assert "\x1b" not in answer.err
    strata(repo, "doctor").expect(2)
    strata(repo, "verify").expect(2)


def test_case_24_a_link_to_a_file_of_the_system(place: Place) -> None:
    place.repo.write(artifacts.dataset("iris", extra={"more.csv": b"x\n"}, seal=False))
    place.repo.delete(f"{PLACE}/more.csv").symlink({f"{PLACE}/more.csv": "/etc/passwd"})
    answer = commits(place.repo)
    assert answer.code == 1
    assert "STR-L008" in answer.err
    assert "root:" not in answer.err


def test_case_24_programs_named_in_the_repository_are_not_run(place: Place) -> None:
    """Settings, an experiment and a plugin that would all leave a mark."""
    mark = place.repo.path.with_name("owned")
    plugin = (
        f'class XPlugin:\n    name = "x"\n    def run(self, spec, context):\n        pass\nopen({str(mark)!r}, "w")\n'
    )
    experiment = "schema: strata/experiment/v1\nplugin: os:system\nexperiment: x\nseed: 1\ndataset_id: old@v1\n"
    place.repo.write({"plugins/x.py": plugin, "experiments/x.yaml": experiment})
    place.repo.write(artifacts.dataset("iris", seal=False))
    commits(place.repo)
    strata(place.repo, "doctor")
    strata(place.repo, "status")
    assert not mark.exists()


# --- 25: what a server takes


@pytest.mark.heavy
def test_case_25_a_large_push(place: Place) -> None:
    """500 commits with 20,000 files in the quarantine; and the same with one bad commit leaves nothing."""
    repo = place.repo
    stream = [f"reset refs/heads/large\nfrom {repo.head}\n\n"]
    for n in range(500):
        stream.append(f"commit refs/heads/large\ncommitter A <a@b.c> {1767700000 + n} +0000\ndata 2\nx\n")
        stream += [f"M 100644 inline src/p{n}/f{k}.py\ndata {len(f'{n} {k}')}\n{n} {k}\n" for k in range(40)]
    repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    begun = time.monotonic()
    repo.git("push", "-q", "--no-verify", "origin", "large")
    taken = time.monotonic() - begun
    assert taken < 30, f"{taken:.1f} s"
    repo.git("checkout", "-q", "large")
    repo.write({"datasets/old/v1/data/iris.csv": "tampered\n"})
    unchecked(repo)
    before = sorted(path.name for path in (place.server.path / "objects").rglob("*"))
    assert repo.try_git("push", "-q", "--no-verify", "origin", "large").code != 0
    assert sorted(path.name for path in (place.server.path / "objects").rglob("*")) == before


@pytest.mark.heavy
def test_case_23_twenty_thousand_files_in_one_commit(place: Place) -> None:
    """Sealed and judged in time in proportion to them."""
    files = {"train": {f"data/part-{n:05d}.csv": b"a,b\n1,2\n" for n in range(20_000)}}
    place.repo.write(artifacts.dataset("iris", files=files, seal=False))
    place.repo.git("add", "--all")
    begun = time.monotonic()
    place.repo.git("commit", "-qm", "Many")
    assert time.monotonic() - begun < 30
    strata(place.repo, "doctor", "--strict").expect(0)
