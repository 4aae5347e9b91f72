"""Secrets are planted wherever one may be kept; all that is logged, raised, traced, recorded and printed is looked
through for them, in every form they could be written in.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from strata_git.cli.main import main
from strata_git.contracts.pipeline import Observability, Pipelines
from strata_git.pipeline.observability.logging import logged, logger
from strata_git.pipeline.observability.redact import Redactor
from strata_git.pipeline.observability.spans import Spans, traced
from strata_git.pipeline.secrets.resolve import Secrets
from strata_git.runs.masking import Mask
from tests.support.key_vault import CLIENT_SECRET, TOKEN, serve
from tests.support.otlp import collect

CANARIES = {
    "environment": "canary/env+31 \"quoted\"", "file": "canary=file&32'x'", "vault": "canary-vault-ünï-33",
    "manager": "canary.manager\\34", "field": "canary{field}35", "store": "canary<store>36%",
}  # fmt: skip
ACCOUNT = "canary-account-key-37"


def forms(value: str) -> set[str]:
    """A value as it is written here and there, long enough to be no chance."""
    data = value.encode()
    found = {
        value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1], data.hex(),
        quote(value), quote(value, safe=""), quote_plus(value), repr(data)[2:-1],
    }  # fmt: skip
    for before in range(3):
        text = base64.b64encode(b"x" * before + data).decode().rstrip("=")
        found.add(text[2 * before : -2])
        found.add(base64.urlsafe_b64encode(b"x" * before + data).decode().rstrip("=")[2 * before : -2])
    return {form for form in found if len(form) >= 8}


def assert_silent(text: str, *values: str) -> None:
    shown = [(form, value) for value in (*values, CLIENT_SECRET, TOKEN) for form in forms(value) if form in text]
    assert shown == []


def aloud(value: str) -> list[object]:
    """A secret in everything that a program may say."""
    data = value.encode()
    return [
        value, f"https://host/?q={quote(value, safe='')}", {"nested": [value, {"deep": value}]}, data,
        base64.b64encode(data).decode(), base64.b64encode(b"user:" + data).decode(), data.hex(),
        json.dumps({"v": value}), repr(value), quote_plus(value),
    ]  # fmt: skip


def test_what_is_logged_and_raised_without_a_network(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"FILE={json.dumps(CANARIES['file'])}\n")
    keys = {"environment": {"from": "env", "name": "ENVIRONMENT"}, "file": {"from": "dotenv", "name": "FILE"}}
    had = Secrets(
        Pipelines.model_validate({"keys": keys}).keys, {"ENVIRONMENT": CANARIES["environment"]}, tmp_path, Mask()
    )
    said = said_aloud({name: had.get(name) for name in keys}, had.mask)
    assert_silent(said, CANARIES["environment"], CANARIES["file"])
    assert said.count("***") > 40


def said_aloud(values: dict[str, str], mask: Mask) -> str:
    """Everything about `values` through our loggers and libraries', in both forms, with tracebacks."""
    assert set(values.values()) <= set(CANARIES.values())
    stream = io.StringIO()
    for form in ("json", "human"):
        with logged(form, "debug", Redactor(mask), stream):  # type: ignore[arg-type]
            for name, value in values.items():
                for what in aloud(value):
                    logger("chain").info(f"have {what}", what=what, **{name: what})
                    logging.getLogger("botocore.auth").info("sent %s", what)
                try:
                    try:
                        raise KeyError(value)
                    except KeyError as error:
                        raise RuntimeError(*aloud(value)) from error
                except RuntimeError:
                    logger("chain").exception("it broke")
                    logging.getLogger("httpx").warning("so did I", exc_info=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], str]]:
    """Variables of a machine that knows a vault, a secrets manager and a parameter store; and the strata.yaml."""
    import boto3
    from moto.server import ThreadedMotoServer

    with ExitStack() as stack, serve(tmp_path_factory.mktemp("vault")) as vault:
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        own = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": ACCOUNT,
            "AWS_REGION": "eu-west-1",
        }
        options: dict[str, Any] = {
            "endpoint_url": url, "region_name": "eu-west-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"
        }  # fmt: skip
        vault.secrets["v"] = CANARIES["vault"]
        manager = boto3.client("secretsmanager", **options)
        manager.create_secret(Name="m", SecretString=CANARIES["manager"])
        manager.create_secret(Name="f", SecretString=json.dumps({"password": CANARIES["field"]}))
        boto3.client("ssm", **options).put_parameter(Name="s", Value=CANARIES["store"], Type="SecureString")
        aws = f"region: eu-west-1, endpoint: '{url}'"
        text = f"""\
keys:
  environment: {{from: env, name: ENVIRONMENT}}
  file: {{from: dotenv, name: FILE}}
  vault: {{from: azure-key-vault, name: v, vault: '{vault.url}'}}
  manager: {{from: aws-secrets-manager, name: m, {aws}}}
  field: {{from: aws-secrets-manager, name: f, field: password, {aws}}}
  store: {{from: aws-ssm, name: s, {aws}}}
  missing: {{from: aws-ssm, name: nothing, {aws}}}
"""
        yield {**vault.environ, **own, "ENVIRONMENT": CANARIES["environment"]}, text


