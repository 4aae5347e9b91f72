"""A kustomize base: what a cluster needs to run a service, and nothing that it does not.

Nobody reaches its pods but through the port of the api-service, and they reach nobody; the model-service has no port.
"""

from __future__ import annotations

from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.deploy.containers import containers, labels, object_name, pod_security, volumes
from strata_git.serving.deploy.manifest import GRPC_PORT, LEAVE, Deployment
from strata_git.serving.image.entry import PORT

FILE = "kustomization.yaml"


def rendered(deployment: Deployment) -> dict[str, list[dict[str, Any]]]:
    """File -> its documents. Raises StrataError for a service that asks nobody who they are."""
    refuse_open_door(deployment, "a cluster")
    files = {
        "serviceaccount.yaml": [_account(deployment)],
        "deployment.yaml": [_pods(deployment)],
        "service.yaml": [_door(deployment)],
        "networkpolicy.yaml": _policies(deployment),
    }
    if deployment.replicas > 1:
        files["poddisruptionbudget.yaml"] = [_budget(deployment)]
    return {FILE: [kustomization(list(files))], **files}


def notes(deployment: Deployment) -> list[str]:
    """What is worth knowing beside the files, in sentences."""
    told = ["requests are taken from every pod of the cluster: they must bring a key or a token"]
    if deployment.issuer:
        told.append("pods may ask name servers and HTTPS servers: the keys of the identity provider are fetched there")
    return told


def kustomization(resources: list[str]) -> dict[str, Any]:
    """kustomization.yaml over `resources`."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources}


def refuse_open_door(deployment: Deployment, where: str) -> None:
    """Raise StrataError where others than this machine would reach a service that asks nobody who they are (TFC-0012
    4.3)."""
    if not deployment.is_open:
        raise StrataError(
            f"In {where} others reach {deployment.name}, and it asks nobody who they are.",
            hint="Say api.auth in service.yaml: keys, or an identity provider (TFC-0012 4.3).",
        )


def _meta(deployment: Deployment) -> dict[str, Any]:
    return {"name": object_name(deployment), "labels": labels(deployment), "annotations": deployment.facts}


def _chosen(deployment: Deployment) -> dict[str, str]:
    """By what its pods are found. It never changes: a Deployment cannot choose others later."""
    return {"app.kubernetes.io/name": object_name(deployment), "app.kubernetes.io/managed-by": "git-strata"}


def _account(deployment: Deployment) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(deployment),
        "automountServiceAccountToken": False,
    }  # fmt: skip


def _pods(deployment: Deployment) -> dict[str, Any]:
    front, *models = containers(deployment, api="api-service")
    front["lifecycle"] = _after(LEAVE)
    for model in models:  # it is asked until the api-service has answered everybody
        model["lifecycle"] = _after(LEAVE + deployment.drain + 2)
    pod = {
        "serviceAccountName": object_name(deployment),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": LEAVE + deployment.drain + 15,
        "securityContext": pod_security(),
        "containers": [front, *models],
        "volumes": volumes(),
    }
    if deployment.replicas > 1:
        pod["topologySpreadConstraints"] = [{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _chosen(deployment)},
        }]  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(deployment),
        "spec": {
            "replicas": deployment.replicas,
            "revisionHistoryLimit": 5,
            "selector": {"matchLabels": _chosen(deployment)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels(deployment), "annotations": deployment.facts},
                "spec": pod,
            },
        },
    }


def _after(seconds: int) -> dict[str, Any]:
    """A container that is to stop goes on for a while first."""
    return {"preStop": {"exec": {"command": ["python3", "-c", f"import time; time.sleep({seconds})"]}}}


def _door(deployment: Deployment) -> dict[str, Any]:
    ports = [{"name": "http", "port": deployment.port, "targetPort": "http1", "protocol": "TCP"}]
    if deployment.grpc_port is not None:
        ports.append({"name": "grpc", "port": deployment.grpc_port, "targetPort": "grpc", "protocol": "TCP"})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(deployment),
        "spec": {
            "type": "ClusterIP",
            "selector": _chosen(deployment),
            "ports": ports,
        },
    }


def _policies(deployment: Deployment) -> list[dict[str, Any]]:
    """Nothing comes in or goes out (first); but for requests to what answers them (second)."""
    ports = [PORT] if deployment.grpc_port is None else [PORT, GRPC_PORT]
    both = ["Ingress", "Egress"]
    shut = {"podSelector": {"matchLabels": _chosen(deployment)}, "policyTypes": both}
    ajar: dict[str, Any] = {
        "podSelector": {"matchLabels": _chosen(deployment)},
        "policyTypes": both if deployment.issuer else both[:1],
        "ingress": [{"ports": [{"protocol": "TCP", "port": port} for port in ports]}],
    }
    if deployment.issuer:
        ajar["egress"] = [
            {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
            {"ports": [{"protocol": "TCP", "port": 443}]},
        ]
    name = object_name(deployment)
    return [_policy(deployment, f"{name}-deny", shut), _policy(deployment, f"{name}-http", ajar)]


def _policy(deployment: Deployment, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {**_meta(deployment), "name": name},
        "spec": spec,
    }  # fmt: skip


def _budget(deployment: Deployment) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": _meta(deployment),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _chosen(deployment)}},
    }  # fmt: skip
