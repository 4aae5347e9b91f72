"""`dataset add`: what is copied, counted, described, and refused."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.authoring.dataset import AddedDataset, DatasetRequest, add_dataset
from strata_git.authoring.selection import glob_expression
from strata_git.authoring.tables import Table, describe, read_table
from strata_git.errors import StrataError, UsageError
from strata_git.load import load_yaml
from strata_git.repo.command import Repository
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
CSV = b'name,n,x\n"a\nb",1,2.5\nc,-3,\n'


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return builder().workspace()


def opened(repo: RepositoryBuilder) -> Repository:
    return Repository.discover(repo.path, repo.environ)


def source(tmp_path: Path, **files: bytes) -> Path:
    place = tmp_path / "source"
    for name, data in files.items():
        path = place / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place


def add(
    repo: RepositoryBuilder, place: Path, *splits: tuple[str, str], name: str = "iris", **about: str
) -> AddedDataset:
    return add_dataset(opened(repo), DatasetRequest(place, name, splits, **about), now=NOW)  # type: ignore[arg-type]


def metadata(repo: RepositoryBuilder, version: str = "v1") -> dict[str, object]:
    value = load_yaml(repo.read(f"datasets/iris/{version}/metadata.yaml")).value
    assert isinstance(value, dict)
    return value


def nothing_left(repo: RepositoryBuilder) -> None:
    assert not (repo.path / "datasets").exists()
    pending = repo.path / ".strata/local/pending"
    assert not pending.exists() or not list(pending.iterdir())


def test_a_file_becomes_a_version_that_stock_tools_and_the_doctor_accept(
    repo: RepositoryBuilder, tmp_path: Path
) -> None:
    place = source(tmp_path, **{"d.csv": CSV})
    done = repo.strata("dataset", "add", str(place / "d.csv"), "--name", "iris").expect(0)
    assert "git add datasets/iris/v1 && git commit -m 'Add datasets/iris@v1'" in done.out
    where = repo.path / "datasets/iris/v1"
    assert (where / "data/d.csv").read_bytes() == CSV
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt"], cwd=where, check=True)
    repo.strata("doctor", "--strict").expect(0)


def test_splits_are_described(repo: RepositoryBuilder, tmp_path: Path) -> None:
    place = source(
        tmp_path, **{"train__a.csv": CSV, "train__b.csv": CSV, "test.jsonl": b'{"a":1}\n\n{"a":2}', "x.bin": b"x"}
    )
    added = add(
        repo, place, ("train", "train/"), ("test", "*.jsonl"), ("rest", "**/*.bin"), given="https://example.org"
    )
    assert metadata(repo)["splits"] == {
        "train": {"path": "train", "files": 2, "rows": 4, "bytes": 2 * len(CSV)},
        "test": {"path": "test", "files": 1, "rows": 2, "bytes": 16},
        "rest": {"path": "rest", "files": 1, "rows": None, "bytes": 1},
    }
    assert metadata(repo)["provenance"] == {
        "source": "https://example.org", "retrieved": "2026-01-05T12:00:00Z", "process": "copied unchanged",
        "parents": [],
    }  # fmt: skip
    assert (repo.path / "datasets/iris/v1/train/train/a.csv").read_bytes() == CSV
    assert (added.files, added.bytes) == (4, 2 * len(CSV) + 17)


def test_equal_content_has_an_equal_digest_whenever_and_wherever_it_is_added(
    repo: RepositoryBuilder, builder: Builder, tmp_path: Path
) -> None:
    place = source(tmp_path, **{"d.csv": CSV})
    assert add(repo, place).digest == add(builder("other").workspace(), place).digest


def test_the_next_number_is_above_every_version_known_anywhere(repo: RepositoryBuilder, tmp_path: Path) -> None:
    place = source(tmp_path, **{"d.csv": CSV})
    repo.dataset("iris", "v7")
    repo.commit("Add v7")
    assert add(repo, place).artifact.version == "v8"
    repo.git("rm", "-r", "--quiet", "--cached", "datasets/iris/v7")
    repo.git("commit", "--quiet", "-m", "Retire v7")
    subprocess.run(["rm", "-r", "datasets/iris"], cwd=repo.path, check=True)
    assert add(repo, place).artifact.version == "v8"
    repo.git("add", "datasets/iris/v8")
    subprocess.run(["rm", "-r", "datasets/iris"], cwd=repo.path, check=True)
    assert add(repo, place).artifact.version == "v9"


def test_parents_are_bound_to_their_content(repo: RepositoryBuilder, tmp_path: Path) -> None:
    place = source(tmp_path, **{"d.csv": CSV})
    first = add(repo, place)
    request = DatasetRequest(place, "iris", parents=("iris@v1",))
    add_dataset(opened(repo), request, now=NOW)
    provenance = metadata(repo, "v2")["provenance"]
    assert isinstance(provenance, dict)
    assert provenance["parents"] == [
        {"ref": "datasets/iris@v1", "digest": first.digest, "content_hash": first.content_hash}
    ]
    repo.strata("doctor").expect(0)
    for parent in ("nosuch@v1", "iris", "models/x@v1", "??"):
        with pytest.raises(StrataError, match="parent"):
            add_dataset(opened(repo), DatasetRequest(place, "iris", parents=(parent,)))


def test_a_file_in_two_splits_is_a_warning(repo: RepositoryBuilder, tmp_path: Path) -> None:
    added = add(repo, source(tmp_path, **{"d.csv": CSV}), ("train", "*"), ("test", "*"))
    assert added.warnings == (
        "Splits 'train' and 'test' share 1 files, such as d.csv: an evaluation would measure memory.",
    )


def test_ignored_files_are_added_all_the_same(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.write({".gitignore": "*.csv\n.strata/local/\n"}).commit()
    place = source(tmp_path, **{"d.csv": CSV})
    done = repo.strata("dataset", "add", str(place), "--name", "iris").expect(0)
    assert "git add -f datasets/iris/v1" in done.out
    repo.strata("dataset", "add", str(place), "--name", "iris", "--commit").expect(0)
    assert "datasets/iris/v2/data/d.csv" in repo.paths()


def test_commit_takes_just_the_version(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.commit()
    repo.write({"other.txt": "x"}).git("add", "other.txt")
    done = repo.strata(
        "dataset", "add", str(source(tmp_path, **{"d.csv": CSV})), "--name", "iris", "--commit", "--format", "json"
    )
    assert done.expect(0).json()["commit"] == repo.head
    assert "other.txt" not in repo.paths()
    assert repo.git("diff", "--cached", "--name-only") == "other.txt"
    assert repo.git("log", "-1", "--format=%s") == "Add datasets/iris@v1"


def test_a_refused_commit_leaves_the_index_as_it_was(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.commit()
    hook = repo.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no commits on a Monday' >&2\nexit 1\n")
    hook.chmod(0o755)
    done = repo.strata("dataset", "add", str(source(tmp_path, **{"d.csv": CSV})), "--name", "iris", "--commit")
    assert "no commits on a Monday" in done.expect(3).err
    assert repo.git("status", "--short") == "?? datasets/"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("con.csv", "reserved"),
        ("a\nb.csv", "control character"),
        ("e\u0301.csv", "NFC"),
        ("-", "standard input"),
        (".gitignore", "Git's own"),
        ("a\\b", "backslash"),
        ("a.", "ends with a dot"),
    ],
)
def test_names_that_cannot_travel_are_refused(repo: RepositoryBuilder, tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(StrataError, match=told):
        add(repo, source(tmp_path, **{name: b"x", "ok.csv": CSV}))
    nothing_left(repo)
    assert add(repo, tmp_path / "source", ("train", "ok.csv")).files == 1


def test_names_that_are_not_utf8_or_twins_are_refused(repo: RepositoryBuilder, tmp_path: Path) -> None:
    place = source(tmp_path, ok=b"x")
    (place / os.fsdecode(b"\xff.csv")).write_bytes(b"x")
    with pytest.raises(StrataError, match=r"xff.csv is not UTF-8"):
        add(repo, place)
    with pytest.raises(StrataError, match="one name on some systems"):
        add(repo, source(tmp_path / "b", **{"A.csv": b"x", "a.csv": b"x"}))
    nothing_left(repo)


@pytest.mark.parametrize("kind", ["link", "fifo", "linked-directory"])
def test_links_and_special_files_are_refused(repo: RepositoryBuilder, tmp_path: Path, kind: str) -> None:
    place = source(tmp_path, ok=b"x")
    if kind == "fifo":
        os.mkfifo(place / "odd")
    else:
        (place / "odd").symlink_to("/etc/passwd" if kind == "link" else "/etc")
    with pytest.raises(StrataError, match=r"odd is a link or special file"):
        add(repo, place)
    nothing_left(repo)


def test_empty_sources_and_splits_are_refused(repo: RepositoryBuilder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StrataError, match="holds no files"):
        add(repo, tmp_path / "empty")
    with pytest.raises(StrataError, match=r"nothing in .* matches"):
        add(repo, source(tmp_path, a=b"x"), ("train", "*.csv"))
    for pattern in ("../x", "/etc/*", "a/../../b"):
        with pytest.raises(StrataError, match="leads out"):
            add(repo, tmp_path / "source", ("train", pattern))
    for name in ("Iris", "a.b", "../x", ""):
        with pytest.raises(StrataError, match="cannot name a dataset"):
            add(repo, tmp_path / "source", name=name)
    nothing_left(repo)


def test_a_disk_that_refuses_leaves_nothing(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.write({"datasets": "a file where the directory belongs"})
    with pytest.raises(StrataError, match="could not be written"):
        add(repo, source(tmp_path, a=b"x"))
    assert not list((repo.path / ".strata/local/pending").iterdir())
    assert repo.read("datasets").startswith(b"a file")


def test_an_interrupt_leaves_nothing(repo: RepositoryBuilder, tmp_path: Path) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_dataset(opened(repo), DatasetRequest(source(tmp_path, a=b"x"), "iris"), progress=interrupt)
    nothing_left(repo)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "d/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "d/e/a.csv", True),
        ("d/**", "d/e/a", True),
        ("d/", "d/e/a", True),
        ("d/", "dd/a", False),
        ("./a?[0-9]", "ab7", True),
        ("a[!0-9]", "a7", False),
        ("a.b", "axb", False),
        ("[", "[", True),
    ],
)
def test_patterns(pattern: str, path: str, fits: bool) -> None:
    assert bool(glob_expression(pattern).fullmatch(path)) == fits


@given(st.text(alphabet="a*?[]!/-^\\.", min_size=1, max_size=12))
def test_any_pattern_is_read_or_refused(pattern: str) -> None:
    with suppress(UsageError):
        glob_expression(pattern).fullmatch("a/b")


CASES = [
    ("a.csv", CSV, Table(2, (("name", 3), ("n", 1), ("x", 2)))),
    ("a.csv", b"a,b\n", Table(0, (("a", 0), ("b", 0)))),
    ("a.csv", b"", Table(0, None)),
    ("a.csv", b"a,b\n\n1,2\n\n", Table(1, (("a", 1), ("b", 1)))),
    ("a.csv", b"a,b\n1,2,3\n", Table(1, None)),
    ("a.csv", b"a,a\n1,2\n", Table(1, None)),
    ("a.csv", b"\xef\xbb\xbfa\r\n007\r\n", Table(1, (("a", 3),))),
    ("a.csv", b"\xff\xfea\x00\n\x00", Table(None, None)),
    ("a.CSV", b"a\n\xff\n", Table(1, (("a", 3),))),
    ("a.csv", b'a\n"1\n2"\n', Table(1, (("a", 3),))),
    ("a.tsv", b"a\tb\n1e3\tnan\n", Table(1, (("a", 2), ("b", 2)))),
    ("a.jsonl", b"{}\n{}", Table(2, None)),
    ("a.parquet", b"PAR1", Table(None, None)),
]


@pytest.mark.parametrize(("name", "data", "table"), CASES)
def test_tables(tmp_path: Path, name: str, data: bytes, table: Table) -> None:
    (tmp_path / name).write_bytes(data)
    assert read_table(tmp_path / name) == table


def test_tables_without_headings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1,2\n3,4\n")
    assert read_table(tmp_path / "a.csv", header=False) == Table(2, None)


def test_a_schema_is_what_all_tables_share() -> None:
    one, two = Table(1, (("a", 1), ("b", 0))), Table(1, (("a", 2), ("b", 3)))
    assert describe([one, two, Table()]) == [{"name": "a", "type": "number"}, {"name": "b", "type": "string"}]
    assert describe([one, Table(1, (("c", 1),))]) is None
    assert describe([Table(2, None)]) is None
    assert describe([]) is None
