"""Secrets out of what a run writes down: values that are known, in all their spellings, and what looks like a secret.

A value is known because a variable with a secret's name held it, or because whoever resolved it says so (`Mask.add`).
What only looks like a secret is found by the same shapes as the rule on committed secrets (TFC-0001 section 7).
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

from strata_git.runs.named_secrets import without_named

MASKED = "***"
SHORTEST = 4
"""Characters of the shortest value that is masked: shorter ones are everywhere by chance."""
_SHORTEST_VARIABLE = 8
_SHORTEST_FORM = 8
_WINDOW = 1024
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASS(?:WORD|WD|PHRASE|CODE)?|PWD|SECRETS?|TOKENS?|CREDENTIALS?|API_?KEYS?|KEYS?|AUTH|SAS|"
    r"CONNECTION_?STRING|DSN|COOKIE|SIGNATURE)(?:_|$)|(?:PASSWORD|SECRET|TOKEN|APIKEY)",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(r"(?:^|_)(?:FILE|PATH|DIR|SOCK|SOCKET|PID|KEYRING|KEYID|KEY_ID|TTY)$|^(?:OLD)?PWD$", re.I)
_LOGIN = re.compile(r"://[^\s/:@]{0,256}:([^\s/@]{3,512})@")
_TRIVIAL = re.compile(r"(?i)(?:true|false|yes|none|null|changeme|password|example|[0-9]{1,9}|[./~][^\s]*/[^\s]*)")


class Mask:
    """What must not be written down. Any thread may add to it and use it.

    Copies made for other processes (pickle) know what this one knew, and go their own way afterwards.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, None] = {}
        self._forms: set[str] = set()
        self._known: re.Pattern[str] | None = None
        self._longest = _WINDOW
        for value in values:
            self.add(value)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Mask:
        """A mask that knows the secrets in an environment: variables named like one, and passwords in URLs."""
        return cls(secret_values(environ))

    def __reduce__(self) -> tuple[type[Mask], tuple[tuple[str, ...]]]:
        return type(self), (tuple(self._values),)

    def __repr__(self) -> str:
        return f"Mask({len(self._values)} values)"

    def add(self, value: str) -> None:
        """Mask `value` from now on, as it is and in its usual encodings; one of several lines, line by line too.

        Values of fewer than four characters are not masked: they would take half of every text with them.
        """
        parts = {value, value.strip(), *(line.strip() for line in value.splitlines())}
        wanted = sorted(part for part in parts if len(part) >= SHORTEST)
        with self._lock:
            for part in wanted:
                if part not in self._values:
                    self._values[part] = None
                    self._forms.update(_forms(part))
                    self._known = None
            self._longest = max(self._longest, max(map(len, self._forms), default=0))

    @property
    def longest(self) -> int:
        """How many characters of a text must be seen together, so that no secret is cut in two unseen."""
        return self._longest

    def text(self, text: str) -> str:
        """`text` with `***` where a secret was."""
        known = self._pattern()
        return _without_shapes(without_named(text if known is None else known.sub(MASKED, text)))

    def holds(self, text: str) -> bool:
        """Whether a value that is known stands in `text`; what only looks like a secret does not count."""
        known = self._pattern()
        return known is not None and known.search(text) is not None

    def _pattern(self) -> re.Pattern[str] | None:
        with self._lock:
            if self._known is None and self._forms:
                longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
                self._known = re.compile("|".join(map(re.escape, longest_first)))
            return self._known

    def plain(self, value: object) -> object:
        """The same for all texts in JSON-like data, keys left alone."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.plain(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(part) for part in value]
        return value


def secret_values(environ: Mapping[str, str]) -> Iterator[str]:
    """Values of variables whose names look like a secret's, trivial ones left out, and passwords in any URL."""
    for name, value in environ.items():
        named = _SECRET_NAME.search(name) and not _NO_SECRET_NAME.search(name)
        if named and len(value) >= _SHORTEST_VARIABLE and not _TRIVIAL.fullmatch(value):
            yield value
        for password in _LOGIN.findall(value):
            if len(password) >= SHORTEST and not _TRIVIAL.fullmatch(password):
                yield password
                yield unquote(password)


def without_login(url: str) -> str:
    """A remote's URL without user and password; what `git@host:path` says of the user stays, for it is no secret."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path.partition('?')[0].partition('#')[0]}"


def _forms(value: str) -> Iterator[str]:
    """A value as it is, and as JSON, URLs, HTML, hexadecimal and base64 would spell it, each of a length that tells."""
    import html
    import json

    yield value
    data = value.encode("utf-8", "surrogateescape")
    spelled = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value)}
    spelled |= {repr(value)[1:-1], repr(data)[2:-1], value.encode("unicode_escape").decode("ascii")}
    spelled |= {value.replace("'", "'\\''"), value.replace("'", "'\"'\"'")}
    for escaped in (quote(data), quote(data, safe=""), quote_plus(data)):
        spelled |= {escaped, re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), escaped)}
    spelled |= {data.hex(), data.hex().upper()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        spelled |= set(_inside_base64(data, encode))
    yield from (form for form in spelled if len(form) >= min(_SHORTEST_FORM, max(len(value), SHORTEST)))


def _inside_base64(data: bytes, encode: Callable[[bytes], bytes]) -> Iterator[str]:
    """What of `data` is the same in base64 whatever stands around it, for the three places it can begin at."""
    for before in range(3):
        text = encode(b"\0" * before + data).decode("ascii")
        first = (before * 8 + 5) // 6  # characters that also hold bits of what stands before
        last = (before + len(data)) * 8 // 6  # characters whose bits all come from `data` and before
        if last - first >= _SHORTEST_FORM:
            yield text[first:last]


def _without_shapes(text: str) -> str:
    from strata_git.checks.secret_shapes import may_hold, places

    if len(text) < _SHORTEST_FORM:
        return text
    data = text.encode("utf-8", "surrogatepass")
    if not may_hold(data):
        return text
    found = sorted((start, end) for start, end, _ in places(data))
    if not found:
        return text
    parts, done = [], 0
    for start, end in found:
        if start >= done:
            parts += [data[done:start], MASKED.encode()]
        done = max(done, end)
    return b"".join([*parts, data[done:]]).decode("utf-8", "surrogatepass")
