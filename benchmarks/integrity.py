"""Hashing beside openssl and sha256sum, and the check of a signed model beside model-signing: whole processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Contender, Goal, Samples, interleaved
from benchmarks.repositories import SETTINGS, Place, environment

LARGE = 1024
"""MiB of the one large file."""
SMALL = 10_000
SMALL_BYTES = 10 << 10
WORDS = ("git-strata", "checksum", "--print")

HASH_GOALS = (
    Goal("openssl dgst : checksum --print, one large file", "large: git-strata", "large: openssl", 0.95, True),
    Goal("checksum --print : xargs sha256sum, small files", "small: git-strata", "small: sha256sum", 0.8),
    Goal("sha256sum : checksum --print, one large file", "large: git-strata", "large: sha256sum", float("inf"), True),
)
VERIFY_GOALS = (
    Goal("model_signing : verify, by pointer, a large file", "large: by pointer", "large: model_signing", 5.0, True),
    Goal(
        "model_signing : verify --deep, a large file", "large: git-strata", "large: model_signing", float("inf"), True
    ),
    Goal("model_signing : verify --deep, many files", "small: git-strata", "small: model_signing", 5.0, True),
    Goal("model_signing : verify, by pointer, many files", "small: by pointer", "small: model_signing", 5.0, True),
)


def hashing(base: Path, rounds: int, *, quick: bool = False) -> Samples:
    """One large file, and many small ones, whole processes in turn; SystemExit where the digests differ."""
    place = Place(base / "hashing", environment(base))
    large, small = place.path / "large", place.path / "small"
    _fill(large / "a.bin", 64 if quick else LARGE)
    for at in range(SMALL // 20 if quick else SMALL):
        _write(small / f"{at % 100:02}" / f"{at}.bin", os.urandom(SMALL_BYTES))
    listed = f"find {small} -type f -print0 | xargs -0 sha256sum"
    require_same(place, (*WORDS, str(small)), ("sh", "-c", listed))
    require_same(place, (*WORDS, str(large)), ("sha256sum", str(large / "a.bin")))
    commands: dict[str, tuple[str, ...]] = {
        "large: openssl": ("openssl", "dgst", "-sha256", str(large / "a.bin")),
        "large: sha256sum": ("sha256sum", str(large / "a.bin")),
        "large: git-strata": (*WORDS, str(large)),
        "small: sha256sum": ("sh", "-c", listed),
        "small: git-strata": (*WORDS, str(small)),
    }
    contenders = [Contender(name, place, _always(words)) for name, words in commands.items()]
    return interleaved(contenders, rounds)


def verifying(base: Path, rounds: int, tool: str, *, quick: bool = False) -> Samples:
    """`git strata verify` beside `model_signing verify` on the same signed directories; either must find them sound."""
    contenders = []
    for label, sizes in (("large", [16 if quick else LARGE]), ("small", [])):
        place = signed(base, label, sizes, (500 if quick else SMALL) if label == "small" else 0)
        directory = place.path / "models/net/v1"
        theirs = (tool, "verify", "key", "--public_key", str(place.path / ".git/pub.pem"), "--signature",
                  str(directory / "model.sig"), str(directory))  # fmt: skip
        ours = ("git-strata", "verify", "models/net@v1", "--oms-key", ".git/pub.pem")
        place.run(*theirs)
        contenders += [
            Contender(f"{label}: model_signing", place, _always(theirs)),
            Contender(f"{label}: git-strata", place, _always((*ours, "--deep"))),
            Contender(f"{label}: by pointer", place, _always((*ours, "--at", "HEAD"))),
        ]
    return interleaved(contenders, rounds)


def model_signing() -> str | None:
    """The model-signing tool, in the peers' environment or on PATH."""
    beside = Path(__file__).parents[1] / ".venv-peers/bin/model_signing"
    return str(beside) if beside.exists() else shutil.which("model_signing")


def require_same(place: Place, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """SystemExit unless both commands print the same digests."""
    said = [sorted(line.split()[0] for line in place.run(*words).splitlines()) for words in (ours, theirs)]
    if said[0] != said[1] or not said[0]:
        raise SystemExit(f"{' '.join(ours)} and {theirs[0]} disagree")


def signed(base: Path, label: str, sizes: list[int], small: int) -> Place:
    """A repository with one committed model, stored with Git LFS, and signed by us."""
    place = Place(base / f"signed-{label}", environment(base))
    place.path.mkdir()
    place.git("init", "--quiet")
    place.git("lfs", "install", "--local")
    directory = place.path / "models/net/v1"
    for at, size in enumerate(sizes):
        _fill(directory / f"weights-{at}.bin", size)
    for at in range(small):
        _write(directory / "parts" / f"{at:05}.bin", os.urandom(SMALL_BYTES))
    _write(directory / "metadata.yaml", METADATA)
    _write(directory / "metrics.yaml", b"metrics:\n  accuracy: {value: 0.9, direction: higher, split: test}\n")
    _write(directory / "card.md", CARD)
    _write(place.path / "strata.yaml", SETTINGS.replace(b"false", b"true"))
    _write(place.path / ".gitattributes", b"models/** -text\nmodels/**/*.bin filter=lfs diff=lfs merge=lfs -text\n")
    place.run("git-strata", "checksum", "models/net/v1")
    key, public = place.path / ".git/key.pem", place.path / ".git/pub.pem"
    place.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    place.run("openssl", "pkey", "-in", str(key), "-pubout", "-out", str(public))
    place.run("git-strata", "sign", "models/net@v1", "--oms", "--key", str(key))
    place.git("add", "--all")
    place.git("commit", "--quiet", "-m", "Signed")
    place.git("repack", "-a", "-d", "--quiet")  # as a clone has it
    return place


METADATA = b"""\
kind: model
name: net
version: v1
created: "2026-01-05T12:00:00Z"
description: Random bytes, to be hashed.
licence: CC-BY-4.0
artifact: card.md
format: safetensors
framework: {name: none, version: "1"}
run: null
datasets: []
content_hash: sha256:0000000000000000000000000000000000000000000000000000000000000000
"""
CARD = b"---\nlicense: cc-by-4.0\nmodel-index: []\n---\n# net\n"


def _fill(path: Path, mebibytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    block = os.urandom(1 << 20)
    with path.open("wb") as stream:
        for _ in range(mebibytes):
            stream.write(block)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _always(words: tuple[str, ...]) -> Callable[[int], tuple[str, ...]]:
    return lambda _round: words
