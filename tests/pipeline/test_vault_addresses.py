"""Which vaults are this machine's own: those alone may ask for a token of another domain."""

from __future__ import annotations

import pytest

from strata_git.pipeline.secrets.vault import is_loopback


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("https://localhost:8443", True), ("https://vault.localhost", True), ("https://127.0.0.1", True),
        ("https://127.8.9.1:1", True), ("https://[::1]:8443", True), ("https://team.vault.azure.net", False),
        ("https://localhost.example", False), ("https://127.0.0.1.example", False), ("https://10.0.0.1", False),
        ("https://notlocalhost", False), ("https://2130706433", False),
    ],
)  # fmt: skip
def test_loopback(address: str, own: bool) -> None:
    assert is_loopback(address) is own
