"""A workspace with two promoted models and a service for each: made by the commands, as anybody makes one."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.repositories import Place, environment

MODELS = {"forest": "{model: random_forest, n_estimators: 100, formats: [onnx, skops]}",
          "logistic": "{model: logistic_regression, formats: [onnx, skops]}"}  # fmt: skip
"""Service (and model) -> parameters of the plugin: 100 trees; features standardised, then a logistic regression."""
_SERVICE = """\
schema: strata/service/v1
name: {name}
model: {name}@staging
"""


def workspace(base: Path) -> Place:
    """The workspace below `base`, with models/forest@v1 and models/logistic@v1 in staging."""
    keys = Path(tempfile.mkdtemp(prefix="sb", dir="/tmp"))  # gpg's agent wants a short path
    place = Place(base / "workspace", {**environment(base), "GNUPGHOME": str(keys)})
    place.path.mkdir(parents=True)
    try:
        _fill(place)
    except BaseException:
        give_back(place.environ)
        raise
    return place


def _fill(place: Place) -> None:
    unlocked = ("gpg", "--batch", "--quiet", "--passphrase", "")
    place.run(*unlocked, "--quick-generate-key", "Ada <ada@example.org>", "ed25519", "sign", "1y")
    place.git("init", "--quiet", "--initial-branch=main")
    place.run("git-strata", "init", ".")
    _commit(place, "A workspace")
    for name, params in MODELS.items():
        experiment = f"plugin: sklearn\nexperiment: {name}\ndataset_id: sklearn:breast_cancer\nparams: {params}\n"
        place.write({f"experiments/{name}.yaml": experiment.encode()})
        _commit(place, f"Say how {name} is made")
        place.run("git-strata", "run", f"experiments/{name}.yaml")
        run = max(one.name for one in (place.path / "runs").iterdir() if one.name.startswith("run-"))
        _commit(place, f"Run {name}")
        place.run("git-strata", "model", "create", name, "--run", run, "--description", name)
        _commit(place, f"Add {name}")
        place.run("git-strata", "promote", f"{name}@v1", "--reason", "to be measured")
        place.write({f"services/{name}/service.yaml": _SERVICE.format(name=name).encode()})
        _commit(place, f"Serve {name}")


def give_back(environ: Mapping[str, str]) -> None:
    """End the agent of the workspace's keyring, and remove that."""
    import shutil
    import subprocess

    subprocess.run(["gpgconf", "--kill", "all"], env=dict(environ), capture_output=True, check=False)
    shutil.rmtree(environ["GNUPGHOME"], ignore_errors=True)


def _commit(place: Place, message: str) -> None:
    place.git("add", ".")
    place.git("commit", "--quiet", "-m", message)
