"""`git strata config` and `git strata keys test`: what is in force, whence, and which secrets can be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strata_git.cli.main import main
from tests.support.fixtures import Builder

TEXT = """\
lfs: false
keys:
  azure: {from: env, name: AZURE_KEY}
  local: {from: dotenv, name: LOCAL_KEY}
connectors:
  docs: {type: local, root: ./docs}
  shelf:
    type: fsspec
    url: "memory://x"
    options: {password: literal-canary, token: "${secret:azure}", depth: 3}
inference:
  default: {provider: offline, model: echo}
observability:
  otlp_headers: {Authorization: Basic literal-canary, x-team: docs}
"""


@pytest.fixture
def workspace(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> Path:
    repo = builder()
    (repo.path / "strata.yaml").write_text(TEXT)
    monkeypatch.chdir(repo.path)
    return repo.path


def strata(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> tuple[str, str]:
    """What a command says on both streams."""
    assert main(words) == code
    said = capsys.readouterr()
    return said.out, said.err


def test_everything_as_yaml_that_could_be_the_file(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = strata(capsys, 0, "config", "connectors.docs", "inference")
    assert text.splitlines()[:5] == ["connectors:", "  docs:", "    type: local", '    root: "./docs"', "    include:"]
    (workspace / "strata.yaml").write_text(text)
    again, _ = strata(capsys, 0, "config", "connectors.docs", "inference")
    assert again == text


def test_where_it_comes_from(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_LOG_LEVEL", "warning")
    monkeypatch.setenv("STRATA_INFERENCE__DEFAULT__TEMPRTURE", "1")
    words = ("config", "--origin", "--set", "retention.keep_days=7", "--profile", "aws_batch")
    text, told = strata(capsys, 0, *words)
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in text.splitlines()}
    assert rows["lfs"] == ["false", "strata.yaml:1"]
    assert rows["inference.default.model"] == ["echo", "strata.yaml:12"]
    assert rows["observability.log_level"] == ["warning", "environment STRATA_LOG_LEVEL"]
    assert rows["observability.log_format"] == ["json", "profile aws_batch"]
    assert rows["retention.keep_days"] == ["7", "--set retention.keep_days"]
    assert rows["retention.keep_runs"] == ["null", "default"]
    assert "did you mean STRATA_INFERENCE__DEFAULT__TEMPERATURE?" in told


def test_as_json_without_secrets(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = strata(capsys, 0, "config", "--format", "json")
    document = json.loads(text)
    assert document["schema"] == "strata/config/v1"
    assert document["profile"] == "local"
    shelf = document["settings"]["connectors"]["shelf"]
    assert shelf["options"] == {"password": "***", "token": "${secret:azure}", "depth": 3}
    assert document["settings"]["observability"]["otlp_headers"] == {"Authorization": "***", "x-team": "docs"}
    assert document["origin"]["connectors.shelf.url"] == {"from": "file", "file": "strata.yaml", "line": 9}
    assert "canary" not in text


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("config", "infrence"), 64, "Did you mean inference?"),
        (("config", "--set", "inference.default.modl=x"), 3, "did you mean 'model'?"),
        (("config", "--profile", "aws"), 64, "there is no such profile"),
        (("keys", "test", "azur"), 64, "Did you mean 'azure'?"),
    ],
)
def test_mistakes(
    workspace: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    _, told = strata(capsys, code, *words)
    assert says in told


def test_keys_tell_what_resolves_and_never_the_value(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_KEY", "canary-azure-key")
    text, told = strata(capsys, 2, "keys", "test")
    assert [line.split("  ")[0] for line in text.splitlines()] == ["name", "azure", "local"]
    assert text.splitlines()[1].endswith("resolves")
    assert text.splitlines()[2].endswith("not_found")
    assert "keys.local: .env is not there." in told
    strata(capsys, 0, "keys", "test", "azure")
    (workspace / ".env").write_text("LOCAL_KEY='canary-local-key'\n")
    (workspace / ".env").chmod(0o644)
    text, told = strata(capsys, 0, "keys", "test")
    assert "chmod 600 .env" in told
    assert "echo '/.env' >>.gitignore" in told
    (workspace / ".env").chmod(0o600)
    (workspace / ".gitignore").write_text(".env\n")
    answer, told = strata(capsys, 0, "keys", "test", "--format", "json")
    document = json.loads(answer)
    assert (document["schema"], document["warnings"]) == ("strata/keys/v1", [])
    assert [(one["name"], one["resolves"]) for one in document["keys"]] == [("azure", True), ("local", True)]
    assert "canary" not in text + told + answer


def test_without_keys_there_is_nothing_to_test(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "strata.yaml").write_text("lfs: false\n")
    text, _ = strata(capsys, 0, "keys", "test")
    assert "names no secrets" in text
    assert json.loads(strata(capsys, 0, "keys", "test", "--format", "json")[0])["keys"] == []


def test_an_image_without_git_will_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strata.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert "echo" in strata(capsys, 0, "config", "inference.default.model")[0]
    monkeypatch.chdir("/")
    assert "repository" in strata(capsys, 3, "config")[1]
