"""Secrets in a key vault, through the vendor's SDK: the challenge, the login, the value; and whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.contracts.pipeline import AzureKey, Pipelines
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.secrets import vault as module
from strata_git.pipeline.secrets.failure import SecretError
from strata_git.pipeline.secrets.resolve import Secrets
from strata_git.runs.masking import Mask
from tests.support.key_vault import CLIENT_SECRET, TOKEN, Vault, serve

VALUE = "canary-vault-value-0c77"
waits: list[float] = []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with serve(tmp_path_factory.mktemp("vault")) as vault:
        vault.secrets["warehouse"] = VALUE
        yield vault


@pytest.fixture
def vault(server: Vault, monkeypatch: pytest.MonkeyPatch) -> Vault:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    server.failures.clear()
    server.seen.clear()
    server.headers.clear()
    server.resource = "https://vault.azure.net"
    waits.clear()
    return server


def secrets(vault: Vault, name: str = "warehouse") -> Secrets:
    keys = {"x": {"from": "azure-key-vault", "name": name, "vault": vault.url}}
    backoff = Backoff(attempts=4, sleep=waits.append)
    return Secrets(Pipelines.model_validate({"keys": keys}).keys, vault.environ, Path(), Mask(), backoff=backoff)


pytestmark = pytest.mark.heavy


def test_a_value_is_had_by_get_alone(vault: Vault) -> None:
    had = secrets(vault)
    assert had.get("x") == VALUE
    assert had.mask.text(f"<{VALUE}>") == "<***>"
    asked = {(method, path) for method, path, _ in vault.seen if "/secrets" in path}
    assert asked == {("GET", "/secrets/warehouse/")}, "no listing"


def test_it_is_tried_again_as_the_vault_asks(vault: Vault) -> None:
    vault.failures, vault.headers = [429, 503], {"Retry-After": "7"}
    assert secrets(vault).get("x") == VALUE
    assert len(waits) == 2
    assert all(wait >= 7 for wait in waits)


@pytest.mark.parametrize(("status", "kind"), [(403, "permission"), (500, "unavailable"), (429, "throttled")])
def test_what_the_vault_refuses(vault: Vault, status: int, kind: str) -> None:
    vault.failures = [status] * 9
    with pytest.raises(SecretError, match=r"^keys\.x: Azure Key Vault https://localhost") as error:
        secrets(vault).get("x")
    assert (error.value.kind, error.value.status) == (kind, status)
    assert len(waits) == (0 if kind == "permission" else 3)
    assert error.value.__cause__ is None


def test_a_secret_that_is_not_there(vault: Vault) -> None:
    with pytest.raises(SecretError) as error:
        secrets(vault, "nothing").get("x")
    assert error.value.kind == "not_found"
    assert "az keyvault secret show" in error.value.hint


def test_a_client_that_is_not_known(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "canary-wrong-secret")
    with pytest.raises(SecretError) as error:
        secrets(vault).get("x")
    assert error.value.kind == "authentication"
    assert "az login" in error.value.hint
    assert "canary" not in error.value.message


def test_a_vault_that_cannot_be_reached(vault: Vault) -> None:
    key = AzureKey.model_validate({"from": "azure-key-vault", "name": "x", "vault": "https://localhost:1"})
    with pytest.raises(SecretError) as error:
        module.get(key, vault.environ)
    assert error.value.kind == "unavailable"


def test_elsewhere_a_vault_gets_no_token_for_another_domain(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_loopback", lambda _: False)
    with pytest.raises(SecretError, match="a token of another domain") as error:
        secrets(vault).get("x")
    assert error.value.kind == "invalid"
    assert all(given == "" for _, _, given in vault.seen)
    assert not any(method == "POST" for method, _, _ in vault.seen)
    assert CLIENT_SECRET not in error.value.message
    assert TOKEN not in error.value.message
