"""Tokens of an identity provider (OpenID Connect): JSON Web Tokens, signed by keys that the provider publishes.

Keys come from a file (offline) or from the address that the provider's own configuration names (OpenID Connect
Discovery 1.0 section 4), over https, without redirects, within a size and a time. Only signatures with public keys
count: a token that names `none` or a shared secret (HS256 and its like) is refused, whatever else it says. What is
judged is RFC 8725's list: algorithm, signature, issuer, audience, `exp` (needed), `nbf`, and then the scopes.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.errors import Denied, Unanswered

if TYPE_CHECKING:
    from strata_git.contracts.service import Oidc

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that count (RFC 7518, RFC 8037): those that nobody can make who only can check them."""
LEEWAY = 60
"""Seconds by which the provider's clock and ours may differ."""
FRESH = 3600.0
"""Seconds after which keys are fetched anew; a key that is withdrawn is refused at the latest then."""
PAUSE = 30.0
"""Seconds between two attempts to fetch, however many unknown keys are named meanwhile."""
_SIZE = 1 << 20
_TIME = 5.0
_DISCOVERY = "/.well-known/openid-configuration"

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
"""RFC 6749, section 3.3: what may stand in a header between quotes."""

Fetch = Callable[[str], bytes]
"""From an https address to what is there; raises OSError."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a provider: what checks signatures, its kind (`RSA`, `EC`, `OKP`), its one algorithm if it has one."""

    material: Any
    kind: str
    algorithm: str = ""


