"""Secrets are found in every kind of file, shown to nobody, and nothing that merely looks random is called one.

The secrets are put together here from parts, lest other scanners take this file for a leak.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import string
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.checks import secrets
from strata_git.checks.finding import Finding
from strata_git.checks.secret_shapes import MOST, entropy, scan
from strata_git.checks.workspace import judge as judge_workspace
from strata_git.load import dump_yaml
from strata_git.repo.tree import MemoryTree
from tests.checks.judging import judge, pointer, rules
from tests.support import artifacts

DICE = random.Random(20260105)


def any_of(alphabet: str, length: int) -> str:
    return "".join(DICE.choice(alphabet) for _ in range(length))


WORD = string.ascii_letters + string.digits
AWS_ID, AWS_SECRET = "AKIA" + any_of(string.ascii_uppercase + "234567", 16), any_of(WORD + "/+", 39) + "7"
KEY = (
    "-----BEGIN {}PRIVATE KEY{}-----\n"
    + "\n".join(any_of(WORD, 64) for _ in range(5))
    + "\n-----END {}PRIVATE KEY{}-----\n"
)
PLAIN = {
    "a GitHub token": "ghp_" + any_of(WORD, 36),
    "a GitHub token (fine)": "github_pat_" + any_of(WORD, 22) + "_" + any_of(WORD, 59),
    "a GitLab token": "glpat-" + any_of(WORD, 20),
    "a Slack token": "xoxb-" + "12" + any_of(string.digits, 10) + "-" + any_of(WORD, 24),
    "a Google API key": "AIza" + any_of(WORD + "_-", 34) + "z",
    "a Google OAuth secret": "GOCSPX-" + any_of(WORD, 28),
    "a Hugging Face token": "hf_" + any_of(WORD, 34),
    "a model provider's key": "sk-proj-1" + any_of(WORD, 47),
    "a Stripe key": "sk_live_" + any_of(WORD, 24),
    "an npm token": "npm_" + any_of(WORD, 36),
    "a package index token": "pypi-AgE" + any_of(WORD, 80),
    "a JSON web token": "eyJ" + any_of(WORD, 20) + ".eyJ" + any_of(WORD, 40) + "." + any_of(WORD, 43),
    "a private key": KEY.format(*[""] * 4),
    "a private key (RSA)": KEY.format("RSA ", "", "RSA ", ""),
    "a private key (OpenSSH)": KEY.format("OPENSSH ", "", "OPENSSH ", ""),
    "a private key (PGP)": KEY.format("PGP ", " BLOCK", "PGP ", " BLOCK"),
    "an AWS secret key": f"{AWS_ID}\n{AWS_SECRET}\n",
    "an Azure connection string": "AccountName=x;AccountKey=" + any_of(WORD, 86) + "==;EndpointSuffix=core",
    "a Slack webhook": "https://hooks.slack.com/services/T"
    + any_of(WORD, 8)
    + "/B"
    + any_of(WORD, 8)
    + "/"
    + any_of(WORD, 24),
    "a password in a URL": "postgresql://app:" + any_of(WORD, 14) + "@db.internal:5432/x",
    "a password or key": "password: " + any_of(WORD, 10) + "7aQ-x",
}
ASSIGNED = [
    "password = '{}'", "PASSWORD={}", "db_password: {}", '"api_key": "{}"', "api-key: {}", "token: {}",
    "client_secret={}",
    'AUTH_TOKEN="{}"', "    secret_key: str = '{}'", "access_key => {}", r'{{\"password\": \"{}\"}}', "passphrase: {}",
]  # fmt: skip


def bare(kind: str) -> str:
    return kind.partition(" (")[0]


@pytest.mark.parametrize("kind", PLAIN)
def test_every_kind_is_found_once(kind: str) -> None:
    (one,) = scan(f"first line\nx = {PLAIN[kind]}\n".encode())
    assert one.kind == bare(kind)
    assert one.line in (2, 3)  # of an AWS pair the secret


@pytest.mark.parametrize("line", ASSIGNED)
def test_a_random_value_behind_a_telling_name(line: str) -> None:
    value = "q7" + any_of(WORD, 18)
    (one,) = scan(line.format(value).encode())
    assert one.value == value.encode()


@pytest.mark.parametrize("kind", PLAIN)
def test_nothing_of_a_secret_is_shown(kind: str) -> None:
    for one in scan(PLAIN[kind].encode()):
        kept = json.dumps(secrets.look_through("x", PLAIN[kind].encode())) + repr(one)
        value = one.value.decode()
        assert not any(value[at : at + 6] in kept for at in range(len(value) - 5))
        assert re.fullmatch(r".{1,4}…, \d+ characters", one.shown, re.DOTALL)


# --- in every kind of file

SECRET = PLAIN["a GitHub token"]
RUN_FILES = {
    "logs.txt": f"starting\nlogin with {SECRET}\n".encode(),
    "config.yaml": dump_yaml(artifacts.CONFIG | {"params": {"remote": SECRET}}),
    "system.json": json.dumps(artifacts.SYSTEM | {"env": {"GH": SECRET}}, indent=1).encode(),
    "artifacts/notebook.ipynb": json.dumps({"cells": [{"source": [f"login('{SECRET}')\n", "x"]}]}).encode(),
    "artifacts/.env": f"GH={SECRET}\n".encode(),
    "artifacts/settings.toml": f'gh = "{SECRET}"\n'.encode(),
    "artifacts/id_rsa": PLAIN["a private key (RSA)"].encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", RUN_FILES)
def test_in_the_files_of_a_run(name: str) -> None:
    judgement = judge(artifacts.run(replace={name: RUN_FILES[name]}))
    (found,) = secrets.judge(f"runs/{artifacts.RUN}", judgement.summary, set())
    assert (found.rule, found.severity, found.path) == ("STR-G001", "error", f"runs/{artifacts.RUN}/{name}")
    assert found.line >= 1
    assert SECRET not in json.dumps(judgement.summary) + str(found)


def told(files: artifacts.Files, allow: tuple[str, ...] = ()) -> list[Finding]:
    """What the rule says of the one artifact that `files` make."""
    judgement = judge(files)
    return list(secrets.judge(str(judgement.summary["path"]), judgement.summary, secrets.Allowance.of(allow).digests))


def test_in_prompts_cards_and_metadata() -> None:
    prompt = artifacts.prompt(template=f"Use {SECRET} on {{{{ text }}}}")
    assert rules(told(prompt)) == ["STR-G001"]
    card = artifacts.card("forest", {}) + f"\nDownload with {SECRET}\n".encode()
    assert rules(told(artifacts.model("forest", replace={"card.md": card}))) == ["STR-G001"]
    described = artifacts.dataset("iris", metadata={"description": f"Fetched with {SECRET}"})
    (found,) = told(described)
    assert found.path == "datasets/iris/v1/metadata.yaml"


@pytest.mark.parametrize("name", ["notes/fetch.ipynb", "raw/.env", "raw/server.key", "fetch.log"])
def test_in_a_dataset_only_what_often_holds_secrets(name: str) -> None:
    assert rules(told(artifacts.dataset("iris", extra={name: SECRET.encode()}))) == ["STR-G001"]
    assert told(artifacts.dataset("iris", extra={"comments.json": SECRET.encode()})) == []


def test_what_git_lfs_stores_is_not_read() -> None:
    stored = pointer("a" * 64, 99)
    assert told(artifacts.run(replace={"artifacts/server.pem": stored})) == []


def test_a_text_too_large_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "SCAN_LIMIT", 2 << 20)
    found = told(artifacts.run(replace={"logs.txt": b"x\n" * (1 << 20) + SECRET.encode()}))
    assert [(one.rule, one.severity) for one in found] == [("STR-G002", "info")]


# --- what is let pass


@pytest.mark.parametrize("line", ["x: {}  # strata: allow-secret", "# strata: allow-secret\nx: {}"])
def test_the_marker_excuses_its_line_and_the_next(line: str) -> None:
    assert scan(line.format(SECRET).encode()) == []
    assert len(scan((line.format("nothing") + f"\n\nother: {SECRET}").encode())) == 1


def test_by_digest() -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    files = artifacts.run(replace={"logs.txt": SECRET.encode()})
    assert told(files, (f"sha256:{digest}",)) == []
    assert rules(told(files, (f"sha256:{'0' * 64}",))) == ["STR-G001"]


def test_by_pattern_of_the_whole_match() -> None:
    value = SECRET.encode()
    assert secrets.allowed_in(value, secrets.Allowance.of(["ghp_.*"])) == {hashlib.sha256(value).hexdigest()}
    assert secrets.allowed_in(value, secrets.Allowance.of(["ghp_", SECRET[1:]])) == set()


@pytest.mark.parametrize("word", [
    "(a+)+", "(a|a)*b", "a*b*c*d*", r"(a)\1", "(?=x)a", "(?i)x", "[", "a{2}{3}{4}{5}", "", ".*", "x" * 201,
    "sha256:abc", "(" * 190,
])  # fmt: skip
def test_patterns_that_could_take_for_ever_are_refused(word: str) -> None:
    assert secrets.complaint(word) is not None
    assert secrets.Allowance.of([word]) == secrets.Allowance()


@pytest.mark.parametrize("word", ["AKIA[A-Z0-9]{16}EXAMPLE", "ghp_test.*", "(dev|test)-key.+", "sha256:" + "a" * 64])
def test_good_patterns_are_taken(word: str) -> None:
    assert secrets.complaint(word) is None


def test_an_entry_that_is_refused_is_told() -> None:
    tree = MemoryTree({"strata.yaml": b"secrets:\n  allow:\n    - ghp_x\n    - (a+)+\n"})
    (found,) = [one for one in judge_workspace(tree) if one.rule == "STR-L016"]
    assert "'secrets.allow', entry 2" in found.message


# --- what is no secret

DIGEST = hashlib.sha256(b"x").hexdigest()
BENIGN = {
    "checksums": f"{DIGEST}  train.csv\n{DIGEST}  a/password.txt\n",
    "content hash": f"content_hash: sha256:{DIGEST}\ndigest: sha256:{DIGEST}\ntoken_digest: {DIGEST}\n",
    "commit ids": f"commit: {DIGEST[:40]}\ntree: {DIGEST[24:]}\n",
    "uuid": f"repository: {uuid.UUID(int=7)}\nid: {uuid.UUID(int=2**100 + 5)}\n",
    "counts": 'tokens: null\nmax_tokens: 2000000000\ntoken: 123456789012\n{"tokens": {"input": 5120}}\n',
    "placeholders": "password: ${DB_PASSWORD_1}\napi_key: $API_KEY_2\ntoken: <your-token-1>\n"
    "secret: your-secret-key-1\npassword: changeme12345\napi_key: xxxxxxxxxxxx1\n"
    "token: {{ token1 }}\npassword: example-Passw0rd\n",
    "code": "token = tokenizer.next_token2()\npassword = getpass('x1')\nsecret = settings.secret_v2_value\n"
    "api_key = os.environ['API_KEY_1']\napi_key: AWS_SECRET_ACCESS_KEY_1\npassword_file=/run/secrets/db_password1\n",
    "words": "password: correct horse\nsecret: garden\ntoken: end-of-text\nThe secret: nobody knows 12345678.\n",
    "references": "env: API_KEY\nsecret: env:API_KEY_12\napi_key: vault:kv/app1#key\n",
    "an id alone": f"aws_access_key_id: {AWS_ID}\n",
    "public keys": "-----BEGIN PUBLIC KEY-----\n" + any_of(WORD, 64) + "\n-----END PUBLIC KEY-----\n"
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + any_of(WORD, 64) + "\n-----BEGIN PGP SIGNATURE-----\n",
    "bare words": "A file with -----BEGIN PRIVATE KEY----- in it is a private key.\n",
    "urls": "https://example.org/a:b@c\nssh://git@host/x\npostgres://app:${PASSWORD}@db/x\nhttps://u:placeholder@h/x\n",
    "names of versions": "framework: {name: scikit-learn, version: 1.5.2}\nref: datasets/iris@v1\n"
    "sk-learn-contrib-2024\n",
}


@pytest.mark.parametrize("kind", BENIGN)
def test_benign_text_gives_no_finding(kind: str) -> None:
    assert [(one.kind, one.value) for one in scan(BENIGN[kind].encode())] == []


def test_images_in_a_notebook_give_no_finding() -> None:
    for _ in range(20):
        image = base64.b64encode(DICE.randbytes(60_000)).decode()
        cell = {"outputs": [{"data": {"image/png": image + "\n", "text/plain": ["<Figure size 640x480>"]}}]}
        assert scan(json.dumps({"cells": [cell]}, indent=1).encode()) == []


def test_whole_valid_artifacts_give_no_finding() -> None:
    for files in (artifacts.dataset("iris"), artifacts.run(), artifacts.model("forest"), artifacts.prompt()):
        assert told(files) == []


@given(data=st.binary(max_size=300))
def test_hex_and_base64_are_never_secrets(data: bytes) -> None:
    for text in (
        data.hex(),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode().replace("_", "-"),
    ):
        assert [one for one in scan(f"value: {text}\n{text}\n".encode()) if "AKIA" not in text] == []


def test_entropy_counts_bits() -> None:
    assert entropy(b"") == entropy(b"aaaa") == 0
    assert entropy(b"ab") == 1
    assert entropy(bytes(range(256))) == 8


# --- hostile text


@pytest.mark.parametrize("piece", [
    b"a", b"password=", b"password: aB3", b"-----BEGIN PRIVATE KEY-----", b"eyJaaaaaaaaaa.", b"eyJ",
    b"AKIA2222222222222222 ",
    b"a://", b"a://b:c", b"token token ", b"sk-", b"ghp_", b"\\n", b"\n", b"A" * 39 + b" ", b"AccountKey=",
    b"eyJaaaaaaaaaa.eyJaaaaaaaaaa.", b"sk-a-a-a-a-", b"xoxb-1", b"secret" + b"\t" * 7,
])  # fmt: skip
def test_hostile_text_costs_no_more_than_long_text(piece: bytes) -> None:
    start = time.process_time()
    assert len(scan((piece * (1 + (1 << 20) // len(piece)))[: 1 << 20])) <= MOST
    assert time.process_time() - start < 4


@given(data=st.binary(max_size=400) | st.text(alphabet='password:= "\\n7aB-/@.', max_size=200).map(str.encode))
def test_no_bytes_break_it(data: bytes) -> None:
    for one in scan(data):
        assert one.value
        assert 1 <= one.line <= data.count(b"\n") + 1


def test_utf16_is_read_too() -> None:
    assert [one.kind for one in scan(f"x = {SECRET}\n".encode("utf-16"))] == ["a GitHub token"]


def test_no_pattern_takes_for_ever_by_its_alternatives() -> None:
    """(a|aa)(a|aa)... tries every way to cut a text into ones and twos."""
    assert secrets.complaint("(a|aa)" * 4) is not None
    assert secrets.complaint("((a|aa)(a|aa))(a|aa)(a|aa)") is not None
    assert secrets.complaint("(fake|dummy)-[a-z]+") is None
    assert secrets.complaint("fake|dummy|example|placeholder") is None
