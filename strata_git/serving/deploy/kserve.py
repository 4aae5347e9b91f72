"""A KServe InferenceService: our own containers as its predictor, which speak the Open Inference Protocol themselves.

A canary is KServe's own: a second form of the same object, applied once the first answers. Knative, by which KServe may
run it, allows neither hooks at a container's end nor a time of its own for it; neither is written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.deploy.containers import containers, labels, object_name, pod_security, volumes
from strata_git.serving.deploy.kustomize import kustomization, refuse_open_door
from strata_git.serving.deploy.manifest import Deployment, Share

FILE = "inferenceservice.yaml"
CANARY = "canary"
API_VERSION = "serving.kserve.io/v1beta1"


def rendered(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """File -> its documents. Raises StrataError for more than one canary, and where nobody is asked who they are."""
    refuse_open_door(deployment, "a cluster")
    canaries = _canaries(deployment)
    deployment = replace(deployment, grpc_port=None)  # one port is all that KServe leads to
    if len(canaries) > 1:
        raise StrataError(
            f"KServe gives one version a share of the requests; service.yaml has {len(canaries)} canaries.",
            hint="Keep one of them in routes, or use --target kustomize.",
        )
    alone = replace(deployment, shares=tuple(one for one in deployment.shares if one.mode == "shadow"))
    files = {"kustomization.yaml": [kustomization([FILE])], FILE: [_service(alone)]}
    for one in canaries:
        files[f"{CANARY}/kustomization.yaml"] = [kustomization([FILE])]
        files[f"{CANARY}/{FILE}"] = [_service(_canary(alone, one), percent=one.percent)]
    return files


def notes(deployment: Deployment) -> list[str]:
    """What is worth knowing beside the files, in sentences."""
    told = ["answers that take their time are given up when a pod ends: how long it has is KServe's own setting"]
    if deployment.grpc_port is not None:
        told.append("KServe leads to one port: gRPC is not offered")
    for one in _canaries(deployment):
        told.append(
            f"{one.reference} gets its {one.percent} % when {CANARY}/ is applied after the first answers "
            "(kubectl apply -k); KServe splits requests only where Knative runs them"
        )
    return told


def _canaries(deployment: Deployment) -> list[Share]:
    return [one for one in deployment.shares if one.mode == "canary"]


def _canary(deployment: Deployment, share: Share) -> Deployment:
    """The same service, with the canary's image in place of its own. What is known of its version is its name."""
    model, _, version = share.reference.partition("@")
    known = replace(
        deployment.provenance, model=model, version=version, stage="", commit="", run="", digest="", signer="",
        format="", file="", sha256="", event="",
    )  # fmt: skip
    return replace(deployment, image=share.image, provenance=known)


def _service(deployment: Deployment, *, percent: int | None = None) -> dict[str, Any]:
    share = {} if percent is None else {"canaryTrafficPercent": percent}
    return {
        "apiVersion": API_VERSION,
        "kind": "InferenceService",
        "metadata": {"name": object_name(deployment), "labels": labels(deployment), "annotations": deployment.facts},
        "spec": {
            "predictor": {
                "minReplicas": deployment.replicas,
                "maxReplicas": max(1, deployment.replicas),
                **share,
                "timeout": deployment.timeout,
                "labels": labels(deployment),
                "annotations": deployment.facts,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": pod_security(),
                "containers": containers(deployment, api="kserve-container"),
                "volumes": volumes(),
            }
        },
    }
