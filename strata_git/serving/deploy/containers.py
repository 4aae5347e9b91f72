"""The containers of one pod, as Kubernetes and KServe both write them."""

from __future__ import annotations

from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.deploy.manifest import GRPC_PORT, Deployment, served_at
from strata_git.serving.image.entry import PORT, SOCKETS, USER

_LIVE, _READY = "/v2/health/live", "/v2/health/ready"
_LONGEST = 50
_SCRATCH = "/tmp"  # noqa: S108 - in the container, and the only place that may be written to


def containers(deployment: Deployment, *, api: str) -> list[dict[str, Any]]:
    """The api-service, called `api`, which alone has ports; model-service, canaries and shadows, which have none."""
    ports = [{"name": "http1", "containerPort": PORT, "protocol": "TCP"}]
    if deployment.grpc_port is not None:
        ports.append({"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"})
    front = {
        **_container(deployment, api, deployment.image, deployment.api_command),
        "ports": ports,
        "startupProbe": _probe(_READY, periodSeconds=2, failureThreshold=60),
        "readinessProbe": _probe(_READY, periodSeconds=5, failureThreshold=2),
        "livenessProbe": _probe(_LIVE, periodSeconds=10, failureThreshold=3),
    }
    models = [_container(deployment, "model-service", deployment.image, deployment.model_command)]
    models += [_container(deployment, one.container, one.image, served_at(one.socket)) for one in deployment.shares]
    return [front, *models]


def object_name(deployment: Deployment) -> str:
    """What the service is called in a cluster, whose names have no underscores, begin with a letter and are short.

    Raises StrataError for a name that is too long.
    """
    name = deployment.name.replace("_", "-")
    name = name if name[0].isalpha() else f"service-{name}"
    if len(name) > _LONGEST:
        raise StrataError(
            f"{deployment.name} is too long a name for a cluster: {len(name)} characters, {_LONGEST} are possible."
        )
    return name


def volumes() -> list[dict[str, Any]]:
    """What they share, and where they may write: in memory, gone with the pod."""
    return [
        {"name": "sockets", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]


def pod_security() -> dict[str, Any]:
    """Nobody in the pod is root; what they share belongs to their group."""
    return {
        "runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


def labels(deployment: Deployment) -> dict[str, str]:
    """What all objects of a service have in common, under the names that Kubernetes recommends."""
    return {
        "app.kubernetes.io/name": object_name(deployment),
        "app.kubernetes.io/version": deployment.provenance.version,
        "app.kubernetes.io/managed-by": "git-strata",
    }


def _container(deployment: Deployment, name: str, image: str, command: list[str]) -> dict[str, Any]:
    amounts = {"cpu": deployment.cpu, "memory": deployment.memory}
    return {
        "name": name,
        "image": image,
        "command": command,
        "resources": {"requests": amounts, "limits": dict(amounts)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "sockets", "mountPath": SOCKETS}, {"name": "scratch", "mountPath": _SCRATCH}],
    }


def _probe(path: str, **often: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": PORT}, "timeoutSeconds": 3, **often}
