"""A dvc.yaml without stages: DVC's own commands and editors read the metrics, parameters, plots and models of ours.

Paths are those of the repository, so the file belongs at its root. Source: https://dvc.org/doc/user-guide/project-structure
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from strata_git.checks.plain import dig
from strata_git.errors import StrataError
from strata_git.exchange.subject import Subject, paragraph, plain, require_kind
from strata_git.index.export import Plain
from strata_git.load import dump_yaml

_PLOTS = (".png", ".jpg", ".jpeg", ".svg")
_NOT_IN_NAMES = re.compile("[^a-z0-9-]+")


def dvc_yaml(subjects: Iterable[Subject]) -> bytes:
    """The file for runs and models. StrataError for other artifacts, and for paths that DVC would read otherwise."""
    metrics: dict[str, None] = {}
    params: dict[str, None] = {}
    plots: dict[str, None] = {}
    artifacts: Plain = {}
    for subject in subjects:
        require_kind(subject, "dvc.yaml", "run", "model")
        names = [file.name for file in subject.description.files]
        path = subject.artifact.path
        metrics |= {f"{path}/{name}": None for name in names if name in ("metrics.json", "metrics.yaml")}
        if subject.artifact.kind == "model":
            artifacts[_NOT_IN_NAMES.sub("-", subject.artifact.name)] = _model(subject)
            continue
        params |= {f"{path}/{name}": None for name in names if name == "config.yaml"}
        plots |= {_plain_path(f"{path}/{name}"): None for name in names if name.lower().endswith(_PLOTS)}
    document: Plain = {
        "metrics": list(metrics), "params": list(params), "plots": list(plots), "artifacts": artifacts
    }  # fmt: skip
    return dump_yaml({key: value for key, value in document.items() if value})


def _model(subject: Subject) -> Plain:
    said = subject.metadata
    path = f"{subject.artifact.path}/{subject.record.file[0]}" if subject.record.file else subject.artifact.path
    return {
        "path": _plain_path(path),
        "type": "model",
        "desc": paragraph(said.get("description")) or subject.artifact.reference,
        "labels": [*subject.record.stages, plain(said.get("format"))],
        "meta": {
            "version": subject.artifact.version,
            "digest": subject.record.digest or "",
            "run": subject.record.run or "",
            "framework": plain(dig(said, "framework", "name")),
        },
    }


def _plain_path(path: str) -> str:
    """`path`, where DVC takes it as it is: `${...}` would be filled in."""
    if "${" in path or plain(path) != path:
        raise StrataError(f"DVC would not read the path '{plain(path)}' as it is.", hint="Leave that artifact out.")
    return path
