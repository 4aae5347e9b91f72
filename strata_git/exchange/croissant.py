"""Croissant 1.1 (MLCommons) for a dataset version: JSON-LD that says which files there are and how to read records.

Every file is a FileObject with its SHA-256; a split is a RecordSet where its files are tables whose columns are known,
and an entry of the RecordSet `splits` in any case. Paths are those of the repository, so that a document at its root
finds the files; `base` puts an address before them. Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape

from strata_git.checks.plain import dig, items, mapping, text
from strata_git.contracts.layout import UNSUMMED
from strata_git.exchange.licences import address
from strata_git.exchange.subject import (
    Subject,
    artifact_named,
    cited,
    moment,
    named_columns,
    plain,
    require_kind,
    uri,
)
from strata_git.index.export import Plain
from strata_git.index.records import FileRecord

CONTEXT: Plain = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TABLES = {".csv": "text/csv", ".tsv": "text/tsv"}
_FORMATS = {
    **_TABLES, ".json": "application/json", ".jsonl": "application/jsonlines", ".ndjson": "application/jsonlines",
    ".parquet": "application/x-parquet", ".txt": "text/plain", ".md": "text/markdown", ".yaml": "application/yaml",
    ".yml": "application/yaml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".flac": "audio/flac",
    ".mp4": "video/mp4", ".pdf": "application/pdf", ".zip": "application/zip", ".gz": "application/gzip",
    ".tar": "application/x-tar", ".xml": "application/xml", ".html": "text/html",
}  # fmt: skip
_TYPES = {"integer": "sc:Integer", "number": "sc:Float", "boolean": "sc:Boolean", "date": "sc:Date"}
_NAMED = 100
"""Most files of a split that are named one by one a second time."""
_SPLITS = {
    "train": "cr:TrainingSplit", "training": "cr:TrainingSplit", "test": "cr:TestSplit",
    "validation": "cr:ValidationSplit", "valid": "cr:ValidationSplit", "val": "cr:ValidationSplit",
    "dev": "cr:ValidationSplit",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Split:
    """A split with its files."""

    name: str
    path: str
    files: Sequence[FileRecord]


def croissant(subject: Subject, *, base: str = "") -> Plain:
    """The document (JSON-LD); `base` is an address that ends with `/`, or nothing. StrataError for no dataset."""
    require_kind(subject, "Croissant", "dataset")
    said, artifact = subject.metadata, subject.artifact
    splits = _splits(subject)
    document: Plain = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": artifact.name,
        "description": plain(said.get("description")),
        "license": address(said.get("licence")),
        "version": f"{artifact.number}.0.0",
        "dateCreated": moment(said.get("created")),
        "datePublished": moment(said.get("created")),
        "url": f"{base}{uri(artifact.path)}/" if base else "",
        "identifier": subject.record.digest or "",
        "citeAs": _citation(subject),
        "distribution": [*_objects(subject, base), *(_file_set(subject, split) for split in splits if _as_set(split))],
        "recordSet": [_split_names(splits), *(_records(subject, split) for split in splits if _table(subject, split))],
        **_provenance(subject),
    }
    return {key: value for key, value in document.items() if value not in ("", [])}


def _splits(subject: Subject) -> list[_Split]:
    found = []
    for name, split in mapping(subject.metadata.get("splits")).items():
        path = text(dig(split, "path")) or ""
        files = [
            file for file in _payload(subject) if path == "." or file.name == path or file.name.startswith(f"{path}/")
        ]
        if files:
            found.append(_Split(plain(name), path, files))
    return found


def _payload(subject: Subject) -> list[FileRecord]:
    """Files with a digest, but for what is about the artifact."""
    about = {*UNSUMMED, "metadata.yaml"}
    return [file for file in subject.description.files if file.sha256 and file.name not in about]


def _objects(subject: Subject, base: str) -> list[Plain]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": _file_id(file),
            "name": plain(file.name),
            "contentUrl": f"{base}{uri(path)}" if base else path,
            "contentSize": f"{file.size} B",
            "encodingFormat": _format(file),
            "sha256": file.sha256,
        }
        for file in _payload(subject)
        for path in [f"{subject.artifact.path}/{file.name}"]
    ]


def _file_id(file: FileRecord) -> str:
    return f"file/{uri(file.name)}"


def _format(file: FileRecord) -> str:
    return _FORMATS.get(_suffix(file), "application/octet-stream")


def _suffix(file: FileRecord) -> str:
    stem, dot, suffix = file.name.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""


def _as_set(split: _Split) -> bool:
    return len(split.files) > 1


def _file_set(subject: Subject, split: _Split) -> Plain:
    """The files of a split together."""
    return {
        "@type": "cr:FileSet",
        "@id": f"files/{split.name}",
        "name": split.name,
        "encodingFormat": _format(split.files[0]),
        "includes": _patterns(subject, split),
    }


def _patterns(subject: Subject, split: _Split) -> list[str]:
    """Each file by its name; of many, all of their kind in and below the directory (readers differ about `*`)."""
    if len(split.files) <= _NAMED:
        return [escape(f"{subject.artifact.path}/{file.name}") for file in split.files]
    directory = escape(subject.artifact.path if split.path == "." else f"{subject.artifact.path}/{split.path}")
    suffixes = {_suffix(file) for file in split.files}
    kind = f"*{escape(suffixes.pop())}" if len(suffixes) == 1 else "*"
    return [f"{directory}/{kind}", f"{directory}/**/{kind}"]


def _split_names(splits: Sequence[_Split]) -> Plain:
    fields = {"name": "sc:Text", "url": "sc:URL"}
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"splits/{name}", "name": name, "dataType": kind}
            for name, kind in fields.items()
        ],
        "data": [{"splits/name": split.name, "splits/url": _SPLITS.get(split.name, "cr:Split")} for split in splits],
    }


def _table(subject: Subject, split: _Split) -> bool:
    """Whether the split's records can be read: tables of one format, with columns that metadata.yaml names."""
    suffixes = {_suffix(file) for file in split.files}
    return len(suffixes) == 1 and not suffixes - _TABLES.keys() and bool(named_columns(subject.metadata.get("schema")))