class Provider:
    """One issuer: its keys, and what tokens of it must say."""

    def __init__(
        self, issuer: str, audience: str, *, scopes: tuple[str, ...] = (), keys: Mapping[str, Any] | None = None,
        fetch: Fetch | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        """`keys` (a JSON Web Key Set) are all there will ever be; without them they are fetched when needed."""
        self._issuer = issuer
        self._audience = audience
        self._scopes = frozenset(scopes)
        self._fetch = fetch or fetch_document
        self._clock = clock
        self._lock = threading.Lock()
        self._offline = keys is not None
        self._keys = _key_set(keys) if keys is not None else {}
        self._fetched = self._tried = float("-inf")

    def has_key_for(self, token: str) -> bool:
        """Whether `check` would not have to ask the network."""
        return self._offline or (self._is_fresh() and _key_id(token) in self._keys) or self._may_not_ask()

    def check(self, token: str) -> str:
        """The subject of a token that counts. Raises Denied: 401 for what is no such token, 403 where scopes lack."""
        import jwt

        key = self._key(_key_id(token))
        if key is None:
            raise _refused()
        try:
            claims = jwt.decode(
                token, key.material, algorithms=[_algorithm(key, token)], audience=self._audience, issuer=self._issuer,
                leeway=LEEWAY, options={"require": ["exp", "sub"], "verify_exp": False, "verify_nbf": False,
                                        "verify_iat": False},
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            raise _refused() from None
        self._judge_times(claims)
        self._judge_scopes(claims)
        name = printable(str(claims["sub"]))[:200]
        if not name:
            raise _refused()
        return name

    def _judge_times(self, claims: Mapping[str, Any]) -> None:
        """By our own clock, which tests can set."""
        now = self._clock()
        expires, begins = claims.get("exp", 0), claims.get("nbf", claims.get("iat", 0))
        if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (expires, begins)):
            raise _refused()
        if not (begins - LEEWAY <= now < expires + LEEWAY):
            raise _refused()

    def _judge_scopes(self, claims: Mapping[str, Any]) -> None:
        said = claims.get("scope", claims.get("scp", ""))
        listed = said.split() if isinstance(said, str) else said if isinstance(said, list) else ()
        given = {one for one in listed if isinstance(one, str)}
        if not self._scopes <= given:
            wanted = " ".join(sorted(one for one in self._scopes if _SCOPE.fullmatch(one)))
            raise Denied(
                "The token does not allow this.", status=403,
                challenge=f'Bearer error="insufficient_scope", scope="{wanted}"',
            )  # fmt: skip

    def _key(self, identity: str) -> PublicKey | None:
        if not self._offline and not (self._is_fresh() and identity in self._keys):
            with self._lock:
                if not self._may_not_ask():
                    self._renew()
        if not self._offline and not self._is_fresh():
            raise Unanswered("The identity provider's keys cannot be had now.", status=503, retry_after=30)
        return self._keys.get(identity) or (next(iter(self._keys.values())) if _alone(identity, self._keys) else None)

    def _renew(self) -> None:
        self._tried = self._clock()
        try:
            said = json.loads(self._fetch(self._issuer.rstrip("/") + _DISCOVERY))
            if said["issuer"] != self._issuer or not str(said["jwks_uri"]).startswith("https://"):
                return
            self._keys = _key_set(json.loads(self._fetch(said["jwks_uri"])))
            self._fetched = self._clock()
        except (OSError, ValueError, KeyError, TypeError, StrataError):
            return  # those known stay as long as they are fresh

    def _is_fresh(self) -> bool:
        return self._clock() - self._fetched < FRESH

    def _may_not_ask(self) -> bool:
        return self._clock() - self._tried < PAUSE


def open_provider(oidc: Oidc, root: Path | None, *, clock: Callable[[], float] = time.time) -> Provider:
    """The provider of `api.auth.oidc`. Raises MissingExtra, and StrataError for a file that holds no keys."""
    try:
        import jwt.algorithms
    except ImportError:
        raise MissingExtra("oidc", "Tokens of an identity provider") from None
    if not jwt.algorithms.has_crypto:
        raise MissingExtra("oidc", "Tokens of an identity provider")
    keys = None
    if oidc.jwks is not None:
        try:
            with open((root or Path()) / oidc.jwks, "rb", opener=_plain) as stream:
                keys = json.loads(stream.read(_SIZE))
        except (OSError, ValueError, RecursionError):
            raise StrataError(f"api.auth.oidc.jwks: {printable(oidc.jwks)} cannot be read as JSON.") from None
    return Provider(oidc.issuer, oidc.audience, scopes=tuple(oidc.scopes), keys=keys, clock=clock)


def _plain(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def fetch_document(address: str) -> bytes:
    """What is at an https address: no redirect is followed, no more is read than a key set may be long."""
    if not address.startswith("https://"):
        raise OSError("not an https address")
    opener = urllib.request.build_opener(_NoRedirect)
    request = urllib.request.Request(address, headers={"accept": "application/json"})  # noqa: S310 - https, see above
    with opener.open(request, timeout=_TIME) as answer:
        data: bytes = answer.read(_SIZE + 1)
    if len(data) > _SIZE:
        raise OSError("too long for a key set")
    return data


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _key_set(said: Any) -> dict[str, PublicKey]:
    """Identity -> key, of those that sign with an algorithm that counts. Raises StrataError where there is none."""
    import jwt

    rows = said.get("keys") if isinstance(said, Mapping) else None
    made = {}
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, Mapping) or row.get("use", "sig") != "sig" or row.get("kty") == "oct":
            continue
        try:
            material = jwt.PyJWK(dict(row)).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        algorithm = str(row.get("alg") or "")
        if algorithm in ("", *ALGORITHMS):
            made[str(row.get("kid", ""))] = PublicKey(material, str(row.get("kty")), algorithm)
    if not made:
        raise StrataError("api.auth.oidc: there is no public key to check tokens with.")
    return made


def _key_id(token: str) -> str:
    import jwt

    try:
        return str(jwt.get_unverified_header(token).get("kid", ""))
    except (jwt.PyJWTError, ValueError, TypeError):
        return ""


def _algorithm(key: PublicKey, token: str) -> str:
    """The one algorithm that this token may be signed with: the key's own, or, where it names none, one of its kind."""
    import jwt

    said = str(jwt.get_unverified_header(token).get("alg", ""))
    kinds = {"RSA": ("RS", "PS"), "EC": ("ES",), "OKP": ("EdDSA",)}.get(key.kind, ())
    if said not in ALGORITHMS or not said.startswith(kinds) or key.algorithm not in ("", said):
        raise ValueError("not an algorithm of this key")
    return said


def _alone(identity: str, keys: Mapping[str, PublicKey]) -> bool:
    return not identity and len(keys) == 1


def _refused() -> Denied:
    return Denied("The key or token is not known here, or no longer.", challenge='Bearer error="invalid_token"')
