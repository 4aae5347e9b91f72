"""strata.yaml: what it may say, and where it is told when it says something else."""

from __future__ import annotations

import json

import pytest

from strata_git.config import Settings, SettingsError, as_plain, from_plain, load_settings

REPOSITORY = "5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01"


def test_no_file_and_an_empty_one_mean_defaults() -> None:
    assert load_settings(None) == Settings()
    assert load_settings(b"schema: strata/settings/v1\n") == Settings()
    assert Settings() == Settings(repository="", lfs=True, signing_required=False, signing_on_commit=False)


def test_everything_that_can_be_said() -> None:
    text = (
        f"schema: strata/settings/v1\nrepository: {REPOSITORY}\nlfs: false\n"
        "signing:\n  key: ABCD\n  required: true\n  on_commit: true\n"
    )
    assert load_settings(text.encode()) == Settings(REPOSITORY, False, "ABCD", True, True)


def test_trailers_are_on_until_somebody_says_no() -> None:
    assert Settings().commits_trailers
    assert not load_settings(b"commits: {trailers: false}\n").commits_trailers


@pytest.mark.parametrize(("text", "line", "message"), [
    ("lfs: perhaps\n", 1, "'lfs' must be true or false"),
    ("lfs: false\nrepository: 7\n", 2, "'repository' must be text"),
    ("repository: not-a-uuid\n", 1, "'repository' must be a UUID in lower case"),
    (f"repository: {REPOSITORY.upper()}\n", 1, "'repository' must be a UUID in lower case"),
    ("lsf: true\n", 1, "unknown setting 'lsf'"),
    ("signing:\n  keys: x\n", 2, "unknown setting 'signing.keys'"),
    ("signing: true\n", 1, "unknown setting 'signing'"),
    ("signing.required: true\n", 1, "unknown setting 'signing.required'"),
    ("- lfs\n", 1, "a mapping is expected"),
    ("just text\n", 1, "a mapping is expected"),
    ("lfs: true\nlfs: false\n", 2, "lfs"),
    ("lfs: !!python/name:os.system x\n", 1, ""),
    ("a: [\n", 0, ""),
    ("schema: strata/settings/v2\n", 1, "schema"),
    ("commits:\n  trailers: sometimes\n", 2, "'commits.trailers' must be true or false"),
    ("commits:\n  trailer: true\n", 2, "unknown setting 'commits.trailer'"),
])  # fmt: skip
def test_complaints_name_the_line(text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(text.encode())
    assert message in told.value.complaint.message
    if line:
        assert told.value.complaint.line == line
        assert told.value.message.startswith(f"strata.yaml:{line}: ")
    assert told.value.exit_code == 3


def test_nothing_in_a_complaint_reaches_the_terminal() -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(b'"a\\x1b[2Jb": 1\n')
    assert "\x1b" not in told.value.message


def test_the_hooks_cache_keeps_them_as_plain_data() -> None:
    settings = Settings(REPOSITORY, False, "K", True, True)
    assert from_plain(json.loads(json.dumps(as_plain(settings)))) == settings
    assert from_plain(as_plain(settings) | {"later": 1}) is None
    assert from_plain({}) is None
