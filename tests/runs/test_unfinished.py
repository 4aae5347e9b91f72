"""A disk that refuses costs no work: nothing begins, or what was done waits and is recorded as it was."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.runs.recover import record_killed
from tests.runs.running import opened, pending, perform, probe, record_of, strata, visible
from tests.support.builder import RepositoryBuilder

WORK = "(context.artifact_dir / 'result.txt').write_text('of hours'); out = RunResult({'score': Metric(0.5)})"


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["metrics.json", "run.yaml", "CHECKSUMS.txt"])
def test_a_disk_that_is_full_when_the_record_is_closed(
    probed: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from strata_git.repo import files

    write = files.write_file
    begun: list[str] = []

    def refused(path: Path, data: bytes, mode: int = 0o644, *, durable: bool = True) -> None:
        begun.append(path.name)
        if path.name == name and (name != "run.yaml" or begun.count(name) > 1):
            raise files.unwritable(path, OSError(errno.ENOSPC, "No space left on device"))
        write(path, data, mode, durable=durable)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_file", refused)
        with pytest.raises(StrataError, match=r"succeeded, but its record could not be completed: .*No space") as told:
            perform(probed, probe(WORK))
    assert "git strata runs recover" in told.value.hint
    assert (visible(probed), pending(probed)) == ([], ["run-2026-11-21-001"])
    assert [(one.id, one.status) for one in record_killed(opened(probed))] in (
        [("run-2026-11-21-001", "succeeded")],
        [],  # run.yaml was written: the record had only to be put in place
    )
    record = record_of(probed, "run-2026-11-21-001")
    assert (record.status, record.error) == ("succeeded", None)
    assert record.usage is not None
    assert probed.read("runs/run-2026-11-21-001/artifacts/result.txt") == b"of hours"
    assert b'"score": 0.5' in probed.read("runs/run-2026-11-21-001/metrics.json")
    assert pending(probed) == []


def test_an_artifact_root_that_fills_up_loses_nothing(
    probed: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files are copied from another file system, and the copy is refused in the middle."""
    from strata_git.repo import files

    copy, rename = files.copy_file, os.rename
    copies: list[Path] = []

    def copied(source: Path, target: Path) -> int:
        copies.append(target)
        if len(copies) == 2:
            raise files.unwritable(target, OSError(errno.ENOSPC, "No space left on device"))
        return copy(source, target)

    def renamed(source: Path, target: Path) -> None:
        if str(source).startswith(str(tmp_path / "root")):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    code = f"(context.artifact_dir / 'a.txt').write_text('a'); {WORK}"
    with monkeypatch.context() as patch:
        patch.setattr(files, "copy_file", copied)
        patch.setattr(os, "rename", renamed)
        with pytest.raises(StrataError, match="could not be completed"):
            perform(probed, probe(code), CORE_ARTIFACT_ROOT=str(tmp_path / "root"))
        record_killed(opened(probed))
    assert [one.path for one in record_of(probed, "run-2026-11-21-001").outputs] == [
        "artifacts/a.txt",
        "artifacts/result.txt",
    ]
    assert list((tmp_path / "root").iterdir()) == []


def test_a_disk_that_refuses_before_the_work_leaves_nothing(
    probed: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from strata_git.runs import dirty, execute, record

    for place, name in ((execute, "Log"), (dirty, "keep"), (record, "begin")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, full)
            with pytest.raises(StrataError, match="No space left"):
                perform(probed, probe())
        assert (visible(probed), pending(probed)) == ([], [])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", full)
        with pytest.raises(StrataError, match="No space left"):
            perform(probed, probe())


def test_a_place_that_cannot_be_written_is_named(probed: RepositoryBuilder) -> None:
    probed.write({".strata/local": "in the way"})
    with pytest.raises(StrataError, match=r"pending cannot be written"):
        perform(probed, probe())


def test_a_plugin_that_meets_a_full_disk_fails_in_its_words(probed: RepositoryBuilder) -> None:
    done = perform(probed, probe("raise OSError(28, 'No space left on device')"))
    assert (done.status, done.error) == ("failed", "OSError: [Errno 28] No space left on device")


def test_the_command_puts_what_waits_on_record(probed: RepositoryBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    from strata_git.runs.reserve import reserve
    from tests.runs.running import NOON

    assert strata(probed, "runs", "recover") == 0
    assert "no run waits" in capsys.readouterr().err
    held = reserve(opened(probed), NOON)
    (held.record / "artifacts").mkdir()
    done = perform(probed, probe())
    for name in ("config.yaml", "system.json", "logs.txt", "run.yaml"):
        data = probed.read(f"{done.path}/{name}").replace(done.id.encode(), held.id.encode())
        (held.record / name).write_bytes(data.replace(b"status: succeeded", b"status: running"))
    held.abandon()
    assert strata(probed, "runs", "recover") == 0
    assert f"runs/{held.id}  killed" in capsys.readouterr().out
    assert record_of(probed, held.id).status == "killed"
