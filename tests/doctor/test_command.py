"""`git strata doctor`: exit codes, JSON, places, and files made to kill their reader."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from strata_git.doctor.judge import judge_worktree, open_cache
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.environment import unmeasured
from tests.support.fixtures import Builder

PLACE = "datasets/iris/v1"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.story()
    made.commit("Story")
    return made


def test_exit_codes(repo: RepositoryBuilder) -> None:
    repo.strata("doctor").expect(0)
    repo.strata("doctor", "--strict").expect(0)
    repo.write({".gitattributes": ""})  # a warning
    repo.strata("doctor").expect(1)
    repo.strata("doctor", "--strict").expect(2)
    repo.write({"datasets/stray": ""})
    repo.strata("doctor").expect(2)


def test_json(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    answer = repo.strata("doctor", "--format", "json").expect(2).json()
    assert answer["schema"] == "strata/doctor/v1"
    assert answer.keys() >= {"schema", "subject", "artifacts", "unjudged", "exit_code", "counts", "findings"}
    assert (answer["artifacts"], answer["unjudged"], answer["exit_code"]) == (3, [], 2)
    findings = answer["findings"]
    assert isinstance(findings, list)
    first = next(row for row in findings if row["rule"] == "STR-C005")
    assert first.keys() >= {"rule", "severity", "path", "line", "message", "fix", "commit", "anchor"}
    assert (first["path"], first["severity"]) == (f"{PLACE}/train.csv", "error")


def test_text_goes_out_and_prose_beside_it(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    answer = repo.strata("doctor").expect(2)
    assert f"{PLACE}/train.csv: error STR-C005" in answer.out
    assert "fix:" in answer.out
    assert "artifacts judged" in answer.err
    assert "artifacts judged" not in answer.out


def test_places_are_named_from_where_one_stands(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    repo.strata("doctor", "iris", cwd="datasets").expect(2)
    repo.strata("doctor", ".", cwd="datasets").expect(2)
    repo.strata("doctor", ".", cwd="models").expect(0)
    repo.strata("doctor", "../models", cwd="datasets").expect(0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--staged --at HEAD", "exclude each other"),
        ("--range HEAD", "no range"),
        ("--range HEAD...HEAD", "no range"),
        ("--range ..HEAD", "no range"),
        ("/etc", "outside the repository"),
        ("datasest/iris", "is not there"),
        ("--staged datasets", "PATHS"),
        ("--range HEAD~1..HEAD datasets", "PATHS"),
        ("--at", "requires an argument"),
    ],
)
def test_words_that_mean_nothing(repo: RepositoryBuilder, words: str, told: str) -> None:
    answer = repo.strata("doctor", *words.split()).expect(64)
    assert told in answer.err
    assert answer.out == ""


def test_not_a_repository(hermetic: dict[str, str], repo: RepositoryBuilder) -> None:
    repo.strata("-C", "..", "doctor").expect(3)
    repo.strata("-C", "nowhere", "doctor").expect(3)
    assert "names no commit" in repo.strata("doctor", "--at", "nowhere").expect(3).err


def test_a_bare_repository_is_judged_by_its_head(repo: RepositoryBuilder) -> None:
    bare = repo.clone("bare", "--bare")
    assert "3 artifacts judged" in bare.strata("doctor").expect(0).err
    bare.strata("doctor", "--staged").expect(3)


def test_names_cannot_speak_to_the_terminal(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/\x1b[2J\u202e.csv": "x"})
    answer = repo.strata("doctor").expect(2)
    assert "\x1b" not in answer.out + answer.err
    assert "\u202e" not in answer.out + answer.err


# --- killers


def _bomb() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{c}: &{c} [{','.join(['*' + p] * 9)}]" for p, c in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines) + "\n"


YAML = {
    "deep": b"a: " + b"[" * 100_000,
    "bomb": _bomb().encode(),
    "duplicate": b"name: x\nname: y\n",
    "tag": b'name: !!python/object/apply:os.system ["touch pwned"]\n',
    "several": b"a: 1\n---\nb: 2\n",
    "nul": b"a: \0\n",
    "utf-16": "name: x\n".encode("utf-16"),
    "long": b"a: b\n" * 1_000_000,
    "not text": b"\xff\xfe\xfd",
    "a list": b"- a\n",
    "nothing": b"",
}
JSON = {
    "nan": b'{"accuracy": NaN}',
    "duplicate": b'{"a":1,"a":2}',
    "infinite": b'{"a":1e999}',
    "huge": b'{"a":' + b"9" * 5000 + b"}",
    "deep": b"[" * 200_000,
    "nothing": b"",
}
PLACES = {
    **{f"yaml {name}": (f"{PLACE}/metadata.yaml", data) for name, data in YAML.items()},
    **{f"settings {name}": ("strata.yaml", data) for name, data in YAML.items()},
    **{f"run {name}": (f"runs/{artifacts.RUN}/run.yaml", data) for name, data in YAML.items()},
    **{f"json {name}": (f"runs/{artifacts.RUN}/metrics.json", data) for name, data in JSON.items()},
}


@pytest.mark.parametrize("killer", PLACES)
def test_killers_are_findings(builder: Builder, killer: str) -> None:
    path, data = PLACES[killer]
    repo = builder().workspace()
    repo.story()
    repo.write({path: data})
    verdict = judge_worktree(repo.repository())
    assert verdict.exit_code() == 2
    assert any(finding.path == path for finding in verdict.errors), verdict.findings
    assert not (repo.path / "pwned").exists()


WORST = ("yaml deep", "yaml bomb", "yaml utf-16", "settings deep", "json deep", "json huge")
FIFTY = {
    "50 MB of YAML": (f"{PLACE}/metadata.yaml", b"key: value\n"),
    "50 MB of JSON": (f"runs/{artifacts.RUN}/metrics.json", b'{"a": 1},\n'),
}
"""Name -> path, and what it is full of."""
METER = """
import resource, subprocess, sys
with open(sys.argv[1], "wb") as out:
    done = subprocess.run([sys.executable, "-m", "strata_git", "doctor", "--format", "json"], stdout=out)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10)
