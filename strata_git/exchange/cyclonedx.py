"""CycloneDX 1.6 ML-BOM for a model version: the model, its data, the packages it was made with, and its signatures.

What the bill says follows from the version alone: the serial number is a UUIDv5 of the artifact's digest and the time
that of metadata.yaml, so the same version gives the same bytes. Source: ECMA-424, https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from strata_git import __version__
from strata_git.checks.plain import dig, mapping, number, text
from strata_git.contracts.layout import CHECKSUMS, MODEL_SIG, SIGNATURE
from strata_git.exchange.licences import UNKNOWN, spdx
from strata_git.exchange.subject import (
    Subject,
    artifact_named,
    moment,
    named_columns,
    paragraph,
    plain,
    require_kind,
    uri,
)
from strata_git.index.export import Plain
from strata_git.index.records import ArtifactRecord, FileRecord


def cyclonedx(subject: Subject) -> Plain:
    """The bill. StrataError for what is no model."""
    require_kind(subject, "A CycloneDX ML-BOM", "model")
    libraries = _libraries(subject)
    data = [_dataset(record) for record in _datasets(subject)]
    missing = [
        _unknown(cited.reference)
        for cited in subject.record.inputs
        if all(cited.reference != component["bom-ref"] for component in data)
    ]
    components = [*data, *missing, *libraries]
    timestamp = moment(subject.metadata.get("created"))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'strata:{subject.record.digest}')}",
        "version": 1,
        "metadata": {
            **({"timestamp": timestamp} if timestamp else {}),
            "tools": {"components": [{"type": "application", "name": "git-strata", "version": __version__}]},
            "component": _model(subject),
        },
        "components": components,
        "dependencies": _dependencies(subject, [str(component["bom-ref"]) for component in components]),
    }


def _model(subject: Subject) -> Plain:
    said, artifact = subject.metadata, subject.artifact
    file = subject.record.file
    return {
        "type": "machine-learning-model",
        "bom-ref": artifact.reference,
        "name": artifact.name,
        "version": artifact.version,
        "description": paragraph(said.get("description")),
        **({"hashes": _hash(file[1])} if file else {}),
        "licenses": _licences(said.get("licence")),
        "externalReferences": [_reference(subject, each) for each in subject.description.files if _refers(each.name)],
        "modelCard": _card(subject),
        "components": [_file(subject, file) for file in subject.description.files if file.sha256],
        "properties": _properties(
            {
                "strata:digest": subject.record.digest,
                "strata:content_hash": subject.record.content_hash,
                "strata:repository": subject.repository,
                "strata:run": subject.record.run,
                "strata:stage": ",".join(subject.record.stages),
                "strata:format": plain(said.get("format")),
                "strata:introduced": subject.record.introduced.commit if subject.record.introduced else "",
            }
        ),
    }


def _card(subject: Subject) -> Plain:
    said = subject.metadata
    framework = said.get("framework")
    measured = mapping(subject.document("metrics.yaml").get("metrics"))
    parameters: Plain = {
        "datasets": [{"ref": cited.reference} for cited in subject.record.inputs],
        "inputs": [{"format": kind} for _, kind in named_columns(dig(said, "signature", "inputs"))],
        "outputs": [{"format": kind} for _, kind in named_columns(dig(said, "signature", "outputs"))],
    }
    metrics = [
        {
            "type": plain(name),
            "value": repr(number(dig(one, "value"))),
            **({"slice": plain(dig(one, "split"))} if text(dig(one, "split")) else {}),
        }
        for name, one in measured.items()
        if number(dig(one, "value")) is not None
    ]
    return {
        "bom-ref": f"{subject.artifact.reference}/card",
        "modelParameters": {key: value for key, value in parameters.items() if value},
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
        "properties": _properties(
            {
                "strata:framework": plain(dig(framework, "name")),
                "strata:framework_version": plain(dig(framework, "version")),
            }
        ),
    }


def _datasets(subject: Subject) -> list[ArtifactRecord]:
    cites = {cited.reference for cited in subject.record.inputs}
    return [node.record for node in subject.lineage.nodes if node.record and node.record.reference in cites]


def _dataset(record: ArtifactRecord) -> Plain:
    """A dataset version; its files are held by one list of their digests, which is its identity."""
    held = f"{record.artifact.path}/{CHECKSUMS}"
    digest = (record.digest or "").removeprefix("sha256:")
    return {
        "type": "data",
        "bom-ref": record.reference,
        "name": record.artifact.name,
        "version": record.artifact.version,
        "description": paragraph(record.description),
        "data": [{"type": "dataset", "name": record.artifact.name}],
        **({"components": [{"type": "file", "name": held, "hashes": _hash(digest)}]} if digest else {}),
        "properties": _properties({"strata:digest": record.digest, "strata:content_hash": record.content_hash}),
    }


def _unknown(reference: str) -> Plain:
    """Data that the model names and this revision does not hold."""
    found = artifact_named(reference)
    return {
        "type": "data",
        "bom-ref": reference,
        "name": found.name if found else plain(reference),
        **({"version": found.version} if found else {}),
    }


def _libraries(subject: Subject) -> list[Plain]:
    """The packages of the run's system.json, by their package URL."""
    packages = mapping(mapping(subject.run.get("system.json")).get("packages"))
    found: dict[str, Plain] = {}
    for name, version in sorted(packages.items()):
        if not text(version):
            continue
        normal = plain(name).lower().replace("_", "-")
        purl = f"pkg:pypi/{quote(normal, safe='.-~')}@{quote(plain(version), safe='.-~+')}"
        found[purl] = {
            "type": "library", "bom-ref": purl, "name": plain(name), "version": plain(version), "purl": purl
        }  # fmt: skip
    return list(found.values())


def _dependencies(subject: Subject, components: list[str]) -> list[Plain]:
    parents = {
        record.reference: sorted({c.reference for c in record.inputs} & set(components))
        for record in _datasets(subject)
    }
    return [
        {"ref": subject.artifact.reference, "dependsOn": sorted(set(components))},
        *_below(parents, sorted(set(components))),
    ]


def _below(parents: Mapping[str, list[str]], components: Iterable[str]) -> list[Plain]:
    return [{"ref": name, "dependsOn": parents.get(name, [])} for name in components]


def _refers(name: str) -> bool:
    return name in (SIGNATURE, MODEL_SIG, CHECKSUMS, "card.md")


def _reference(subject: Subject, file: FileRecord) -> Plain:
    kind = {SIGNATURE: "digital-signature", MODEL_SIG: "digital-signature", CHECKSUMS: "attestation"}
    return {
        "type": kind.get(file.name, "model-card"),
        "url": uri(f"{subject.artifact.path}/{file.name}"),
        **({"hashes": _hash(file.sha256)} if file.sha256 else {}),
    }


def _file(subject: Subject, file: FileRecord) -> Plain:
    return {
        "type": "file",
        "name": plain(f"{subject.artifact.path}/{file.name}"),
        "hashes": _hash(file.sha256 or ""),
    }


def _hash(sha256: str) -> list[Plain]:
    return [{"alg": "SHA-256", "content": sha256}]


def _licences(said: object) -> list[Plain]:
    words = plain(said).strip()
    if words.casefold() in UNKNOWN:
        return []
    return [{"license": {"id": spdx(words)} if spdx(words) else {"name": words}}]


def _properties(given: dict[str, str | None]) -> list[Plain]:
    return [{"name": name, "value": value} for name, value in given.items() if value]
