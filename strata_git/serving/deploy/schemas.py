"""Whether manifests are what their readers take, judged before anything is written and without a network.

Kubernetes' own schemas come with kubernetes-validate, that of Compose with check-jsonschema, that of Ray Serve with
Ray. A KServe predictor is a pod's specification and a few words more: the first is judged as a pod by Kubernetes'
schema, the others by one of our own for exactly what is written here, as is kustomization.yaml. A kind that nobody
knows is a complaint, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.deploy import kserve

if TYPE_CHECKING:
    from strata_git.serving.deploy.rendering import Rendering

_EXTRA = "deploy"
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        "labels": _TEXTS,
        "annotations": _TEXTS,
    },
}
_OWN_PREDICTOR = {
    "minReplicas": {"type": "integer", "minimum": 0},
    "maxReplicas": {"type": "integer", "minimum": 1},
    "canaryTrafficPercent": {"type": "integer", "minimum": 0, "maximum": 100},
    "timeout": {"type": "integer", "minimum": 1},
    "labels": _TEXTS,
    "annotations": _TEXTS,
}
"""What a predictor says beyond a pod's specification (serving.kserve.io/v1beta1, ComponentExtensionSpec)."""
_INFERENCE_SERVICE = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": kserve.API_VERSION},
        "kind": {"const": "InferenceService"},
        "metadata": _METADATA,
        "spec": {
            "type": "object",
            "required": ["predictor"],
            "additionalProperties": False,
            "properties": {"predictor": {"type": "object", "required": ["containers"], "properties": _OWN_PREDICTOR}},
        },
    },
}
_KUSTOMIZATION = {
    "type": "object",
    "required": ["apiVersion", "kind", "resources"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "kustomize.config.k8s.io/v1beta1"},
        "kind": {"const": "Kustomization"},
        "resources": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    },
}


def complaints(rendering: Rendering) -> list[str]:
    """What is wrong with the documents: `deployment.yaml: spec.replicas: …`. Empty: nothing.

    Raises MissingExtra, or StrataError, where a schema is not installed: what was not judged is not said to be right.
    """
    return [
        f"{name}: {told}"
        for name, documents in rendering.documents.items()
        for document in documents
        for told in _judged(rendering, name, document)
    ]


def judge_document(target: str, document: Mapping[str, Any]) -> list[str]:
    """What is wrong with one document of `target`."""
    judges = {"compose": _compose, "ray": _ray, "kustomize": _kubernetes, "kserve": _kubernetes}
    return list(judges[target](document))


def _judged(rendering: Rendering, name: str, document: Mapping[str, Any]) -> Iterator[str]:
    yield from judge_document(rendering.target, document)
    if document.get("kind") == "Kustomization":
        below = name.rpartition("/")[0]
        for resource in document.get("resources", ()):
            if (f"{below}/{resource}" if below else resource) not in rendering.documents:
                yield f"resources: there is no {printable(str(resource))}"


def _compose(document: Mapping[str, Any]) -> Iterator[str]:
    import json
    from importlib.resources import files

    try:
        found = files("check_jsonschema").joinpath("builtin_schemas", "vendor", "compose-spec.json")
    except ModuleNotFoundError:
        raise MissingExtra(_EXTRA, "Judging compose.yaml") from None
    yield from _against(json.loads(found.read_text("utf-8")), document)


def _kubernetes(document: Mapping[str, Any]) -> Iterator[str]:
    known = {"InferenceService": _inference_service, "Kustomization": _kustomization}
    special = known.get(str(document.get("kind")))
    yield from special(document) if special else _object(document)


def _kustomization(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _against(_KUSTOMIZATION, document)


def _inference_service(document: Mapping[str, Any]) -> Iterator[str]:
    wrong = list(_against(_INFERENCE_SERVICE, document))
    yield from wrong
    if wrong:
        return
    predictor = document["spec"]["predictor"]
    pod = {name: value for name, value in predictor.items() if name not in _OWN_PREDICTOR}
    wrapped = {"apiVersion": "v1", "kind": "Pod", "metadata": dict(document["metadata"]), "spec": pod}
    for told in _object(wrapped):
        yield f"spec.predictor.{told.removeprefix('spec.')}"
    if not any(one["name"] == "kserve-container" for one in predictor["containers"]):
        yield "spec.predictor.containers: none is called kserve-container"


def _object(document: Mapping[str, Any]) -> Iterator[str]:
    """One object of Kubernetes itself, strictly: no field that its schema does not have."""
    try:
        import kubernetes_validate as kubernetes
    except ImportError:
        raise MissingExtra(_EXTRA, "Judging manifests for Kubernetes") from None
    if not {"apiVersion", "kind"} <= document.keys():
        yield "it names no apiVersion and kind"
        return
    try:
        kubernetes.validate(dict(document), kubernetes.latest_version(), strict=True)
    except kubernetes.SchemaNotFoundError as error:
        yield f"kind: {printable(f'{error.api_version} {error.kind}')} is unknown to Kubernetes {error.version}"
    except kubernetes.ValidationError as error:
        yield f"{_place(error.absolute_path)}: {_sentence(error.message)}"


def _ray(document: Mapping[str, Any]) -> Iterator[str]:
    import warnings

    from pydantic import ValidationError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, about its dependencies
        try:
            from ray.serve.schema import ServeDeploySchema
        except ImportError:
            raise StrataError("Judging a configuration of Ray Serve needs Ray Serve, which is not installed.",
                              hint="pip install 'ray[serve]'") from None  # fmt: skip
        try:
            made = ServeDeploySchema.model_validate(dict(document))
        except ValidationError as error:
            for one in error.errors():
                yield f"{_place(one['loc'])}: {_sentence(one['msg'])}"
            return
    yield from _lost(document, made.model_dump(exclude_unset=True), ())


def _lost(said: Any, kept: Any, place: tuple[Any, ...]) -> Iterator[str]:
    """Keys that the reader passed over: it takes anything, and then does something else."""
    if isinstance(said, Mapping) and isinstance(kept, Mapping):
        for name, value in said.items():
            if name in kept:
                yield from _lost(value, kept[name], (*place, name))
            else:
                yield f"{_place((*place, name))}: is not known"
    elif isinstance(said, list) and isinstance(kept, list):
        for number, (one, other) in enumerate(zip(said, kept, strict=False)):
            yield from _lost(one, other, (*place, number))


def _against(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    try:
        from jsonschema.validators import validator_for
    except ImportError:
        raise MissingExtra(_EXTRA, "Judging manifests") from None
    for error in validator_for(schema)(schema).iter_errors(document):
        yield f"{_place(error.absolute_path)}: {_sentence(error.message)}"


def _place(path: Any) -> str:
    return printable(".".join(map(str, path))) or "(whole)"


def _sentence(message: str) -> str:
    told = printable(" ".join(message.split()))
    return told if len(told) <= 300 else f"{told[:300]}…"
