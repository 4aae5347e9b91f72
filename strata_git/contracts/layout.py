"""Where artifacts live and how they are named: path, reference and version grammar (TFC-0001).

Nothing heavy is imported here: hooks decide with this module alone whether a path concerns us.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from strata_git.errors import printable

KINDS = {
    "datasets": "dataset",
    "models": "model",
    "prompts": "prompt",
    "runs": "run",
    "services": "service",
}
ROOTS = tuple(KINDS)
ROOT_OF = {kind: root for root, kind in KINDS.items()}
STAGES = ("experimental", "staging", "production", "archived")

CHECKSUMS = "CHECKSUMS.txt"
SIGNATURE = "SIGNATURE.asc"
MODEL_SIG = "model.sig"
METADATA = "metadata.yaml"
RUN_RECORD = "run.yaml"
SERVICE_RECORD = "service.yaml"
GOLDEN = "tests/golden.json"
SETTINGS = "strata.yaml"
TRUST = ".strata/trust"
POLICY = ".strata/trust/policy.yaml"
BASELINE = ".strata/baseline.json"

UNSUMMED = frozenset({CHECKSUMS, SIGNATURE, MODEL_SIG})
"""Files at the top of an artifact that CHECKSUMS.txt does not list."""
ADDABLE = frozenset({SIGNATURE, MODEL_SIG})
"""Files that may still appear or grow after a version is released."""

NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
VERSION = re.compile(r"v[1-9][0-9]{0,8}")
RUN_ID = re.compile(r"run-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{3,9}")


@dataclass(frozen=True, slots=True, order=True)
class Artifact:
    """A directory under contract. `version` is `""` for runs and services, whose name is all they have."""

    kind: str
    name: str
    version: str = ""

    @property
    def path(self) -> str:
        """Directory relative to the repository root, without a slash at the end."""
        base = f"{ROOT_OF[self.kind]}/{self.name}"
        return f"{base}/{self.version}" if self.version else base

    @property
    def reference(self) -> str:
        """The unambiguous reference: `datasets/iris@v1`, `run-2026-11-21-001`, `services/scoring`."""
        if self.kind == "run":
            return self.name
        base = f"{ROOT_OF[self.kind]}/{self.name}"
        return f"{base}@{self.version}" if self.version else base

    @property
    def short(self) -> str:
        """The reference without its kind: `iris@v1`."""
        return f"{self.name}@{self.version}" if self.version else self.name

    @property
    def number(self) -> int:
        """The version as a number; 0 where there is none."""
        return int(self.version[1:]) if self.version else 0

    @property
    def frozen(self) -> bool:
        """Whether a commit releases it, after which it never changes (TFC-0001 §5)."""
        return self.kind != "service"


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference; `version` and `stage` exclude each other, `kind` is None where it was not said."""

    kind: str | None
    name: str
    version: str | None = None
    stage: str | None = None

    def artifact(self, kind: str) -> Artifact:
        """The artifact meant, when the reference names a version (or a run) of `kind`."""
        return Artifact(self.kind or kind, self.name, self.version or "")


def artifact_of(path: str) -> Artifact | None:
    """The artifact directory in which the repository path `path` (a file or the directory itself) lies."""
    root, _, rest = path.partition("/")
    return _artifact_at(root, *rest.split("/", 2)[:2]) if root in KINDS and rest else None


@lru_cache(4096)
def _artifact_at(*parts: str) -> Artifact | None:
    """The same for the first three names of a path: asked for every file of a commit, and few places hold them all."""
    kind, name = KINDS[parts[0]], parts[1]
    if kind == "run":
        return Artifact(kind, name) if RUN_ID.fullmatch(name) else None
    if not NAME.fullmatch(name):
        return None
    if kind == "service":
        return Artifact(kind, name) if len(parts) > 2 else None
    if len(parts) < 3 or not VERSION.fullmatch(parts[2]):
        return None
    return Artifact(kind, name, parts[2])


def parse_reference(text: str, *, kind: str | None = None) -> Reference:
    """Read a reference in any of its forms; `kind` is assumed where the text does not say.

    Accepts `iris@v1`, `datasets/iris@v1`, `resnet50@production`, `summarise#v1`, `run-2026-11-21-001`, a bare name,
    and the directory's own path (`datasets/iris/v1`). Raises ValueError with a one-line message.
    """
    root, slash, rest = text.partition("/")
    if slash:
        if root not in KINDS or (kind is not None and KINDS[root] != kind):
            raise ValueError(f"'{printable(text)}' does not begin with a kind ({', '.join(ROOTS)})")
        kind, text = KINDS[root], rest.rstrip("/")
    if RUN_ID.fullmatch(text) and kind in (None, "run"):
        return Reference("run", text)
    if kind == "run":
        raise ValueError(f"'{printable(text)}' is not a run, such as run-2026-11-21-001")
    name, mark, tail = _split(text)
    if not NAME.fullmatch(name):
        raise ValueError(f"'{printable(name)}' is not a name: lower-case letters and digits, joined by single - or _")
    if not mark:
        return Reference(kind, name)
    if kind == "service":
        raise ValueError(f"'{printable(text)}' names a version, and services have none")
    if VERSION.fullmatch(tail):
        return Reference(kind, name, version=tail)
    if mark == "@" and tail in STAGES and kind in (None, "model"):
        return Reference("model", name, stage=tail)
    raise ValueError(f"'{printable(tail)}' is neither a version (v1, v2, ...) nor a stage ({', '.join(STAGES)})")


def _split(text: str) -> tuple[str, str, str]:
    for mark in ("@", "#", "/"):
        name, found, tail = text.partition(mark)
        if found:
            return name, mark, tail
    return text, "", ""
