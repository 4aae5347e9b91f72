"""What secrets look like in text: known tokens by their form, anything else by its name and its randomness.

Bytes in, suspicions out. Every pattern is bounded on both sides, so that no base64 image contains a token by chance and
hostile text costs no more than long text.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

MARKER = b"strata: allow-secret"
"""In the line of a match, or in the one above it: this is no secret."""
MOST = 20
"""Suspicions told of one text; who has more mends these first."""

_LEFT, _RIGHT = rb"(?<![A-Za-z0-9+/_-])", rb"(?![A-Za-z0-9+/_=-])"
# patterns stand here as bytes and are compiled by whoever meets their anchor first: a commit rarely meets any
_TOKENS: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = tuple(
    (kind, anchors, _LEFT + b"(" + shape + b")" + _RIGHT)
    for kind, anchors, shape in (
        ("a GitHub token", (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"), rb"gh[pousr]_[A-Za-z0-9]{36,255}"),
        ("a GitHub token", (b"github_pat_",), rb"github_pat_[A-Za-z0-9_]{40,255}"),
        ("a GitLab token", (b"glpat-",), rb"glpat-[A-Za-z0-9_-]{20,255}"),
        ("a Slack token", (b"xox", b"xapp-"), rb"(?:xox[abeoprs]|xapp)-[0-9]{1,4}[A-Za-z0-9-]{10,255}"),
        ("a Google API key", (b"AIza",), rb"AIza[A-Za-z0-9_-]{35}"),
        ("a Google OAuth secret", (b"GOCSPX-",), rb"GOCSPX-[A-Za-z0-9_-]{28}"),
        ("a Hugging Face token", (b"hf_",), rb"hf_[A-Za-z0-9]{34,64}"),
        ("a model provider's key", (b"sk-",), rb"sk-(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{32,255}"),
        ("a Stripe key", (b"k_live_",), rb"[rs]k_live_[A-Za-z0-9]{20,255}"),
        ("an npm token", (b"npm_",), rb"npm_[A-Za-z0-9]{36}"),
        ("a package index token", (b"pypi-AgE",), rb"pypi-AgE[A-Za-z0-9_-]{50,1000}"),
        ("a JSON web token", (b"eyJ",), rb"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,2000}"),
    )
)
_AZURE = rb"(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{42,90}={1,2})"
_SLACK_HOOK = rb"hooks\.slack\.com/services/(T[A-Za-z0-9]{6,16}/B[A-Za-z0-9]{6,16}/[A-Za-z0-9]{16,40})"
_AWS_ID = rb"(?<![A-Za-z0-9+/])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9+/=])"
_AWS_SECRET = rb"(?<![A-Za-z0-9+/])([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/=])"
_NEAR = 600
"""Bytes before and after an AWS key id in which its secret is looked for: an id alone opens nothing."""
_KEY_BLOCK = rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY_BODY = rb"[A-Za-z0-9+/=]{32}"
_KEY_LONGEST = 16 << 10
_KEYS_LOOKED_AT = 100
_URL = re.compile(rb"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,20}://[^\s/:@\"'<>]{0,64}:([^\s/@\"'<>:]{6,128})@[A-Za-z0-9\[]")
_NAMES = (
    rb"password|passwd|pwd|passphrase|secret|token|credentials?|api[_-]?key"
    rb"|(?:access|account|private|secret|auth)[_-]?key"
)
_IN_NAMES = (b"pass", b"pwd", b"secret", b"token", b"credential", b"key")
"""One of these stands in whatever `_NAMES` matches: most texts have none, and need no regular expression."""
_ASSIGNED = re.compile(
    rb"(?:" + _NAMES + rb")[\"']?[ \t]{0,8}(?::[ \t]{0,2}(?:str|bytes)[ \t]{0,2}=|=>|:=|[:=])[ \t]{0,8}[bru]?[\"']?"
    rb"([^\s\"'`,;<>{}\\]{8,256})"
)
_NO_SECRET = re.compile(
    rb"(?i)^(?:[$%&*]|https?:|sha(?:1|256|512):|env:|vault:|secret:|file:|[a-z_]\w*(?:\.[a-z_]\w*)+$)"
    rb"|[()\[\]]|example|changeme|placeholder|redacted|dummy|your[_-]|\*\*\*|xxxx|\.\.\."
)
_CONSTANT = re.compile(rb"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[~.]{0,2}/[A-Za-z0-9_./-]+")
_LEAST_BITS = 3.0


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Something like a secret. `value` itself is never shown, written or kept; `sha256` and `shown` may be."""

    line: int
    kind: str
    value: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """64 hex digits over the bytes of the match."""
        return hashlib.sha256(self.value).hexdigest()

    @property
    def shown(self) -> str:
        """At most the first four characters, and how many there are."""
        first = self.value[: 4 if len(self.value) >= 16 else 1].decode("ascii", "replace")
        return f"{first}…, {len(self.value)} characters"


