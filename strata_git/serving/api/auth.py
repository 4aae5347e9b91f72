"""Who may ask: holders of an API key, of which only the SHA-256 is known here, or of a token of an identity provider.

A key comes as `Authorization: Bearer KEY` or `X-API-Key: KEY`, a token as `Authorization: Bearer TOKEN`. What is said
to those who are refused never tells which of their words was wrong, and no credential is ever logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.serving.errors import Denied

if TYPE_CHECKING:
    from strata_git.contracts.service import Auth
    from strata_git.serving.api.oidc import Provider

NOBODY = ""
"""The caller's name where nobody has to say who they are."""
LONGEST = 16 << 10
"""Most characters of a credential that is looked at."""


class Authenticator:
    """Judges the credentials of requests, of any protocol: `headers` are names in lower case and their values."""

    def __init__(
        self, auth: Auth, root: Path | None = None, *, clock: Callable[[], float] = time.time,
        provider: Provider | None = None,
    ) -> None:  # fmt: skip
        """`root` is where the file of keys (`oidc.jwks`) is looked for: the service's directory. `provider` stands in
        for the one of `auth.oidc`. Raises MissingExtra, and StrataError where that file is not one of keys."""
        self.required = auth.required
        self._keys = [(key.name, bytes.fromhex(key.sha256), str(key.expires or "9999-12-31")) for key in auth.keys]
        self._clock = clock
        self._provider = provider
        if provider is None and auth.oidc is not None:
            from strata_git.serving.api.oidc import open_provider

            self._provider = open_provider(auth.oidc, root, clock=clock)

    def check(self, headers: Mapping[str, str]) -> str:
        """The caller's name, NOBODY where none is asked for. Raises Denied.

        May wait for the provider's keys, at most seconds and at most once in a while; `admit` does not block.
        """
        if not self.required:
            return NOBODY
        credential = _credential(headers)
        name = self._holder(credential)
        if name is not None:
            return name
        if self._provider is not None and credential.count(".") == 2:
            return self._provider.check(credential)
        raise _unknown()

    async def admit(self, headers: Mapping[str, str]) -> str:
        """The same, on a loop: where keys have to be fetched, a thread waits for them."""
        if self._provider is None or not self.required:
            return self.check(headers)
        credential = _credential(headers)
        if self._provider.has_key_for(credential) or credential.count(".") != 2:
            return self.check(headers)
        return await asyncio.to_thread(self.check, headers)

    def _holder(self, credential: str) -> str | None:
        """Whose key it is. All are compared, each in constant time, whichever fits."""
        digest = hashlib.sha256(_sent(credential)).digest()
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        found = None
        for name, known, expires in self._keys:
            if hmac.compare_digest(digest, known) and today <= expires:
                found = name
        return found


def key_digest(key: str) -> str:
    """What `api.auth.keys` keeps of a key: the SHA-256 of its UTF-8 bytes, in hexadecimal digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def _credential(headers: Mapping[str, str]) -> str:
    said = headers.get("authorization", "")
    own = headers.get("x-api-key", "")
    if said and own:
        raise Denied("Say who asks once: Authorization or X-API-Key.", challenge='Bearer error="invalid_request"')
    if said:
        scheme, _, value = said.partition(" ")
        if scheme.lower() != "bearer":
            raise Denied("Authorization must be: Bearer, a blank, and a key or token.", challenge="Bearer")
        own = value.strip()
    if not own:
        raise Denied("A key or a token is needed: Authorization: Bearer, or X-API-Key.", challenge="Bearer")
    if len(own) > LONGEST:
        raise _unknown()
    return own


def _sent(credential: str) -> bytes:
    """The bytes of a header: servers hand them over as Latin-1, whatever they are."""
    try:
        return credential.encode("latin-1")
    except UnicodeEncodeError:
        return credential.encode("utf-8", "surrogatepass")


def _unknown() -> Denied:
    return Denied("The key or token is not known here, or no longer.", challenge='Bearer error="invalid_token"')