@pytest.fixture
def workspace(
    cloud: tuple[dict[str, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, str]]:
    environ, text = cloud
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "strata.yaml").write_text(text)
    (tmp_path / ".env").write_text(f"FILE={json.dumps(CANARIES['file'])}\n")
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path, environ


@pytest.mark.heavy
@pytest.mark.parametrize("form", ["json", "human"])
def test_what_the_command_line_prints(
    workspace: tuple[Path, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    form: str,
) -> None:
    monkeypatch.setenv("STRATA_LOG_FORMAT", form)
    monkeypatch.setenv("STRATA_LOG_LEVEL", "debug")
    assert main(["keys", "test"]) == 2
    assert main(["keys", "test", *CANARIES, "--format", "json"]) == 0
    assert main(["config", "--origin"]) == 0
    said = capsys.readouterr()
    assert said.out.count("resolves") >= 6
    assert_silent(said.out + said.err, *CANARIES.values(), ACCOUNT)


@pytest.mark.heavy
def test_what_is_logged_and_traced_of_every_provider(
    workspace: tuple[Path, dict[str, str]], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    from strata_git.pipeline.settings import load

    root, environ = workspace
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    pipelines = load(root, environ).pipelines
    had, stream = Secrets(pipelines.keys, environ, root, Mask.of(environ)), io.StringIO()
    with collect() as collector, logged("json", "debug", Redactor(had.mask), stream):
        values = {name: had.get(name) for name in CANARIES}
        sdks = caplog.text
        settings = Observability(otlp=collector.url, prompts_in_traces=True)
        with traced(settings, Redactor(had.mask), had) as spans:
            for name, value in values.items():
                with pytest.raises(ValueError, match="refused"), spans.span(f"step {value}", **{name: value}):
                    ask(spans, value)
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    assert values == CANARIES
    assert "botocore.credentials" in sdks, "the SDK's messages were asked for"
    assert "botocore.parsers" not in sdks
    assert_silent(sdks, *CANARIES.values())
    printed = capfd.readouterr()
    traces = repr(collector.bodies) + repr(collector.spans) + b"".join(collector.bodies).decode("utf-8", "replace")
    assert traces.count("***") > 40
    assert_silent(traces + stream.getvalue() + printed.out + printed.err, *CANARIES.values(), ACCOUNT)
    assert_silent(said_aloud(values, had.mask), *CANARIES.values())


def ask(spans: Spans, value: str) -> None:
    messages = [{"role": "user", "content": str(what)} for what in aloud(value)]
    with spans.call("openai", "m", messages=messages) as call:
        call.answered(answer=value)
        raise ValueError(f"refused {value}")


@pytest.mark.heavy
def test_errors_of_every_provider_hold_nothing(
    workspace: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from strata_git.errors import StrataError
    from strata_git.pipeline.settings import load

    root, environ = workspace
    (root / ".env").write_bytes(b"FILE=canary-file-32\xff\n")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "canary-wrong-client-38")
    wrong = ["keys.manager.name=nothing", "keys.field.field=user", "keys.vault.name=nothing", "keys.store.version=9"]
    pipelines = load(root, {**environ, "ENVIRONMENT": ""}, wrong).pipelines
    had = Secrets(pipelines.keys, {}, root, Mask())
    said = ""
    for name in CANARIES:
        with pytest.raises(StrataError) as error:
            had.get(name)
        said += "".join(traceback.format_exception(error.value)) + error.value.hint + repr(error.value.__dict__)
    assert_silent(said, *CANARIES.values(), "canary-file-32", "canary-wrong-client-38", ACCOUNT)
