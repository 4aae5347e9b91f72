"""compose.yaml: both halves of a service on one machine (the Compose specification).

The model-service has no network at all: the two meet in a volume that holds their sockets. Neither may write to its
file system, gain privileges, or be root.
"""

from __future__ import annotations

from typing import Any

from strata_git.serving.deploy.manifest import GRPC_PORT, Deployment, Share, amount, plain_number, served_at
from strata_git.serving.image.entry import PORT, SOCKETS, USER, health_command

FILE = "compose.yaml"


def rendered(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """File -> its documents."""
    services: dict[str, Any] = {"api-service": _api(deployment), "model-service": _model(deployment)}
    services |= {one.container: _beside(deployment, one) for one in deployment.shares}
    owned = f"uid={USER},gid={USER},mode=0700"
    volumes = {"sockets": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": owned}}}
    return {FILE: [_literal({"name": deployment.name, "services": services, "volumes": volumes})]}


def notes(deployment: Deployment) -> list[str]:
    """What this target cannot say, in sentences."""
    if deployment.replicas != 1:
        return [f"compose runs one of each; the {deployment.replicas} replicas of service.yaml are for clusters"]
    return []


def _api(deployment: Deployment) -> dict[str, Any]:
    where = "" if deployment.is_open else "127.0.0.1:"
    ports = ((deployment.port, PORT), (deployment.grpc_port, GRPC_PORT))
    return {
        **_hardened(deployment, deployment.image, deployment.api_command, stop=deployment.drain + 5),
        "depends_on": ["model-service", *(one.container for one in deployment.shares)],
        "ports": [f"{where}{port}:{inside}" for port, inside in ports if port is not None],
        "healthcheck": {
            "test": ["CMD", *health_command(PORT)], "interval": "10s", "timeout": "5s", "retries": 3,
            "start_period": "60s",
        },
    }  # fmt: skip


def _model(deployment: Deployment) -> dict[str, Any]:
    """Compose stops what others depend on last: it is there until the api-service has answered everybody."""
    return {**_hardened(deployment, deployment.image, deployment.model_command), "network_mode": "none"}


def _beside(deployment: Deployment, share: Share) -> dict[str, Any]:
    return {**_hardened(deployment, share.image, served_at(share.socket)), "network_mode": "none"}


def _hardened(deployment: Deployment, image: str, command: list[str], *, stop: int = 10) -> dict[str, Any]:
    return {
        "image": image,
        "entrypoint": command[:1],
        "command": command[1:],
        "labels": {name.replace("-", ".", 1): value for name, value in deployment.facts.items()},
        "user": f"{USER}:{USER}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp:size=64m,mode=1777"],  # noqa: S108 - in the container
        "volumes": [f"sockets:{SOCKETS}"],
        "cpus": plain_number(amount(deployment.cpu)),
        "mem_limit": f"{int(amount(deployment.memory))}b",
        "pids_limit": 256,
        "restart": "unless-stopped",
        "stop_grace_period": f"{stop}s",
    }


def _literal(value: Any) -> Any:
    """The same text, once compose has replaced variables in it: whatever a name holds, nothing is replaced."""
    if isinstance(value, dict):
        return {name: _literal(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_literal(one) for one in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
