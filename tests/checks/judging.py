"""Short words for tests of judgement: take valid files, break one thing, name the rule that must speak."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping

from strata_git.checks.engine import Judgement, judge_artifact
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import Artifact, artifact_of
from strata_git.repo.tree import MemoryTree

Files = Mapping[str, bytes | tuple[bytes, str]]

IRIS = Artifact("dataset", "iris", "v1")
FOREST = Artifact("model", "forest", "v1")
RUN = Artifact("run", "run-2026-01-05-001")
SUMMARISE = Artifact("prompt", "summarise", "v1")


def judge(files: Files) -> Judgement:
    """The judgement on the one artifact that `files` make."""
    artifacts = {artifact_of(path) for path in files}
    (artifact,) = artifacts
    assert artifact is not None
    return judge_artifact(MemoryTree(files), artifact)


def rules(findings: Iterable[Finding]) -> list[str]:
    """The ids of the rules that spoke, sorted, each as often as it did."""
    return sorted(finding.rule for finding in findings)


def told(files: Files) -> list[str]:
    """The rules that speak about the one artifact that `files` make."""
    return rules(judge(files).findings)


def only(findings: Iterable[Finding]) -> Finding:
    """The one finding there is."""
    (finding,) = findings
    return finding


def pointer(sha256: str, size: int) -> bytes:
    """The text of a Git LFS pointer."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def signature_block(issuer: str, salt: bytes = b"") -> bytes:
    """An armored block with one well-formed OpenPGP v4 signature packet that claims to be by `issuer` (40 hex)."""
    hashed = bytes([22, 33, 4]) + bytes.fromhex(issuer)
    body = bytes([4, 0, 22, 8]) + len(hashed).to_bytes(2, "big") + hashed + b"\0\0" + b"ab" + b"\0\x08" + (salt or b"x")
    armor = b64encode(bytes([0xC2, len(body)]) + body)
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + armor + b"\n-----END PGP SIGNATURE-----\n"


class WithoutObjects(MemoryTree):
    """A partial clone: the listing is whole, the objects of the paths named are absent."""

    def __init__(self, files: Files, *absent: str) -> None:
        super().__init__(files)
        self._absent = {entry.oid for entry in self.under("") if entry.path in absent}

    def read(self, entry, limit=1 << 26):  # type: ignore[no-untyped-def]
        if entry.oid in self._absent:
            raise KeyError(entry.oid)
        return super().read(entry, limit)

    def content(self, entry):  # type: ignore[no-untyped-def]
        if entry.oid in self._absent:
            raise KeyError(entry.oid)
        return super().content(entry)
