"""Where an answer comes from: the version, its event, its run, who signed. It goes with every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from strata_git.errors import StrataError

SCHEMA = "strata/provenance/v1"


@dataclass(frozen=True, slots=True)
class Provenance:
    """The model that answers.

    `stage` is where the ledger has the version, `commit` the one that introduced it, `run` the run that made it (`""`:
    none is named), `digest` that of its CHECKSUMS.txt, `signer` who signed the event that brought it into its stage,
    `event` that event's tag, `file` and `sha256` what was loaded, `format` how. `trust` is the state of the trust
    policy: `trusted`, `unprotected`, `unpinned`. `signed_by` are those whose signatures on the version itself count.
    `datasets` are what it was made from: reference and content hash. `code` is the digest of the service's own code
    that loads it or answers with it (`""`: there is none).
    """

    model: str
    version: str
    stage: str
    commit: str
    run: str
    digest: str
    signer: str
    format: str
    file: str = ""
    sha256: str = ""
    event: str = ""
    trust: str = "unprotected"
    signed_by: tuple[str, ...] = ()
    datasets: tuple[tuple[str, str], ...] = ()
    code: str = ""

    @property
    def reference(self) -> str:
        """`churn@v2`."""
        return f"{self.model}@{self.version}"

    def headers(self) -> dict[str, str]:
        """What goes with an answer over HTTP or gRPC: lower-case names, printable ASCII values."""
        told = {
            "strata-model": self.reference,
            "strata-stage": self.stage,
            "strata-commit": self.commit,
            "strata-run": self.run,
            "strata-digest": self.digest,
            "strata-signer": self.signer,
            "strata-format": self.format,
            "strata-code": self.code,
        }
        return {name: _ascii(value) for name, value in told.items() if value}

    def as_json(self) -> dict[str, object]:
        """All of it as a JSON object."""
        cited = [{"ref": reference, "content_hash": content_hash} for reference, content_hash in self.datasets]
        return {"schema": SCHEMA, **asdict(self), "signed_by": list(self.signed_by), "datasets": cited}


def read_provenance(value: object) -> Provenance:
    """What `as_json` gave, after it was JSON. Raises StrataError for anything else."""
    said = dict(value) if isinstance(value, Mapping) else {}
    datasets = said.pop("datasets", None)
    try:
        if said.pop("schema") != SCHEMA:
            raise ValueError("schema")
        cited = tuple((str(one["ref"]), str(one["content_hash"])) for one in datasets)
        signed_by = tuple(str(one) for one in said.pop("signed_by"))
        return Provenance(**{name: str(text) for name, text in said.items()}, signed_by=signed_by, datasets=cited)
    except (KeyError, TypeError, ValueError):
        raise StrataError("This is no provenance of a model.") from None


def _ascii(value: str) -> str:
    """Header values are ASCII; whatever else a name holds comes as `?`, and no line ever ends in it."""
    return "".join(one if " " <= one <= "~" else "?" for one in value)[:500].strip()
