"""What was remembered elsewhere is not believed here."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from strata_git.doctor.judge import judge_commit, open_cache
from strata_git.repo.cache_place import MARK, NOWHERE, own_cache
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A cache that was begun here, with something in it."""
    made = own_cache(tmp_path / "strata" / "cache")
    made.mkdir()
    (made / "kept").write_text("x")
    return made


def test_it_stays_where_it_is(place: Path) -> None:
    assert own_cache(place) == place
    assert (place / "kept").read_text() == "x"


def test_it_may_be_deleted_at_any_time(place: Path) -> None:
    shutil.rmtree(place)
    assert own_cache(place) == place
    place.mkdir()
    (place / "kept").write_text("y")
    assert (own_cache(place) / "kept").exists()


@pytest.mark.parametrize("program", ["cp -a strata other", "tar -cf - strata | tar -xf - -C new"])
def test_a_copy_brings_nothing_along(place: Path, tmp_path: Path, program: str) -> None:
    (tmp_path / "new").mkdir()
    subprocess.run(["sh", "-c", program], cwd=tmp_path, check=True)
    (copy,) = [found for found in (tmp_path / "other/cache", tmp_path / "new/strata/cache") if found.exists()]
    assert (copy / "kept").exists()
    assert own_cache(copy) == copy
    assert not copy.exists()
    assert (place / "kept").exists()


def test_moving_the_repository_is_no_copy(place: Path, tmp_path: Path) -> None:
    (tmp_path / "strata").rename(tmp_path / "moved")
    assert (own_cache(tmp_path / "moved/cache") / "kept").exists()


def test_times_put_back_do_not_help(place: Path, tmp_path: Path) -> None:
    status = (place.with_name(MARK) / "born").lstat()
    born = place.with_name(MARK) / "born"
    born.unlink()
    born.touch()
    os.utime(born, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not (own_cache(place) / "kept").exists()


def test_a_link_is_not_followed(place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    shutil.rmtree(place.with_name(MARK))
    assert own_cache(place) == place
    assert not place.is_symlink()
    assert (elsewhere / "kept").exists()


def test_where_nothing_can_be_written_nothing_is_believed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert own_cache(tmp_path / "file" / "strata" / "cache") == NOWHERE


def test_a_file_in_the_way_is_taken_away(place: Path) -> None:
    shutil.rmtree(place.with_name(MARK))
    place.with_name(MARK).touch()
    assert own_cache(place) == place
    assert not place.exists()


def test_forged_verdicts_in_a_copied_repository(builder: Builder, tmp_path: Path) -> None:
    """An archive whose cache says that all is well, over data that are not."""
    repo = builder().workspace()
    repo.dataset("iris", replace={"train.csv": b"tampered\n"})
    repo.commit("Forged")
    ours = repo.repository()
    assert judge_commit(ours, "HEAD").exit_code() == 2
    path = ours.cache_dir / "verdicts.sqlite"
    ours.close()
    with sqlite3.connect(path) as db:
        keys = [key for (key,) in db.execute("SELECT key FROM kept")]
    db.close()
    cache = open_cache(ours)
    fine = {key: {**value, "findings": []} for key, value in cache.get(keys).items() if isinstance(value, dict)}
    cache.put(fine)
    cache.close()
    assert judge_commit(repo.repository(), "HEAD").exit_code() < 2, "here, the forgery would be believed"
    copied = tmp_path / "unpacked"
    shutil.copytree(repo.path, copied, symlinks=True)
    assert judge_commit(RepositoryBuilder(copied, repo.environ).repository(), "HEAD").exit_code() == 2
