"""What is told holds no secret: known values in any form, and whatever stands under a secret's name."""

from __future__ import annotations

import pytest

from strata_git.pipeline.observability.redact import Redactor, names_secret
from strata_git.pipeline.secrets.secret import Secret
from strata_git.runs.masking import Mask

KNOWN = "canary value/31+x"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor(Mask([KNOWN]))


@pytest.mark.parametrize(
    "text",
    [
        "GET https://host/x?sig=canaryAAAA%2Fbbb&se=2026",
        "https://bucket/k?X-Amz-Credential=canaryAKID%2F2026&X-Amz-Signature=canary0011&X-Amz-Security-Token=canarytok",
        "{'Authorization': 'AWS4-HMAC-SHA256 Credential=canary/2026, Signature=canary'}",
        '"authorization": "Bearer canary.token.value"',
        "Authorization: Basic Y2FuYXJ5OnB3",
        "headers: api-key: canary-key-1234",
        "Ocp-Apim-Subscription-Key=canary-key",
        "Set-Cookie: session=canary; path=/",
        "sent Bearer canary-token-12345678 to host",
        "POST grant_type=client_credentials&client_secret=canarysecret&scope=x",
        "postgresql://etl:canary@db/prod",
        f"value is {KNOWN}",
        "value is canary%20value/31%2Bx",
        "value is Y2FuYXJ5IHZhbHVlLzMxK3g=",
    ],
)
def test_texts(redactor: Redactor, text: str) -> None:
    told = redactor.text(text)
    assert "***" in told
    assert "canary" not in told.lower()
    assert "Y2FuYXJ5" not in told


@pytest.mark.parametrize(
    "text",
    [
        "12 documents, 40 chunks", "https://host/path?page=2&size=10", "s3://bucket/notes.md: not found",
        "tokens=812 cost=0.01", "the key 'azure' of the section keys", "git@github.com:team/repo.git", "",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_alone(redactor: Redactor, text: str) -> None:
    assert redactor.text(text) == text


def test_data(redactor: Redactor) -> None:
    value = {
        "headers": {"Authorization": "abc", "x-api-key": 5, "Accept": "text/html", "api_key": Secret("abc")},
        "password": ["a", "b"], "nested": [{"client_secret": {"deep": "x"}}, KNOWN, KNOWN.encode()],
        "token": "abc", "input_tokens": 5, "key_id": "AK", "empty": {"password": ""}, KNOWN: 1, "path": (1, 2.5, None),
        "secret": Secret(KNOWN), "held": Secret(KNOWN), "flag": True,
    }  # fmt: skip
    assert redactor.plain(value) == {
        "headers": {"Authorization": "***", "x-api-key": "***", "Accept": "text/html", "api_key": "***"},
        "password": "***", "nested": [{"client_secret": "***"}, "***", "***"],
        "token": "***", "input_tokens": 5, "key_id": "AK", "empty": {"password": ""}, "***": 1, "path": [1, 2.5, None],
        "secret": "***", "held": "***", "flag": True,
    }  # fmt: skip


def test_a_number_may_be_a_secret_and_depth_has_an_end() -> None:
    assert Redactor(Mask(["31415926"])).plain({"pin": 31415926}) == {"pin": "***"}
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert "..." in str(Redactor().plain(loop))


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("Authorization", True), ("proxy-authorization", True), ("db_password", True), ("apiKey", True),
        ("api_key", True), ("AWS_SECRET_ACCESS_KEY", True), ("x-amz-security-token", True), ("refresh_token", True),
        ("token", True), ("key", True), ("secret", True), ("sas", True),
        ("tokens", False), ("output_tokens", False), ("key_fields", False), ("secret_name", False), ("key_id", False),
        ("keyboard", False), ("passage", False), ("authorized", False), ("password_file", False),
    ],
)  # fmt: skip
def test_names(name: str, is_one: bool) -> None:
    assert names_secret(name) is is_one
