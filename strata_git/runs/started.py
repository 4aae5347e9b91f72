"""A run that has its number: what a tracker must know to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.runs.inputs import Dataset
from strata_git.runs.record import Code
from strata_git.runs.recover import Killed
from strata_git.runs.spec import RunSpec


@dataclass(frozen=True, slots=True)
class Started:
    """`local` is the work tree's ignored `.strata/local`, `repository` the workspace's UUID ("" without one), `killed`
    the earlier runs that were found dead."""

    id: str
    spec: RunSpec
    code: Code
    source: Dataset | None
    killed: tuple[Killed, ...]
    environ: Mapping[str, str]
    local: Path
    user: str
    repository: str

    def tags(self) -> dict[str, str]:
        """What labels the run wherever it is shown; the experiment's own tags never replace these."""
        source, code = self.source, self.code
        known = {
            "mlflow.source.git.commit": code.commit,
            "mlflow.source.name": self.spec.experiment,
            "mlflow.source.type": "PROJECT",
            "mlflow.user": self.user,
            "strata.run": self.id,
            "strata.repository": self.repository,
            "strata.experiment": self.spec.experiment,
            "strata.plugin": self.spec.plugin,
            "strata.dirty": str(code.dirty).lower(),
            "strata.dataset": source.artifact.reference if source else self.spec.dataset_id,
            "strata.dataset.digest": source.digest if source else "",
            "strata.dataset.content_hash": source.content_hash if source else "",
        }
        return {**self.spec.tags, **{name: value for name, value in known.items() if value}}
