"""Evidence written in a test, and its script run as an auditor would: stock tools, an empty HOME."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from strata_git.exchange.evidence import Evidence, write_evidence
from strata_git.index.build import build
from tests.index.opening import opened
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT

SCRIPT = ROOT / "strata_git" / "exchange" / "verify.sh"
STOCK = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Audit:
    """What the script answered."""

    code: int
    said: str

    @property
    def wrong(self) -> list[str]:
        return [line.removeprefix("WRONG: ") for line in self.said.splitlines() if line.startswith("WRONG: ")]


def written(
    repo: RepositoryBuilder, reference: str, target: Path, *, with_data: bool = False, revision: str = "HEAD"
) -> Evidence:
    ours = opened(repo)
    index = build(ours, revision)
    return write_evidence(ours, index, reference, target, repository=REPOSITORY, with_data=with_data)


def unpacked(archive: Path, target: Path) -> Path:
    """The archive's one folder, below `target`."""
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    (folder,) = target.iterdir()
    return folder


def audited(folder: Path, *options: str, script: Path = SCRIPT) -> Audit:
    """Run the script, from outside the folder, on the folder."""
    done = subprocess.run(
        ["sh", str(script), *options, str(folder)],
        env=STOCK,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )
    return Audit(done.returncode, done.stdout + done.stderr)


def seal(folder: Path) -> None:
    """SHA256SUMS over all that is there now: what a careful forger does."""
    listed = subprocess.run(
        "find . -type f ! -path ./SHA256SUMS | sed 's/^..//' | LC_ALL=C sort | xargs sha256sum",
        shell=True, cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    (folder / "SHA256SUMS").write_bytes(listed.stdout)
