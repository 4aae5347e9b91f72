"""What is written for each target: judged by the readers' own schemas, hardened, pinned, and the same every time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strata_git.contracts.base import parse
from strata_git.contracts.service import Service
from strata_git.errors import StrataError, UsageError
from strata_git.load import Document, load_yaml
from strata_git.serving.deploy.images import pinned
from strata_git.serving.deploy.manifest import Deployment, amount, described, plain_number
from strata_git.serving.deploy.rendering import TARGETS, Rendering, render
from strata_git.serving.deploy.schemas import complaints, judge_document
from strata_git.serving.provenance import Provenance

DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"registry.example.org:5000/team/churn@{DIGEST}"
FROM = Provenance("churn", "v3", "production", "c" * 40, "run-2026-11-21-001", "d" * 64, "Ada ${HOME} $(id)", "onnx")
KEYS = {"auth": {"keys": [{"name": "billing", "sha256": "2" * 64}]}}
ROUTES = [
    {"model": "churn@v4", "mode": "canary", "percent": 5}, {"model": "churn@v5", "mode": "shadow", "percent": 50},
]  # fmt: skip


def deployment(api: dict[str, Any] | None = None, **said: Any) -> Deployment:
    whole = {"schema": "strata/service/v1", "name": "churn", "model": "churn@production", **said}
    service = parse(Service, Document({**whole, "api": KEYS if api is None else api}, {}))
    return described(service, FROM, IMAGE, routed={route.model: IMAGE for route in service.routes})


def rendered(target: str, **said: Any) -> Rendering:
    return render(target, deployment(**said))


def containers(rendering: Rendering) -> list[dict[str, Any]]:
    if rendering.target == "kserve":
        found = rendering.documents["inferenceservice.yaml"][0]["spec"]["predictor"]["containers"]
    else:
        found = rendering.documents["deployment.yaml"][0]["spec"]["template"]["spec"]["containers"]
    made: list[dict[str, Any]] = found
    return made


@pytest.mark.parametrize("target", ["compose", "kustomize", "kserve"])
def test_their_readers_take_them(target: str) -> None:
    one = rendered(target, routes=ROUTES, resources={"replicas": 3, "cpu": "1500m", "memory": "1Gi"})
    assert complaints(one) == []
    assert (
        one.files == rendered(target, routes=ROUTES, resources={"replicas": 3, "cpu": "1500m", "memory": "1Gi"}).files
    )
    for name, data in one.files.items():
        assert data.startswith(b"# churn answers with churn@v3.")
        texts = data.split(b"\n---\n")
        assert [load_yaml(text).value for text in texts] == one.documents[name]
    whole = b"".join(one.files.values()).decode()
    assert DIGEST in whole
    assert "strata-digest" in whole or "strata.digest" in whole
    assert str(5) in whole


@pytest.mark.heavy
def test_ray_takes_its_own() -> None:
    one = rendered("ray", resources={"replicas": 2})
    assert complaints(one) == []
    document = one.documents["serve.yaml"][0]
    document["applications"][0]["deployments"][0]["num_replica"] = 2
    assert complaints(one) == ["serve.yaml: applications.0.deployments.0.num_replica: is not known"]
    document["applications"][0]["deployments"][0]["num_replicas"] = -1
    assert any("num_replicas" in told for told in complaints(one))
    app = document["applications"][0]
    assert app["runtime_env"]["image_uri"] == IMAGE
    assert app["runtime_env"]["env_vars"]["ORT_DISABLE_TELEMETRY"] == "1"


def test_a_composed_service_is_shut_in() -> None:
    services = rendered("compose", routes=ROUTES).documents["compose.yaml"][0]["services"]
    assert list(services) == ["api-service", "model-service", "canary-churn-v4", "shadow-churn-v5"]
    for name, one in services.items():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["user"] == "65532:65532"
        assert one["security_opt"] == ["no-new-privileges:true"]
        assert one["image"] == IMAGE
        assert (one.get("network_mode") == "none") == (name != "api-service")
        assert one["labels"]["strata.signer"] == "Ada $${HOME} $$(id)"  # nothing is replaced in it
    asked = [*services["api-service"]["entrypoint"], *services["api-service"]["command"]]
    assert "--canary=5:unix:/run/strata/canary-churn-v4.sock" in asked
    assert "--shadow=50:unix:/run/strata/shadow-churn-v5.sock" in asked
    assert services["api-service"]["ports"] == ["8080:8080"]
    alone = rendered("compose", api={"port": 9000}).documents["compose.yaml"][0]
    assert alone["services"]["api-service"]["ports"] == ["127.0.0.1:9000:8080"]


@pytest.mark.parametrize("target", ["compose", "kustomize"])
def test_what_is_started_takes_its_arguments(target: str) -> None:
    from strata_git.serving.api_service.__main__ import _parser as api
    from strata_git.serving.model_service.__main__ import _parser as model

    one = rendered(target, routes=ROUTES, api={**KEYS, "grpc_port": 9001})
    if target == "compose":
        found = list(one.documents["compose.yaml"][0]["services"].values())
        commands = [[*each["entrypoint"], *each["command"]] for each in found]
        assert found[0]["ports"] == ["8080:8080", "9001:8081"]
    else:
        commands = [each["command"] for each in containers(one)]
        assert one.documents["service.yaml"][0]["spec"]["ports"][1]["port"] == 9001
    told = api().parse_args(commands[0][4:])
    assert told.canary == [(5, "unix:/run/strata/canary-churn-v4.sock")]
    assert told.shadow == [(50, "unix:/run/strata/shadow-churn-v5.sock")]
    assert (told.port, told.grpc_port, told.model) == (8080, 8081, "unix:/run/strata/model.sock")
    sockets = [model().parse_args(command[4:]).socket for command in commands[1:]]
    assert [told.model, *(target for _, target in told.canary + told.shadow)] == [f"unix:{at}" for at in sockets]
    assert complaints(one) == []


def test_pods_are_shut_in() -> None:
    one = rendered("kustomize", resources={"replicas": 2}, routes=ROUTES)
    pod = one.documents["deployment.yaml"][0]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["terminationGracePeriodSeconds"] >= deployment().drain + 5
    for each in pod["containers"]:
        guarded = each["securityContext"]
        assert guarded["readOnlyRootFilesystem"] is True
        assert guarded["allowPrivilegeEscalation"] is False
        assert guarded["capabilities"] == {"drop": ["ALL"]}
        assert each["resources"]["limits"] == {"cpu": "500m", "memory": "512Mi"}
        assert ("ports" in each) == (each["name"] == "api-service")
    shut, ajar = one.documents["networkpolicy.yaml"]
    assert shut["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in shut["spec"]
    assert ajar["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8080}]}]
    assert "egress" not in ajar["spec"]
    assert "poddisruptionbudget.yaml" in one.files
    assert "poddisruptionbudget.yaml" not in rendered("kustomize").files
    resources = one.documents["kustomization.yaml"][0]["resources"]
    assert sorted(resources) == sorted(set(one.files) - {"kustomization.yaml"})


def test_an_identity_provider_can_be_asked_for_its_keys() -> None:
    api = {"auth": {"oidc": {"issuer": "https://login.example.org", "audience": "churn"}}}
    one = rendered("kustomize", api=api)
    assert [rule["ports"][0]["port"] for rule in one.documents["networkpolicy.yaml"][1]["spec"]["egress"]] == [53, 443]
    assert complaints(one) == []


def test_kserve_splits_by_its_own_means_and_shadows_stay_beside() -> None:
    one = rendered("kserve", routes=ROUTES)
    assert [each["name"] for each in containers(one)] == ["kserve-container", "model-service", "shadow-churn-v5"]
    canary = one.documents["canary/inferenceservice.yaml"][0]
    assert canary["spec"]["predictor"]["canaryTrafficPercent"] == 5
    assert canary["metadata"]["annotations"]["strata-model"] == "churn@v4"
    assert "strata-digest" not in canary["metadata"]["annotations"]
    with pytest.raises(StrataError, match="has 2 canaries"):
        rendered("kserve", routes=[ROUTES[0], {**ROUTES[1], "mode": "canary"}])


@pytest.mark.parametrize("target", ["kustomize", "kserve"])
def test_a_cluster_gets_no_service_that_asks_nobody(target: str) -> None:
    with pytest.raises(StrataError, match="asks nobody who they are"):
        rendered(target, api={})


def test_ray_has_no_shares_and_says_so() -> None:
    with pytest.raises(StrataError, match="has 2 routes"):
        rendered("ray", routes=ROUTES)
    assert rendered("ray", api={}).documents["serve.yaml"][0]["http_options"]["host"] == "127.0.0.1"


def test_names_that_a_cluster_does_not_take() -> None:
    assert render("kustomize", replace(deployment(), name="9_lives")).documents["service.yaml"][0]["metadata"][
        "name"
    ] == "service-9-lives"  # fmt: skip
    with pytest.raises(StrataError, match="too long a name"):
        render("kserve", replace(deployment(), name="a" * 51))


UNKNOWN = {"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": {"name": "x"}}


@pytest.mark.parametrize(
    ("target", "change", "told"),
    [
        ("kustomize", UNKNOWN, "kind: example.org/v1 Gadget is unknown"),
        ("kustomize", {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}},
         "prots"),
        ("kustomize", {"apiVersion": "apps/v2", "kind": "Deployment", "metadata": {"name": "x"}}, "unknown"),
        ("kustomize", {"kind": "Service"}, "names no apiVersion"),
        ("kustomize", {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resource": ["a"]},
         "resource"),
        ("compose", {"services": {"a": {"image": "x", "network_mod": "none"}}}, "network_mod"),
        ("kserve", {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
                    "metadata": {"name": "x"}, "spec": {"predictr": {}}}, "predictr"),
        ("kserve", {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "x"},
                    "spec": {"predictor": {"canaryTrafficPercent": 101, "containers": []}}}, "101"),
        ("kserve", {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "x"},
                    "spec": {"predictor": {"containers": [{"name": "kserve-container", "imag": "x"}]}}}, "imag"),
        ("kserve", {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "x"},
                    "spec": {"predictor": {"containers": [{"name": "a", "image": "x"}]}}}, "called kserve-container"),
    ],
)  # fmt: skip
def test_what_no_reader_takes_is_told(target: str, change: dict[str, Any], told: str) -> None:
    assert any(told in one for one in judge_document(target, change))


def test_a_resource_that_is_not_written_is_told() -> None:
    one = rendered("kustomize")
    one.documents["kustomization.yaml"][0]["resources"].append("secret.yaml")
    assert complaints(one) == ["kustomization.yaml: resources: there is no secret.yaml"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"churn@{DIGEST}", f"churn@{DIGEST}"),
        (f"localhost:5000/a/b:v1@{DIGEST}", f"localhost:5000/a/b@{DIGEST}"),
        (DIGEST, f"example/churn@{DIGEST}"),
    ],
)
def test_images_are_taken_by_digest(said: str, expected: str) -> None:
    assert pinned(said, repository="example/churn:latest") == expected


@pytest.mark.parametrize("said", ["churn", "churn:v1", "churn@sha256:12", "-x", "a b", "", "Churn", f"x\n@{DIGEST}"])
def test_other_images_are_not(said: str) -> None:
    with pytest.raises(UsageError):
        pinned(said)
    if said in ("churn", "churn:v1"):
        assert pinned(said, allow_tag=True) == said


def test_routes_need_an_image_each_and_no_others() -> None:
    service = parse(Service, Document({"schema": "strata/service/v1", "name": "churn", "model": "churn@production",
                                       "routes": ROUTES}, {}))  # fmt: skip
    with pytest.raises(UsageError, match="churn@v4 gets 5 %"):
        described(service, FROM, IMAGE)
    with pytest.raises(UsageError, match="churn@v9 is none"):
        described(service, FROM, IMAGE, routed={"churn@v4": IMAGE, "churn@v5": IMAGE, "churn@v9": IMAGE})


def test_quantities() -> None:
    told = {one: plain_number(amount(one)) for one in ("500m", "2", "0.25", "512Mi", "1G", "10")}
    assert told == {"500m": "0.5", "2": "2", "0.25": "0.25", "512Mi": "536870912", "1G": "1000000000", "10": "10"}
    with pytest.raises(ValueError, match="not a quantity"):
        amount("1Ei")


def test_every_target_has_a_renderer() -> None:
    from strata_git.cli.service.deploy import command

    choice = next(one for one in command.params if one.name == "target")
    assert tuple(choice.type.choices) == TARGETS  # type: ignore[attr-defined]
