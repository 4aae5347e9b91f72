"""A run that has its number: what a tracker must know to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.runs.dirty import Code
from strata_git.runs.inputs import Dataset, Input
from strata_git.runs.masking import Mask
from strata_git.runs.recover import Killed
from strata_git.runs.spec import RunSpec
from strata_git.runs.system import Origin


@dataclass(frozen=True, slots=True)
class Started:
    """`local` is the work tree's ignored `.strata/local`, `repository` the workspace's UUID ("" without one), `killed`
    the earlier runs that were found dead, `inputs` what the spec's `inputs` name. `mask` keeps secrets out of whatever
    is told, `artifact_dir` is where the run's files grow, `origin` says the branch and the remote, `parent` is the run
    that this one is a part of (""), `user` is "" where nobody asked to have a name recorded."""

    id: str
    spec: RunSpec
    code: Code
    source: Dataset | None
    killed: tuple[Killed, ...]
    environ: Mapping[str, str]
    local: Path
    user: str
    repository: str
    inputs: Mapping[str, Input] = field(default_factory=dict)
    mask: Mask = field(default_factory=Mask)
    artifact_dir: Path | None = None
    origin: Origin = field(default_factory=Origin)
    parent: str = ""

    def tags(self) -> dict[str, str]:
        """What labels the run wherever it is shown; the experiment's own tags never replace these."""
        source, code = self.source, self.code
        known = {
            "mlflow.source.git.commit": code.commit,
            "mlflow.source.git.branch": self.origin.branch,
            "mlflow.source.git.repoURL": self.origin.remote,
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
