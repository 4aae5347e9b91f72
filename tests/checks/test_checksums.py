"""An artifact is what its list says: same names, same digests, same identity."""

from __future__ import annotations

import hashlib

import pytest

from strata_git.checks.engine import judge_artifact
from strata_git.contracts.layout import Artifact
from strata_git.integrity import checksums
from tests.checks.judging import FOREST, IRIS, RUN, WithoutObjects, judge, only, pointer, told
from tests.support import artifacts

TRAIN = f"{IRIS.path}/train.csv"
LIST = f"{IRIS.path}/CHECKSUMS.txt"


@pytest.mark.parametrize("files", [artifacts.dataset(), artifacts.model(), artifacts.run(), artifacts.prompt()])
def test_a_sealed_artifact_is_silent(files: dict[str, bytes]) -> None:
    assert told(files) == []


@pytest.mark.parametrize(
    "files",
    [
        artifacts.dataset(seal=False),
        artifacts.model(seal=False),
        artifacts.run(seal=False),
        artifacts.prompt(seal=False),
    ],
)
def test_a_missing_list_is_an_error(files: dict[str, bytes]) -> None:
    judgement = judge(files)
    assert only(judgement.findings).rule == "STR-C001"
    assert judgement.summary["digest"] is None
    assert judgement.summary["content_hash"] is None


@pytest.mark.parametrize(
    "break_", [bytes.upper, lambda data: data[:-1], lambda data: b"# list\n" + data, lambda _: b""]
)
def test_a_list_in_another_form_is_refused_with_its_line(break_) -> None:  # type: ignore[no-untyped-def]
    files = artifacts.dataset()
    assert told(files | {LIST: break_(files[LIST])}) == ["STR-C002"]


def test_a_list_that_is_too_long_is_not_read() -> None:
    files = artifacts.dataset() | {LIST: b"x" * (checksums.SIZE_LIMIT + 1)}
    finding = only(judge(files).findings)
    assert finding.rule == "STR-C002"
    assert "not read" in finding.message


@pytest.mark.parametrize("name", [".hidden", "more/data.csv", "CHECKSUMS.txt.bak", "deep/SIGNATURE.asc"])
def test_a_file_beside_the_list(name: str) -> None:
    assert told(artifacts.dataset(replace={name: b"x"})) == ["STR-C004"]


def test_gitattributes_cannot_hide_in_an_artifact() -> None:
    assert told(artifacts.dataset(replace={".gitattributes": b"x"})) == ["STR-C004", "STR-L018"]


def test_signatures_are_not_listed() -> None:
    assert told(artifacts.dataset(replace={"SIGNATURE.asc": b"x", "model.sig": b"x"})) == ["STR-S009"]


def test_a_file_that_is_listed_and_gone() -> None:
    assert "STR-C003" in told(artifacts.prompt(replace={"prompt.yaml": None}))
    files = artifacts.dataset(extra={"readme.rst": b"x"}, replace={"readme.rst": None})
    finding = only(judge(files).findings)
    assert (finding.rule, finding.path) == ("STR-C003", f"{IRIS.path}/readme.rst")


def test_a_changed_byte_names_the_file_and_the_way_back() -> None:
    changed = artifacts.TRAIN.replace(b"5.1", b"5.2")
    finding = only(judge(artifacts.dataset(replace={"train.csv": changed})).findings)
    assert (finding.rule, finding.path, finding.severity) == ("STR-C005", TRAIN, "error")
    assert f"git checkout HEAD -- {TRAIN}" in finding.fix
    assert hashlib.sha256(changed).hexdigest() in finding.message


def test_a_pointer_is_judged_without_its_bytes() -> None:
    sha256, size = hashlib.sha256(artifacts.TRAIN).hexdigest(), len(artifacts.TRAIN)
    judgement = judge(artifacts.dataset(replace={"train.csv": pointer(sha256, size)}))
    assert judgement.findings == ()
    assert judgement.summary["pointers"] == 1
    assert judgement.summary["bytes"] == judge(artifacts.dataset()).summary["bytes"]
    swapped = judge(artifacts.dataset(replace={"train.csv": pointer("0" * 64, size)}))
    assert only(swapped.findings).rule == "STR-C005"


def test_a_stale_content_hash() -> None:
    files = artifacts.dataset(metadata={"content_hash": "sha256:" + "0" * 64})
    judgement = judge(files)
    finding = only(judgement.findings)
    assert (finding.rule, finding.path) == ("STR-C006", f"{IRIS.path}/metadata.yaml")
    assert files[finding.path].splitlines()[finding.line - 1].startswith(b"content_hash")
    assert judgement.summary["content_hash"] in finding.message


@pytest.mark.parametrize(("key", "value"), [("name", "lily"), ("version", "v2")])
def test_metadata_speaks_of_another_artifact(key: str, value: str) -> None:
    finding = only(judge(artifacts.dataset(metadata={key: value})).findings)
    assert finding.rule == "STR-C007"
    assert finding.line > 0


def test_a_directory_copied_to_another_name_does_not_pass_for_it() -> None:
    copied = {path.replace("models/forest/v1", "models/oak/v1"): data for path, data in artifacts.model().items()}
    assert told(copied) == ["STR-C007"]
    moved = {path.replace("datasets", "models"): data for path, data in artifacts.dataset().items()}
    assert "STR-C007" in told(moved)


def test_absent_objects_are_told_once_and_never_pass_silently() -> None:
    files = artifacts.dataset()
    judgement = judge_artifact(WithoutObjects(files, TRAIN, f"{IRIS.path}/test.csv"), IRIS)
    finding = only(judgement.findings)
    assert (finding.rule, finding.severity, finding.path) == ("STR-Y003", "info", IRIS.path)
    assert "1 more" in finding.message
    assert judgement.summary["judged"] is False
    assert judge(files).summary["judged"] is True


def test_absent_description_and_list() -> None:
    tree = WithoutObjects(artifacts.dataset(), LIST, f"{IRIS.path}/metadata.yaml")
    judgement = judge_artifact(tree, IRIS)
    assert only(judgement.findings).rule == "STR-Y003"
    assert judgement.summary["digest"] is None


def test_the_digest_is_that_of_the_list() -> None:
    files = artifacts.dataset()
    summary = judge(files).summary
    assert summary["digest"] == "sha256:" + hashlib.sha256(files[LIST]).hexdigest()


@pytest.mark.parametrize("artifact", [IRIS, FOREST, RUN])
def test_nothing_there_is_told(artifact: Artifact) -> None:
    from strata_git.repo.tree import MemoryTree

    assert "STR-C001" in {finding.rule for finding in judge_artifact(MemoryTree({}), artifact).findings}
