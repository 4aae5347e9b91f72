"""Ray Serve: its configuration. What it imports lies in the image: `ray_app`."""

from __future__ import annotations

from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.deploy.manifest import Deployment, amount
from strata_git.serving.image.entry import BUNDLE, ENVIRONMENT

FILE = "serve.yaml"
IMPORTED = "strata_git.serving.deploy.ray_app:build"


def rendered(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """File -> its documents. Raises StrataError for canaries and shadows, of which Ray Serve knows nothing."""
    if deployment.shares:
        raise StrataError(
            f"Ray Serve gives no version a share of the requests; service.yaml has {len(deployment.shares)} routes.",
            hint="Take them out of routes, or use --target compose or kustomize.",
        )
    one = {
        "name": deployment.name,
        "num_replicas": max(1, deployment.replicas),
        "graceful_shutdown_timeout_s": deployment.drain + 5,
        "ray_actor_options": {
            "num_cpus": float(amount(deployment.cpu)), "memory": int(amount(deployment.memory)),
        },
    }  # fmt: skip
    facts = {name.upper().replace("-", "_"): value for name, value in deployment.facts.items()}
    application = {
        "name": deployment.name,
        "route_prefix": "/",
        "import_path": IMPORTED,
        "args": {"name": deployment.name, "bundle": BUNDLE},
        "runtime_env": {
            "image_uri": deployment.image,
            "env_vars": {**dict(sorted(ENVIRONMENT.items())), "RAY_USAGE_STATS_ENABLED": "0", **facts},
        },
        "deployments": [one],
    }
    http = {"host": "0.0.0.0" if deployment.is_open else "127.0.0.1", "port": deployment.port}  # noqa: S104 - with keys
    return {FILE: [{"proxy_location": "HeadOnly", "http_options": http, "applications": [application]}]}


def notes(deployment: Deployment) -> list[str]:
    """What is worth knowing beside the files, in sentences."""
    told = [
        "the model runs in the replicas: Ray Serve has no containers side by side",
        "the image must bring ray[serve] of the cluster's version",
        "Ray reports about its use unless RAY_USAGE_STATS_ENABLED=0 is set where the cluster starts",
    ]
    if deployment.grpc_port is not None:
        told.append("Ray Serve answers over HTTP here: gRPC is not offered")
    if deployment.replicas == 0:
        told.append("Ray Serve runs at least one replica")
    return told
