"""Secrets by name: environment and dotenv files, late, once, masked; what cannot be had says why and what to do."""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.pipeline import Inference, Pipelines
from strata_git.errors import MissingExtra, StrataError
from strata_git.pipeline.secrets import local
from strata_git.pipeline.secrets.failure import SecretError
from strata_git.pipeline.secrets.probe import probe
from strata_git.pipeline.secrets.resolve import Secrets, filled, quiet
from strata_git.runs.masking import Mask

KEYS = {
    "env": {"from": "env", "name": "CANARY"},
    "file": {"from": "dotenv", "name": "CANARY", "file": "private/.env"},
}


def secrets(root: Path, environ: Mapping[str, str] | None = None, keys: Mapping[str, Any] | None = None) -> Secrets:
    pipelines = Pipelines.model_validate({"keys": keys or KEYS})
    return Secrets(pipelines.keys, environ or {}, root, Mask())


def dotenv(root: Path, text: str | bytes) -> Secrets:
    (root / "private").mkdir(exist_ok=True)
    (root / "private/.env").write_bytes(text if isinstance(text, bytes) else text.encode())
    return secrets(root)


def test_a_variable_of_the_environment(tmp_path: Path) -> None:
    had = secrets(tmp_path, {"CANARY": "canary-value"})
    assert had.get("env") == "canary-value"
    assert had.mask.text("it is canary-value, Y2FuYXJ5LXZhbHVl") == "it is ***, ***"
    assert "canary" not in repr(had)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("CANARY=plain", "plain"),
        ("export CANARY=plain # a comment", "plain"),
        ('CANARY="two words"', "two words"),
        ("CANARY='single $quoted \"x\"'", 'single $quoted "x"'),
        ('CANARY="a\\nb\\"c"', 'a\nb"c'),
        ("CANARY=p${PATH}$HOME", "p${PATH}$HOME"),  # nothing is put in: it is a password
        ("# CANARY=no\n\nOTHER=1\nCANARY=first\nCANARY=last\n", "last"),
        ('CANARY="line one\nline two"\n', "line one\nline two"),
        (b"\xef\xbb\xbfCANARY=bom\r\n", "bom"),
        ("CANARY=pa#ss=w:rd", "pa#ss=w:rd"),
    ],
)
def test_a_file_of_variables_is_read_as_dotenv_reads_it(tmp_path: Path, text: str | bytes, value: str) -> None:
    assert dotenv(tmp_path, text).get("file") == value


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("OTHER=1", "not_found", "CANARY is not in it"), ("CANARY=", "not_found", "CANARY has no value"),
        ("CANARY", "not_found", "CANARY has no value"), (b"CANARY=\xff", "invalid", "is not UTF-8"),
        (b"x" * (local.LIMIT + 1), "invalid", "more than 1 MiB"),
    ],
)  # fmt: skip
def test_a_file_without_the_value(tmp_path: Path, text: str | bytes, kind: str, says: str) -> None:
    with pytest.raises(SecretError, match=r"^keys\.file: private/\.env") as error:
        dotenv(tmp_path, text).get("file")
    assert error.value.kind == kind
    assert says in error.value.message
    assert "keep that file out of Git" in error.value.hint


@pytest.mark.parametrize(("make", "kind"), [
    (lambda path: None, "not_found"), (lambda path: path.mkdir(), "invalid"),
    (lambda path: path.symlink_to("/etc/hostname"), "permission"),
])  # fmt: skip
def test_a_file_that_is_none(tmp_path: Path, make: Any, kind: str) -> None:
    (tmp_path / "private").mkdir()
    make(tmp_path / "private/.env")
    with pytest.raises(SecretError) as error:
        secrets(tmp_path).get("file")
    assert error.value.kind == kind


def test_no_path_leads_out_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("CANARY=x\n")
    (tmp_path / "inside").mkdir()
    keys = {"file": {"from": "dotenv", "name": "CANARY", "file": "../outside"}}
    with pytest.raises(SecretError, match="leads out of the workspace"):
        secrets(tmp_path / "inside", keys=keys).get("file")
    keys["file"]["file"] = str(tmp_path / "outside")  # said in full, it is meant
    assert secrets(tmp_path / "inside", keys=keys).get("file") == "x"


@pytest.mark.parametrize(("environ", "state"), [({}, "not set"), ({"CANARY": ""}, "empty")])
def test_a_variable_that_is_not_there(tmp_path: Path, environ: dict[str, str], state: str) -> None:
    with pytest.raises(SecretError, match=f"keys.env: the environment variable CANARY is {state}") as error:
        secrets(tmp_path, environ).get("env")
    assert (error.value.kind, error.value.retryable, error.value.exit_code) == ("not_found", False, 3)
    assert "export CANARY=" in error.value.hint


def test_a_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="no secret 'fil'") as error:
        secrets(tmp_path).get("fil")
    assert "Did you mean 'file'?" in error.value.hint


def test_each_is_asked_for_when_it_is_used_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def slow(key: Any, environ: Mapping[str, str]) -> str:
        asked.append(key.name)
        return environ[key.name]

    monkeypatch.setattr(local, "from_environment", slow)
    had = secrets(tmp_path, {"CANARY": "canary-value"})
    assert asked == []
    threads = [threading.Thread(target=had.get, args=("env",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == ["CANARY"]


def test_texts_are_filled_once(tmp_path: Path) -> None:
    had = secrets(tmp_path, {"CANARY": "${secret:file}"})
    assert had.fill("https://${secret:env}/$${x}") == "https://${secret:file}/$${x}"


def test_settings_are_filled_for_use_and_stay_names_where_they_are(tmp_path: Path) -> None:
    settings = Inference(provider="offline", model="echo", endpoint="https://${secret:env}.example")
    had = secrets(tmp_path, {"CANARY": "host"})
    assert filled(settings, had).endpoint == "https://host.example"
    assert settings.endpoint == "https://${secret:env}.example"
    plain = Inference(provider="offline", model="echo")
    assert filled(plain, had) is plain


def test_another_process_takes_along_no_value(tmp_path: Path) -> None:
    had = dotenv(tmp_path, "CANARY=canary-value")
    written_before = pickle.dumps(had)
    again = pickle.loads(written_before)
    assert b"canary-value" not in written_before
    assert again.get("file") == "canary-value"
    assert again.names == had.names


def test_nothing_below_info_is_logged_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("botocore.parsers")
    with quiet():
        log.debug("body: canary")
        with quiet():
            log.debug("body: canary")
        log.debug("body: canary")
        log.info("said")
    log.debug("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["said", "afterwards"]


def test_probing_tells_what_resolves_and_forgets_it(tmp_path: Path) -> None:
    keys = Pipelines.model_validate({"keys": KEYS}).keys
    one, other = probe(keys, ["env", "file"], Secrets(keys, {"CANARY": "canary-value"}, tmp_path))
    assert (one.name, one.resolves, one.place, one.kind) == ("env", True, "environment CANARY", "")
    assert (other.resolves, other.kind, other.why) == (False, "not_found", "keys.file: private/.env is not there.")
    assert "canary-value" not in repr((one, other))


@pytest.mark.parametrize(("source", "module", "extra"), [
    ({"from": "azure-key-vault", "name": "x", "vault": "v"}, "azure.identity", "azure"),
    ({"from": "aws-ssm", "name": "x", "region": "eu-central-1"}, "boto3", "aws"),
])  # fmt: skip
def test_a_provider_that_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: dict[str, str], module: str, extra: str
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=f"optional extra '{extra}'"):
        secrets(tmp_path, keys={"x": source}).get("x")
