"""No secret that is known, in any usual spelling, is written down by a run."""

from __future__ import annotations

import base64
import html
import json
import pickle
import shlex
import threading
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.errors import UsageError
from strata_git.runs.masking import MASKED, Mask, without_login
from strata_git.runs.tracking_files import FileTracker
from tests.runs.running import log_of, perform, probe
from tests.support.builder import RepositoryBuilder

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="*"), min_size=8, max_size=40)


def spellings(value: str) -> dict[str, str]:
    data = value.encode()
    return {
        "plain": value,
        "json": json.dumps(value)[1:-1],
        "url": urllib.parse.quote(value, safe=""),
        "form": urllib.parse.quote_plus(value),
        "html": html.escape(value),
        "hex": data.hex(),
        "base64": base64.b64encode(data).decode().rstrip("="),
        "urlsafe": base64.urlsafe_b64encode(data).decode().rstrip("="),
        "shell": shlex.quote(value).strip("'"),
        "repr": repr(value)[1:-1],
    }


@settings(max_examples=40)
@given(SECRETS)
def test_every_usual_spelling_is_masked(value: str) -> None:
    mask = Mask([value])
    for name, spelled in spellings(value).items():
        assert spelled not in mask.text(f"before {spelled} after"), name


@settings(max_examples=40)
@given(SECRETS, st.text("ab:", min_size=0, max_size=5), st.text("xyz", min_size=0, max_size=5))
def test_inside_a_base64_text_nothing_tells_the_value(value: str, before: str, after: str) -> None:
    told = base64.b64encode(f"{before}{value}{after}".encode()).decode()
    masked = Mask([value]).text(told)
    kept = max(map(len, masked.split(MASKED)))
    assert kept < len(before + after) * 2 + 8 or len(value.encode()) < 10


@settings(max_examples=40)
@given(st.text(max_size=300))
def test_a_mask_that_knows_nothing_changes_no_plain_text(text: str) -> None:
    if not any(word in text.lower() for word in ("password", "token", "secret", "key", "://", "pwd", "credential")):
        assert Mask().text(text) == text


def test_variables_that_hold_secrets_are_known_by_their_names() -> None:
    kept = {
        "PATH": "/usr/bin:/bin",
        "API_KEY_FILE": "/etc/keys/one",
        "TOKENIZERS_PARALLELISM": "true",
        "MONKEY": "bananas99",
    }
    taken = {
        "API_TOKEN": "tok-1234567",
        "AWS_SECRET_ACCESS_KEY": "abcdEFGH1234", "PGPASSWORD": "pg-pass-11", "MY_KEY": "k" * 9,
        "DATABASE_URL": "postgres://me:p%40ssw0rd@db/x",
    }  # fmt: skip
    mask = Mask.of(kept | taken)
    for value in kept.values():
        assert mask.text(value) == value
    for name, value in taken.items():
        assert MASKED in mask.text(f"say {value} now"), name
    assert mask.text("p@ssw0rd") == MASKED
    assert mask.text("DEBUG=1") == Mask.of({"SECRET_MODE": "1", "USE_TOKEN": "true"}).text("DEBUG=1")


def test_what_looks_like_a_secret_is_masked_without_being_known() -> None:
    token = "ghp_" + "a1B2c3D4e5" * 4
    assert Mask().text(f"using {token}.") == f"using {MASKED}."
    assert Mask().text("postgres://me:hunter2x@db/x") == f"postgres://me:{MASKED}@db/x"


def test_short_values_are_left_and_lines_of_long_ones_taken() -> None:
    mask = Mask(["abc", "first line 1\nsecond line 2"])
    assert mask.text("abc") == "abc"
    assert mask.text("x second line 2 y") == f"x {MASKED} y"
    assert mask.plain({"a": ["first line 1", 3], "abc": None}) == {"a": [MASKED, 3], "abc": None}


def test_copies_know_the_same_and_nothing_shows_the_values() -> None:
    mask = Mask(["a-secret-value"])
    assert pickle.loads(pickle.dumps(mask)).text("a-secret-value") == MASKED
    assert "secret" not in repr(mask)


