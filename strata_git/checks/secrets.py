"""No secret is committed (TFC-0001 section 7): which files are looked at, and what the workspace lets pass.

What was found in a file depends on its bytes alone and is kept with the artifact's summary, without the secret; what
the workspace lets pass is settled afterwards, by its settings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import items, mapping
from strata_git.contracts.layout import UNSUMMED

SCAN_LIMIT = 4 << 20
"""Bytes of a text that is looked through; a larger one is named, not passed over (STR-G002)."""

_TEXT = frozenset({
    "cfg", "conf", "csh", "env", "ini", "ipynb", "json", "jsonl", "key", "log", "md", "pem", "properties", "ps1", "py",
    "r", "rst", "sh", "toml", "txt", "xml", "yaml", "yml",
})  # fmt: skip
"""How the names of texts end that people or programs write."""
_ANYWHERE = frozenset({"env", "ipynb", "key", "log", "pem"})
_NAMES = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "credentials", ".netrc", ".pgpass")
_MOSTLY_TEXT = frozenset({"prompt", "run", "service"})
_MOST_ROWS = 50
_PATTERN_LIMIT = 200
_QUANTIFIERS = 3

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a workspace declares to be no secret: digests of matches, and patterns of whole matches."""

    digests: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def of(cls, words: Iterable[str]) -> Allowance:
        """Read `secrets.allow` of strata.yaml; what cannot be read allows nothing (and is a finding of its own)."""
        good = [word for word in words if complaint(word) is None]
        digests = frozenset(word[7:] for word in good if word.startswith("sha256:"))
        return cls(digests, tuple(re.compile(word, re.DOTALL) for word in good if not word.startswith("sha256:")))

    def matches(self, value: bytes) -> bool:
        """Whether some pattern matches all of a value (of a long one, its first bytes)."""
        text = value[:_PATTERN_LIMIT].decode("utf-8", "replace")
        return any(pattern.fullmatch(text) for pattern in self.patterns)


def complaint(word: str) -> str | None:
    """What is wrong with an entry of `secrets.allow`; None when nothing is.

    Patterns come out of the repository and are run by hooks and servers: one that could take for ever is refused.
    """
    if word.startswith("sha256:"):
        return None if re.fullmatch(r"sha256:[0-9a-f]{64}", word) else "sha256: wants 64 lower-case hex digits"
    if not word or len(word) > _PATTERN_LIMIT:
        return f"a pattern has 1 to {_PATTERN_LIMIT} characters"
    bare = re.sub(r"\\.", "x", word)
    if "(?" in bare or re.search(r"\\[1-9]", word) or re.search(r"\)[*+?{]", bare):
        return "a pattern may hold neither (? nor repeated groups nor references back"
    # alternatives multiply from group to group as repetition does: (a|aa)(a|aa)... is exponential
    groups = bare.count("(") if "|" in bare else 0
    if len(re.findall(r"[*+?{]", bare)) + groups > _QUANTIFIERS:
        return f"a pattern may hold at most {_QUANTIFIERS} of * + ? {{ and of groups with alternatives"
    try:
        compiled = re.compile(word)
    except (re.error, RecursionError, OverflowError):
        return "is no regular expression"
    return "a pattern that allows nothing at all, or everything, is none" if compiled.fullmatch("") else None


def is_text(name: str, suffixes: Collection[str] = _TEXT) -> bool:
    """Whether a file is looked through, by its name."""
    base = name.rpartition("/")[2].lower()
    return base.startswith(".env") or base in _NAMES or base.rpartition(".")[2] in suffixes


def look(exhibit: Exhibit) -> dict[str, object]:
    """Facts on an artifact's texts, for its summary: what looks like a secret, and which texts are too large."""
    rows: list[list[object]] = []
    large = []
    for name, content in exhibit.contents.items():
        if content.stored == "pointer" or name in UNSUMMED or not _concerns(exhibit, name):
            continue
        if content.size > SCAN_LIMIT:
            large.append(name)
            continue
        rows += look_through(name, exhibit.read(name, SCAN_LIMIT))
    facts: dict[str, object] = {"secrets": rows[:_MOST_ROWS]} if rows else {}
    return facts | ({"unscanned": large[:_MOST_ROWS]} if large else {})


def look_through(name: str, data: bytes) -> list[list[object]]:
    """What looks like a secret in the text of `name`, as plain rows: name, line, kind, SHA-256, what may be shown."""
    from strata_git.checks.secret_shapes import scan

    return [[name, one.line, one.kind, one.sha256, one.shown] for one in scan(data)]


def allowed_in(data: bytes, allowance: Allowance) -> set[str]:
    """The SHA-256 of every match in a text that a pattern of the workspace lets pass."""
    from strata_git.checks.secret_shapes import scan

    return {one.sha256 for one in scan(data) if allowance.matches(one.value)}


def judge(directory: str, facts: object, allowed: Collection[str]) -> Iterator[Finding]:
    """Findings on what `look` learned of `directory`; `allowed` holds the SHA-256 of matches that are no secrets."""
    prefix = f"{directory}/" if directory else ""
    known = mapping(facts)
    for row in suspects(known.get("secrets")):
        name, line, kind, sha256, shown = row
        if sha256 not in allowed and isinstance(line, int):
            yield found("STR-G001", f"{prefix}{name}", f"holds what looks like {kind} ({shown})", line=line)
    for name in items(known.get("unscanned")):
        yield found("STR-G002", f"{prefix}{name}", f"not scanned for secrets: more than {SCAN_LIMIT >> 20} MiB")


def suspects(rows: object) -> list[Row]:
    """The rows that `look_through` made, out of data that was kept meanwhile."""
    return [row for row in items(rows) if isinstance(row, list) and len(row) == 5]


def _concerns(exhibit: Exhibit, name: str) -> bool:
    """Contract files always; other texts where people write them; what often holds secrets, everywhere."""
    if name in exhibit.contract_files:
        return True
    return is_text(name, _TEXT if exhibit.artifact.kind in _MOSTLY_TEXT else _ANYWHERE)
