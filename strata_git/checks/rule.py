"""What a rule is: an id, the clause it comes from, how serious it is, and how to put things right."""

from __future__ import annotations

from dataclasses import dataclass

CONTRACTS = {
    "0001": "layout",
    "0002": "run-execution",
    "0003": "run-records",
    "0004": "datasets",
    "0005": "models",
    "0006": "validation",
    "0007": "indexing",
    "0008": "checksums-and-signatures",
    "0009": "promotion",
    "0010": "plugins",
    "0011": "prompts-and-pipelines",
    "0012": "services",
}
"""The technical framework contracts: number -> name, as in `tfc/0004-datasets.md`."""

ERROR, WARNING, INFO = "error", "warning", "info"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is judged.

    `clause` is `NNNN-section` of a contract, `summary` one sentence saying what must hold, `fix` what to do where it
    does not; in `fix`, `{path}` stands for the place of the finding and `{artifact}` for the artifact it lies in.
    """

    id: str
    clause: str
    severity: str
    summary: str
    fix: str

    @property
    def anchor(self) -> str:
        """Where the clause is written: `tfc/0004-datasets.md#3.2`."""
        number, _, section = self.clause.partition("-")
        return f"tfc/{number}-{CONTRACTS[number]}.md#{section}"