def scan(data: bytes) -> list[Suspicion]:
    """What in a text looks like a secret, by line; nothing that the marker excuses, at most `MOST`."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    found: list[Suspicion] = []
    taken: list[tuple[int, int]] = []
    for start, end, kind in places(data):
        if len(found) >= MOST:
            break
        if any(start < other_end and other < end for other, other_end in taken):
            continue
        taken.append((start, end))
        if not _is_excused(data, start):
            found.append(Suspicion(data.count(b"\n", 0, start) + 1, kind, data[start:end]))
    return sorted(found, key=lambda one: (one.line, one.kind))


def may_hold(data: bytes) -> bool:
    """Whether `places` can find anything at all in a text: quick, for texts that are looked at line by line."""
    low = data.lower()
    for word in _anywhere():  # noqa: SIM110 - quicker than any(), and than any regular expression
        if word in low:
            return True
    return False


def places(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of all that looks like a secret, excused or not; places may overlap."""
    # in JSON, notebooks above all, text stands behind escapes; of the same length, so that places stay
    text = data
    for escape in (rb"\n", rb"\r", rb"\t", rb"\""):
        text = text.replace(escape, b"  ")
    return _spans(text)


def entropy(value: bytes) -> float:
    """Shannon's, in bits for each byte."""
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts) if value else 0.0


def _spans(text: bytes) -> Iterator[tuple[int, int, str]]:
    """Start, end and kind of each match, the surest kinds first."""
    if b"PRIVATE KEY" in text:
        yield from _key_blocks(text)
    for kind, anchors, pattern in _TOKENS:
        if any(anchor in text for anchor in anchors):
            yield from _named(kind, re.finditer(pattern, text))
    if b"AKIA" in text or b"ASIA" in text:
        yield from _aws(text)
    if b"AccessKey=" in text or b"AccountKey=" in text:
        yield from _named("an Azure connection string", re.finditer(_AZURE, text))
    if b"hooks.slack.com" in text:
        yield from _named("a Slack webhook", re.finditer(_SLACK_HOOK, text))
    if b"://" in text:
        urls = (match for match in _URL.finditer(text) if not _NO_SECRET.search(match[1]))
        yield from _named("a password in a URL", urls)
    low = text.lower()
    if any(word in low for word in _IN_NAMES):
        yield from _named("a password or key", (m for m in _ASSIGNED.finditer(low) if _is_random(text, m)))


@cache
def _anywhere() -> tuple[bytes, ...]:
    """One of these words stands, in any case, in every text in which a pattern matches."""
    fixed = (b"PRIVATE KEY", b"AKIA", b"ASIA", b"AccessKey=", b"AccountKey=", b"hooks.slack.com", b"://", *_IN_NAMES)
    words = {word.lower() for word in (*fixed, *(anchor for _, anchors, _ in _TOKENS for anchor in anchors))}
    return tuple(sorted(words, key=len))


def _named(kind: str, matches: Iterable[re.Match[bytes]]) -> Iterator[tuple[int, int, str]]:
    return ((*match.span(1), kind) for match in matches)


def _key_blocks(text: bytes) -> Iterator[tuple[int, int, str]]:
    """Blocks with a body: the bare words stand in many documents."""
    for number, match in enumerate(re.finditer(_KEY_BLOCK, text)):
        if number >= _KEYS_LOOKED_AT:
            return
        end = text.find(b"-----END", match.end(), match.end() + _KEY_LONGEST)
        end = min(match.end() + _KEY_LONGEST, len(text)) if end < 0 else end
        if re.compile(_KEY_BODY).search(text, match.end(), min(end, match.end() + 400)):
            yield match.start(), end, "a private key"


def _aws(text: bytes) -> Iterator[tuple[int, int, str]]:
    for number, match in enumerate(re.finditer(_AWS_ID, text)):
        if number >= _KEYS_LOOKED_AT:
            return
        near = max(0, match.start() - _NEAR), match.end() + _NEAR
        for secret in re.compile(_AWS_SECRET).finditer(text, *near):
            if entropy(secret[1]) > 4 and not re.fullmatch(rb"[0-9a-f]+", secret[1]):
                yield (*secret.span(1), "an AWS secret key")


def _is_random(text: bytes, match: re.Match[bytes]) -> bool:
    """Whether what was assigned is no word, no name, no place and no placeholder."""
    value = text[match.start(1) : match.end(1)]
    if not (re.search(rb"[0-9]", value) and re.search(rb"[A-Za-z]", value)):
        return False
    if _NO_SECRET.search(value) or _CONSTANT.fullmatch(value):
        return False
    return entropy(value) >= _LEAST_BITS


def _is_excused(data: bytes, at: int) -> bool:
    line = data.rfind(b"\n", 0, at) + 1
    above = data.rfind(b"\n", 0, max(line - 1, 0)) + 1
    end = data.find(b"\n", at)
    return MARKER in data[above : end if end >= 0 else len(data)]
