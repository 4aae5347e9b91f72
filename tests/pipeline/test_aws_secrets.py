"""Secrets in Secrets Manager and SSM, through the vendor's SDK over HTTP: roles, versions, fields, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.pipeline import Pipelines
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.secrets.failure import SecretError
from strata_git.pipeline.secrets.resolve import Secrets
from strata_git.runs.masking import Mask
from tests.support.flaky import Answer, Flaky, before

pytestmark = pytest.mark.heavy
REGION = "eu-central-1"
VALUES = {
    "plain": "canary-plain-31aa",
    "old": "canary-old-31ab",
    "binary": "canary-binary-31ac",
    "ssm": "canary-ssm-31ad",
}
FIELDS = {"user": "etl", "password": "canary-field-31ae", "port": 5432}


@dataclass(frozen=True, slots=True)
class Cloud:
    url: str
    flaky: Flaky
    waits: list[float]

    def get(self, **key: Any) -> str:
        return self.secrets(**key).get("x")

    def secrets(self, **key: Any) -> Secrets:
        entry = {"from": "aws-secrets-manager", "region": REGION, "endpoint": self.flaky.url, **key}
        backoff = Backoff(attempts=4, sleep=self.waits.append)
        keys = Pipelines.model_validate({"keys": {"x": entry}}).keys
        return Secrets(keys, {}, Path(), Mask(), backoff=backoff)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    import boto3

    for name, value in {
        "ACCESS_KEY_ID": "testing",
        "SECRET_ACCESS_KEY": "canary-account-key",
        "REGION": REGION,
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = {"endpoint_url": server, "region_name": REGION}
    manager, ssm = boto3.client("secretsmanager", **options), boto3.client("ssm", **options)
    if not manager.list_secrets()["SecretList"]:
        manager.create_secret(Name="app/plain", SecretString=VALUES["old"])
        manager.put_secret_value(SecretId="app/plain", SecretString=VALUES["plain"])
        manager.create_secret(Name="app/json", SecretString=json.dumps(FIELDS))
        manager.create_secret(Name="app/binary", SecretBinary=VALUES["binary"].encode())
        manager.create_secret(Name="app/bytes", SecretBinary=b"\xff\xfe")
        ssm.put_parameter(Name="/app/key", Value=VALUES["ssm"], Type="SecureString")
    host, _, port = server.removeprefix("http://").partition(":")
    with before(host, int(port)) as flaky:
        yield Cloud(server, flaky, [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ({"name": "app/plain"}, VALUES["plain"]),
        ({"name": "app/plain", "version": "AWSPREVIOUS"}, VALUES["old"]),
        ({"name": "app/json", "field": "password"}, FIELDS["password"]),
        ({"name": "app/json", "field": "port"}, "5432"),
        ({"name": "app/json"}, json.dumps(FIELDS)),
        ({"name": "app/binary"}, VALUES["binary"]),
        ({"name": "/app/key", "from": "aws-ssm"}, VALUES["ssm"]),
        ({"name": "/app/key", "from": "aws-ssm", "version": "1"}, VALUES["ssm"]),
        ({"name": "app/plain", "role": "arn:aws:iam::123456789012:role/reader"}, VALUES["plain"]),
    ],
)
def test_values(cloud: Cloud, key: dict[str, str], value: str) -> None:
    had = cloud.secrets(**key)
    assert had.get("x") == value
    assert had.mask.text(f"<{value}>") == "<***>"


@pytest.mark.parametrize(
    ("key", "kind", "hint"),
    [
        ({"name": "app/nothing"}, "not_found", "aws secretsmanager describe-secret --secret-id app/nothing"),
        ({"name": "/app/nothing", "from": "aws-ssm"}, "not_found", "aws ssm get-parameter --name /app/nothing"),
        ({"name": "app/json", "field": "pass"}, "not_found", ""),
        ({"name": "app/plain", "field": "password"}, "invalid", ""),
        ({"name": "app/bytes"}, "invalid", ""),
    ],
)
def test_what_is_not_there(cloud: Cloud, key: dict[str, str], kind: str, hint: str) -> None:
    with pytest.raises(SecretError, match=r"^keys\.x: AWS ") as error:
        cloud.get(**key)
    assert error.value.kind == kind
    assert hint in error.value.hint
    assert "canary" not in error.value.message
    assert cloud.waits == []


def refusal(code: str, status: int = 400) -> Answer:
    body = json.dumps({"__type": code, "message": "No."}).encode()
    return Answer(status, body, {"Content-Type": "application/x-amz-json-1.1"})


def test_it_is_tried_again(cloud: Cloud) -> None:
    cloud.flaky.answers[:] = [refusal("ThrottlingException"), Answer(503), refusal("InternalServiceError", 500)]
    assert cloud.get(name="app/plain") == VALUES["plain"]
    assert (cloud.flaky.asked, len(cloud.waits)) == (4, 3)


@pytest.mark.parametrize(
    ("code", "kind", "hint"),
    [
        ("AccessDeniedException", "permission", "Allow secretsmanager:GetSecretValue on app/plain"),
        ("ExpiredTokenException", "authentication", "AWS_PROFILE"),
        ("ThrottlingException", "throttled", ""),
    ],
)
def test_what_the_service_refuses(cloud: Cloud, code: str, kind: str, hint: str) -> None:
    cloud.flaky.answers[:] = [refusal(code)] * 9
    with pytest.raises(SecretError) as error:
        cloud.get(name="app/plain")
    assert error.value.kind == kind
    assert hint in error.value.hint
    assert cloud.flaky.asked == (4 if kind == "throttled" else 1)


def test_without_credentials(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretError) as error:
        cloud.get(name="app/plain")
    assert error.value.kind == "authentication"
    assert "AWS_ACCESS_KEY_ID" in error.value.hint


def test_a_service_that_cannot_be_reached(cloud: Cloud) -> None:
    with pytest.raises(SecretError) as error:
        cloud.get(name="app/plain", endpoint="http://127.0.0.1:1")
    assert error.value.kind == "unavailable"
    assert len(cloud.waits) == 3
