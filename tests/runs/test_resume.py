"""Unfinished work is taken up by a new run, which says so; what is on record never changes."""

from __future__ import annotations

import pytest

from strata_git.errors import StrataError, UsageError
from tests.runs.running import log_of, pending, perform, probe, record_of, spec, strata, visible
from tests.support.builder import RepositoryBuilder

CODE = """
import pathlib
left = context.resume and (context.resume / "sub/part.txt").read_text()
(context.artifact_dir / "sub").mkdir()
(context.artifact_dir / "sub/part.txt").write_text((left or "") + "1")
if context.resume: (context.resume / "sub/part.txt").write_text("spoilt")
if not left: raise RuntimeError("half way")
"""


def test_a_new_run_takes_up_what_an_earlier_one_left(probed: RepositoryBuilder) -> None:
    first = perform(probed, probe(CODE))
    before = probed.read(f"{first.path}/CHECKSUMS.txt")
    again = perform(probed, probe(CODE, tags={"try": "2"}), resume=first.id)
    record = record_of(probed, again.id)
    assert (first.status, again.status) == ("failed", "succeeded")
    assert record.resumes is not None
    assert (record.resumes.ref, record.resumes.digest) == (first.id, first.digest)
    assert probed.read(f"{again.path}/artifacts/sub/part.txt") == b"11"
    assert (probed.read(f"{first.path}/CHECKSUMS.txt"), record_of(probed, first.id).status) == (before, "failed")
    assert pending(probed) == []


def test_a_run_that_was_interrupted_is_taken_up_too(probed: RepositoryBuilder) -> None:
    code = "import os, signal, time\nif context.resume is None: os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)"
    first = perform(probed, probe(code))
    assert first.status == "interrupted"
    assert perform(probed, probe(code), resume=first.id).status == "succeeded"


def test_only_the_same_unfinished_work_is_taken_up(probed: RepositoryBuilder) -> None:
    failed = perform(probed, probe(CODE))
    done = perform(probed, probe())
    for what, run, said in (
        (probe(), done.id, "has succeeded"),
        (probe(), failed.id, "other work: params"),
        (probe(CODE, seed=3), failed.id, "other work: seed"),
        (probe(CODE), "run-2026-01-01-001", "There is no runs/"),
    ):
        with pytest.raises(StrataError, match=said):
            perform(probed, what, resume=run)
    with pytest.raises(UsageError, match="is not a run"):
        perform(probed, probe(), resume="../x")
    probed.write({f"{failed.path}/artifacts/sub/part.txt": "2"})
    with pytest.raises(StrataError, match="is not what its CHECKSUMS"):
        perform(probed, probe(CODE), resume=failed.id)
    assert len(visible(probed)) == 2


def test_a_plugin_that_cannot_is_not_asked_to(repo: RepositoryBuilder) -> None:
    failed = perform(repo, spec("fail"))
    with pytest.raises(StrataError, match="cannot take up unfinished work"):
        perform(repo, spec("fail"), resume=failed.id)


def test_the_command_takes_the_spec_of_the_run(probed: RepositoryBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    first = perform(probed, probe(CODE))
    assert strata(probed, "run", "--resume", first.id, "--tracking", "none") == 0
    assert f"runs/{first.id}  " not in capsys.readouterr().out
    resumed = sorted(set(visible(probed)) - {first.id})
    assert [record_of(probed, run).resumes.ref for run in resumed] == [first.id]  # type: ignore[union-attr]
    assert "half way" in log_of(probed, first)
