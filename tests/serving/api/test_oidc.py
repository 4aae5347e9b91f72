"""Tokens of an identity provider: real keys, a provider of our own on this machine, and forged tokens of every kind."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from strata_git.errors import StrataError
from strata_git.serving.api.auth import Authenticator
from strata_git.serving.api.oidc import FRESH, PAUSE, Provider, fetch_document
from strata_git.serving.errors import Denied, Unanswered
from tests.serving.api.application import RECORD, application, ask, service

ISSUER, AUDIENCE, NOW = "https://login.example.org/realm", "churn", 1_795_000_000.0
OTHER_SECRET = "s" * 64


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def other() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public(key: Any, kid: str, **more: str) -> dict[str, Any]:
    """A public key as the provider publishes it."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


def token(key: Any, kid: str | None = "a", algorithm: str = "RS256", **claims: Any) -> str:
    """A token that counts, but for what is said otherwise; a claim of None is left out."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": NOW + 300, "iat": NOW, "scope": "openid predict"}
    said = {name: value for name, value in {**said, **claims}.items() if value is not None}
    return jwt.encode(said, key, algorithm=algorithm, headers={"kid": kid} if kid is not None else None)


def provider(*keys: Any, clock: Any = None, scopes: tuple[str, ...] = ("predict",), **more: Any) -> Provider:
    return Provider(
        ISSUER, AUDIENCE, scopes=scopes, keys={"keys": list(keys)} if keys else None, clock=clock or Clock(), **more
    )


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_tokens_that_count(key: rsa.RSAPrivateKey) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    known = provider(
        public(key, "a"), public(curve, "b", alg="ES256"), {"kty": "oct", "k": "c2VjcmV0", "kid": "c"}, {"kty": 1}
    )
    assert known.check(token(key)) == "ada"
    assert known.check(token(key, algorithm="PS384", scope=None, scp=["predict"])) == "ada"
    assert known.check(token(curve, "b", "ES256", aud=["x", AUDIENCE], exp=NOW - 30, nbf=NOW + 30)) == "ada"
    assert provider(public(key, "a")).check(token(key, kid=None)) == "ada"
    for scope in ("openid", 5, True, {"predict": 1}, [["predict"]]):
        with pytest.raises(Denied) as told:
            known.check(token(key, scope=scope))
        assert (told.value.status, 'scope="predict"' in told.value.challenge) == (403, True)


def test_tokens_that_do_not(key: rsa.RSAPrivateKey, other: rsa.RSAPrivateKey) -> None:
    known = provider(public(key, "a"), public(other, "b", alg="RS512"))
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    good = token(key).split(".")
    none = segment({"alg": "none", "kid": "a"})
    shared = f"{segment({'alg': 'HS256', 'kid': 'a'})}.{good[1]}"
    import hashlib
    import hmac

    forged = base64.urlsafe_b64encode(hmac.digest(pem, shared.encode(), hashlib.sha256)).rstrip(b"=").decode()
    bad = [
        token(other), token(key, "b"), token(key, "c"), token(other, "b", "RS256"), token(OTHER_SECRET, "a", "HS256"),
        token(key, iss="https://evil.example"), token(key, aud="other"), token(key, aud=None), token(key, iss=None),
        token(key, exp=NOW - 61), token(key, exp=None), token(key, nbf=NOW + 61), token(key, iat=NOW + 61),
        token(key, exp="soon"), token(key, sub=None), f"{none}.{good[1]}.", f"{none}.{good[1]}.{good[2]}",
        f"{shared}.{forged}", f"{good[0]}.{segment({'sub': 'eve'})}.{good[2]}", "a.b.c", "..", f"{good[0]}.{good[1]}.",
        f"{segment({'alg': 'RS256', 'kid': 'a', 'jwk': public(other, 'a')})}.{'.'.join(token(other).split('.')[1:])}",
        f"{segment([])}.{good[1]}.{good[2]}", token(key, sub=""),
    ]  # fmt: skip
    for one in bad:
        with pytest.raises(Denied) as told:
            known.check(one)
        assert (told.value.status, told.value.challenge) == (401, 'Bearer error="invalid_token"'), one


def test_keys_are_fetched_when_they_are_needed_and_not_at_every_bad_token(
    key: rsa.RSAPrivateKey, other: rsa.RSAPrivateKey
) -> None:
    asked: list[str] = []
    published = [public(key, "a")]
    away = False

    def fetch(address: str) -> bytes:
        asked.append(address)
        if away:
            raise OSError("no route")
        if address.endswith("openid-configuration"):
            return json.dumps({"issuer": ISSUER, "jwks_uri": "https://keys.example.org/k"}).encode()
        return json.dumps({"keys": published}).encode()

    clock = Clock()
    known = provider(clock=clock, fetch=fetch)
    assert not known.has_key_for(token(key))
    assert (known.check(token(key)), known.check(token(key)), len(asked)) == ("ada", "ada", 2)
    assert known.has_key_for(token(key))
    for _ in range(20):
        with pytest.raises(Denied):
            known.check(token(other, "b"))
    assert len(asked) == 2
    published.append(public(other, "b"))
    clock.now += PAUSE + 1
    assert (known.check(token(other, "b")), len(asked)) == ("ada", 4)
    away = True
    clock.now += FRESH + 1
    with pytest.raises(Unanswered, match="cannot be had now"):
        known.check(token(key, exp=NOW + 9e6))
    away, published[:] = False, [public(other, "b")]
    clock.now += PAUSE + 1
    with pytest.raises(Denied):
        known.check(token(key, exp=NOW + 9e6))


@pytest.mark.parametrize("said", [
    {"issuer": "https://evil.example", "jwks_uri": "https://keys.example.org/k"},
    {"issuer": ISSUER, "jwks_uri": "http://keys.example.org/k"}, {"issuer": ISSUER}, [], "x",
])  # fmt: skip
def test_a_configuration_of_somebody_else_gives_no_keys(said: Any, key: rsa.RSAPrivateKey) -> None:
    def fetch(address: str) -> bytes:
        return json.dumps(said if address.endswith("openid-configuration") else {"keys": [public(key, "a")]}).encode()

    with pytest.raises(Unanswered):
        provider(fetch=fetch).check(token(key))


def test_a_file_of_keys_needs_no_network(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    said = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": "keys.json", "scopes": ["predict"]}
    settings = service(api={"auth": {"oidc": said}})
    for content in ("{", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "eA"}]}'):
        (tmp_path / "keys.json").write_text(content)
        with pytest.raises(StrataError, match=r"api\.auth\.oidc"):
            Authenticator(settings.api.auth, tmp_path)
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [public(key, "a")]}))
    authenticator = Authenticator(settings.api.auth, tmp_path, clock=Clock())
    app = application(said={"api": {"auth": {"oidc": said}}}, authenticator=authenticator)
    assert ask(app, "/predict", {"records": [RECORD]}, authorization=f"Bearer {token(key)}").status == 200
    assert ask(app, "/predict", {"records": [RECORD]}, x_api_key=token(key)).status == 200
    assert ask(app, "/predict", {"records": [RECORD]}, authorization="Bearer abc").status == 401
    got = ask(app, "/predict", {"records": [RECORD]}, authorization=f"Bearer {token(key, scope='none')}")
    assert (got.status, "insufficient_scope" in got.headers["www-authenticate"]) == (403, True)


@pytest.fixture
def published(tmp_path: Path, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A provider on this machine, over TLS with a certificate that counts here; its address."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "tls.pem").write_bytes(pem + private)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "tls.pem"))

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            home = f"https://127.0.0.1:{server.server_port}"
            pages: dict[str, object] = {
                "/.well-known/openid-configuration": {"issuer": home, "jwks_uri": f"{home}/keys"},
                "/keys": {"keys": [public(key, "a")]}, "/long": "x" * (2 << 20),
            }  # fmt: skip
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("location", f"{home}/keys")
            self.end_headers()
            with suppress(OSError):  # who asked has had enough
                self.wfile.write(json.dumps(pages.get(self.path)).encode())

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_provider_is_discovered_over_tls(published: str, key: rsa.RSAPrivateKey) -> None:
    said = {"issuer": published, "audience": AUDIENCE}
    authenticator = Authenticator(service(api={"auth": {"oidc": said}}).api.auth, clock=Clock())
    good = token(key, iss=published)
    assert asyncio.run(authenticator.admit({"authorization": f"Bearer {good}"})) == "ada"
    assert asyncio.run(authenticator.admit({"authorization": f"Bearer {good}"})) == "ada"
    with pytest.raises(Denied):
        asyncio.run(authenticator.admit({"authorization": f"Bearer {token(key)}"}))
    for address in (
        f"{published}/moved",
        f"{published}/long",
        published.replace("https", "http"),
        "file:///etc/passwd",
    ):
        with pytest.raises(OSError, match=r"302|long|https"):
            fetch_document(address)