def test_threads_may_add_while_others_read() -> None:
    mask, wrong = Mask(), []

    def work(number: int) -> None:
        for at in range(8):
            value = f"value-{number}-{at}-x"
            mask.add(value)
            wrong.extend([value] if mask.text(value) != MASKED else [])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert wrong == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://me:secret@host/a/b.git", "https://host/a/b.git"),
        ("https://token@host/a?x=1#y", "https://host/a"),
        ("ssh://git@host:22/a", "ssh://host:22/a"),
        ("git@host:a/b.git", "git@host:a/b.git"),
    ],
)
def test_a_remote_is_told_without_its_login(url: str, expected: str) -> None:
    assert without_login(url) == expected


# --- a run

CANARY = "zq-Canary/9 \"8'&x"
OTHER = "resolved-by-plugin-77"
LEAKS = f"""
import os, sys, logging, base64, json, urllib.parse, subprocess
value = {CANARY!r}
print("out", value); print("part one zq-Can", end=""); print(value[6:])
sys.stderr.write(value[:5]); sys.stderr.write(value[5:] + "\\n")
os.write(1, value[:7].encode()); os.write(1, value[7:].encode() + b"\\n")
subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", value], check=True)
logging.getLogger("x").error("logged %s", value); context.logger.warning(value); context.log(json.dumps(value))
print(urllib.parse.quote(value), file=sys.stderr)
print(base64.b64encode(("user:" + value).encode()).decode())
print("y" * 7990 + value)
context.mask.add({OTHER!r}); print({OTHER!r}); context.tracking.log_param("p", {OTHER!r})
context.tracking.set_tag("t", "x" + value)
raise RuntimeError("cannot log in with " + value + " or {OTHER}")
"""


def test_canaries_planted_everywhere_are_nowhere_in_the_record(probed: RepositoryBuilder, tmp_path: Path) -> None:
    probed.write({"leaks.txt": LEAKS})
    code = "exec((context.workspace / 'leaks.txt').read_text())"
    done = perform(probed, probe(code), tracker=lambda _: FileTracker(tmp_path / "told"), SERVICE_TOKEN=CANARY)
    assert done.status == "failed"
    forms = [
        *spellings(CANARY).values(),
        *spellings(OTHER).values(),
        base64.b64encode(b"user:" + CANARY.encode()).decode(),
    ]
    written = [path for path in (probed.path / done.path).rglob("*") if path.is_file()] + [tmp_path / "told"]
    found = [(path.name, form) for path in written for form in forms if form.encode() in path.read_bytes()]
    assert found == []
    assert done.error == f"RuntimeError: cannot log in with {MASKED} or {MASKED}"
    log = log_of(probed, done)
    assert f"out out {MASKED}" in log
    assert f"out {MASKED}" in log
    assert f"out part one {MASKED}" in log
    assert CANARY[:5] not in log


def test_a_known_secret_in_the_experiment_is_refused(probed: RepositoryBuilder) -> None:
    with pytest.raises(UsageError, match=r"params\.code holds a secret"):
        perform(probed, probe(f"x = '{CANARY[:9]}value-0001'"), A_SECRET=f"{CANARY[:9]}value-0001")
    assert not (probed.path / ".strata/local").exists()


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from([
            "password=aB3dE5gH7jK9", "api_key: zX9cV8bN7mQ1", "ghp_" + "a1B2" * 10, "hf_" + "aB3d" * 10, "loss=0.25",
            "https://me:hunter22x@h/", "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeKKF2QT4fw", "AKIA" + "A1B2" * 4, "epoch",
        ]),
        max_size=4,
    )
)  # fmt: skip
def test_what_is_passed_over_quickly_holds_nothing(words: list[str]) -> None:
    from strata_git.checks.secret_shapes import may_hold, places

    data = " ".join(words).encode()
    assert may_hold(data) or not list(places(data))