"""
"""A small process between: what a process is said to have used at most begins with what its parent had."""


@pytest.mark.parametrize("killer", [*WORST, *FIFTY])
def test_the_worst_neither_end_the_process_nor_fill_the_memory(repo: RepositoryBuilder, killer: str) -> None:
    """Below 2 seconds of processor time and 300 MB, with the start of the interpreter and all that git does."""
    if killer in FIFTY:
        path, piece = FIFTY[killer]
        repo.write({path: piece * ((50 << 20) // len(piece))})
    else:
        path, data = PLACES[killer]
        repo.write({path: data})
    out = repo.path.parent / "out"
    words = [sys.executable, "-c", METER, str(out)]
    done = subprocess.run(words, cwd=repo.path, env=unmeasured(repo.environ), capture_output=True, check=True)
    code, seconds, megabytes = done.stdout.split()
    assert int(code) == 2, done.stderr
    assert json.loads(out.read_bytes())["counts"]["error"] >= 1
    assert float(seconds) < 2
    assert int(megabytes) < 300


# --- memory


def test_rebuild_forgets_first(repo: RepositoryBuilder) -> None:
    def remembered() -> object:
        cache = open_cache(repo.repository())
        try:
            return cache.get(["mark"])
        finally:
            cache.close()

    said = repo.strata("doctor", "--format", "json").expect(0).out
    cache = open_cache(repo.repository())
    cache.put({"mark": 1})
    cache.close()
    assert repo.strata("doctor", "--format", "json").expect(0).out == said
    assert remembered() == {"mark": 1}
    assert repo.strata("doctor", "--rebuild", "--format", "json").expect(0).out == said
    assert remembered() == {}
    repo.strata("doctor", "--rebuild", "--at", "HEAD", "datasets").expect(0)
