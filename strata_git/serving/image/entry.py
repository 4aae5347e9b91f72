"""What is where in an image, and the two programs that can be started in it. Manifests and engines read it from here.

One image serves both: they need the same interpreter and the same packages, and one digest then pins the whole of a
service. What it is started as is decided by its entry point.
"""

from __future__ import annotations

from collections.abc import Sequence

ROOT = "/srv/strata"
PACKAGES = f"{ROOT}/packages"
"""The one directory on Python's path."""
BUNDLE = f"{ROOT}/bundle"
"""The model and all that goes with it; its digest is the variable STRATA_BUNDLE and the label strata.bundle."""
SOCKETS = "/run/strata"
"""Where a volume that both containers share is mounted."""
MODEL_SOCKET = f"{SOCKETS}/model.sock"
API_SOCKET = f"{SOCKETS}/api.sock"
PORT = 8080
USER = 65532
"""User and group; no name is needed for them. Nothing in the image is theirs, so that nothing can be altered."""
VARIABLE = "STRATA_BUNDLE"
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - a directory in the container, the only one that may be written to
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": PACKAGES,
    "PYTHONUNBUFFERED": "1",
}
API = ("python3", "-P", "-m", "strata_git.serving.api_service", "--bundle", BUNDLE)
"""The image's entry point. Without more it holds the model itself; `api_arguments` says otherwise."""
MODEL = ("python3", "-P", "-m", "strata_git.serving.model_service", "--bundle", BUNDLE, "--socket", MODEL_SOCKET)
"""The whole command of a model-service: it needs no network, only the volume with the sockets."""
HEALTH = ("python3", "-P", "-m", "strata_git.serving.image.health")
"""Exit code 0 while the api-service is ready; arguments: nothing (`127.0.0.1:8080`), a port, or a socket's path."""


def api_arguments(*, model: str = f"unix:{MODEL_SOCKET}", socket: str = "", port: int = PORT) -> list[str]:
    """What follows `API`: where its model answers (`""`: in the same process), and where it listens itself."""
    asked = ["--model", model] if model else []
    return [*asked, *(["--uds", socket] if socket else ["--host", "0.0.0.0", "--port", str(port)])]  # noqa: S104


def health_command(place: str | int = "") -> Sequence[str]:
    """Whether what listens at `place` (a port, a socket's path) is ready."""
    return (*HEALTH, str(place)) if place else HEALTH