def _records(subject: Subject, split: _Split) -> Plain:
    """One record a row, the columns as fields."""
    identity = f"records/{split.name}"
    where = (
        {"fileSet": {"@id": f"files/{split.name}"}}
        if _as_set(split)
        else {"fileObject": {"@id": _file_id(split.files[0])}}
    )
    return {
        "@type": "cr:RecordSet",
        "@id": identity,
        "name": split.name,
        "description": f"The records of the split {split.name}.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{identity}/{uri(name)}",
                "name": name,
                "dataType": _type(kind),
                "source": {**where, "extract": {"column": name}},
            }
            for name, kind in named_columns(subject.metadata.get("schema"))
        ],
    }


def _type(kind: str) -> str:
    if kind.startswith(("int", "uint")):
        return "sc:Integer"
    return "sc:Float" if kind.startswith("float") else _TYPES.get(kind, "sc:Text")


def _provenance(subject: Subject) -> Plain:
    """Where it comes from, in PROV-O, which Croissant 1.1 takes up."""
    said = mapping(subject.metadata.get("provenance"))
    parents = [
        {"@id": uri(name), "prov:label": name, **({"prov:atLocation": uri(found.path)} if found else {})}
        for name in cited(items(said.get("parents")))
        for found in [artifact_named(name)]
    ]
    source = [{"@id": uri(plain(said.get("source"))), "prov:label": plain(said.get("source"))}]
    derived = (source if text(said.get("source")) else []) + parents
    process = {"@type": "prov:Activity", "prov:label": plain(said.get("process"))}
    told: Mapping[str, object] = {
        "prov:wasDerivedFrom": derived,
        "prov:wasGeneratedBy": process if text(said.get("process")) else "",
    }
    return dict(told)


def _citation(subject: Subject) -> str:
    """A line that names the content by its digest."""
    made = moment(subject.metadata.get("created"))[:4] or "n.d."
    return f"{subject.artifact.name} {subject.artifact.version} ({made}), {subject.record.digest}"
