"""README.md as the Hugging Face hub reads it: front matter, then words; for a model and for a dataset.

A model's own card.md is taken as it is and its front matter completed: what the card says is kept, what it leaves out
comes from metadata.yaml and metrics.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strata_git.checks.plain import dig, items, mapping, number, text
from strata_git.contracts.model import front_matter
from strata_git.exchange.licences import UNKNOWN, spdx
from strata_git.exchange.subject import Subject, artifact_named, cited, named_columns, paragraph, plain, require_kind
from strata_git.index.export import Plain, encodable
from strata_git.load import Unloadable, dump_yaml

_LIBRARY = {"scikit-learn": "sklearn"}
_FENCE = "---"
_TYPES = {"integer": "int64", "number": "float64", "boolean": "bool", "string": "string"}


def hf_card(subject: Subject) -> bytes:
    """The whole README.md. StrataError for what is neither model nor dataset."""
    require_kind(subject, "A Hugging Face card", "model", "dataset")
    model = subject.artifact.kind == "model"
    front, body = _model(subject) if model else _dataset(subject)
    return f"{_FENCE}\n".encode() + dump_yaml(encodable(front)) + f"{_FENCE}\n{body}".encode("utf-8", "replace")


def _model(subject: Subject) -> tuple[Plain, str]:
    said, body = _taken_apart(subject.card)
    ours = {
        "license": _licence(subject.metadata.get("licence")),
        "library_name": _library(subject),
        "datasets": [found.name for name in _datasets(subject) if (found := artifact_named(name))],
        "tags": [plain(subject.metadata.get("format"))],
        "model-index": [{"name": subject.artifact.name, "results": _results(subject, said)}],
    }
    front = {key: value for key, value in ours.items() if value not in ("", [], [""])} | dict(said)
    front["model-index"] = _index(subject, said.get("model-index"), ours["model-index"])
    if not front["model-index"]:
        del front["model-index"]
    return front, body or _words(subject)


def _taken_apart(card: str) -> tuple[Mapping[str, object], str]:
    """Front matter and body of a card; a card without readable front matter is all body."""
    try:
        said = mapping(front_matter(card.encode()).value)
    except Unloadable:
        return {}, card
    _, _, rest = card.partition(f"{_FENCE}\n")
    lines = rest.split("\n")
    end = next(number for number, line in enumerate(lines) if line.rstrip() == _FENCE)
    return said, "\n".join(lines[end + 1 :])


def _index(subject: Subject, said: object, ours: object) -> list[object]:
    """The card's own results, each bound to the content of the data; those of metrics.yaml where it has none."""
    kept = [model for model in items(said) if any(items(dig(r, "metrics")) for r in items(dig(model, "results")))]
    if not kept:
        return [model for model in items(ours) if items(dig(model, "results"))]
    return [
        {**mapping(model), "results": [_bound(subject, result) for result in items(dig(model, "results"))]}
        for model in kept
    ]


def _bound(subject: Subject, result: object) -> Plain:
    data = dict(mapping(dig(result, "dataset")))
    if not text(data.get("revision")) and len(subject.record.inputs) == 1 and subject.record.inputs[0].content_hash:
        data["revision"] = subject.record.inputs[0].content_hash
    task = dict(mapping(dig(result, "task"))) or {"type": "other"}
    data.setdefault("type", "unknown")
    data.setdefault("name", plain(data["type"]))
    return {**mapping(result), "task": task, "dataset": data}


def _results(subject: Subject, said: Mapping[str, object]) -> list[Plain]:
    """One result a split, from metrics.yaml."""
    described = mapping(subject.document("metrics.yaml").get("metrics"))
    splits = dict.fromkeys(plain(dig(one, "split")) for one in described.values())
    task = plain(said.get("pipeline_tag")) or "other"
    return [
        {
            "task": {"type": task},
            "dataset": _data(subject) | ({"split": split} if split else {}),
            "metrics": [
                {"type": plain(name), "value": number(dig(one, "value")), "name": plain(name)}
                for name, one in described.items()
                if plain(dig(one, "split")) == split and number(dig(one, "value")) is not None
            ],
        }
        for split in splits
    ]


def _data(subject: Subject) -> Plain:
    cites = subject.record.inputs
    if not cites:
        return {"type": "unknown", "name": "unknown"}
    found = artifact_named(cites[0].reference)
    revision = {"revision": cites[0].content_hash} if cites[0].content_hash else {}
    return {"type": found.name if found else "unknown", "name": cites[0].reference, **revision}


def _datasets(subject: Subject) -> list[str]:
    return cited(items(subject.metadata.get("datasets")))


def _library(subject: Subject) -> str:
    name = plain(dig(subject.metadata, "framework", "name"))
    return _LIBRARY.get(name, name)


def _licence(said: object) -> str:
    """As the hub spells it: lower-case, `other` for what it does not know, nothing where nothing was said."""
    words = plain(said).strip()
    if words.casefold() in UNKNOWN:
        return ""
    return spdx(words).lower() or "other"


def _words(subject: Subject) -> str:
    """What a card without a body says."""
    return f"# {subject.artifact.name}\n\n{paragraph(subject.metadata.get('description'))}\n"


# -- datasets --------------------------------------------------------------------------------------------------------


def _dataset(subject: Subject) -> tuple[Plain, str]:
    said = subject.metadata
    splits = mapping(said.get("splits"))
    features = [
        {"name": name, "dtype": _TYPES.get(kind, kind or "string")} for name, kind in named_columns(said.get("schema"))
    ]
    info: Plain = {
        "splits": [
            {"name": plain(name), "num_bytes": _whole(split, "bytes"), "num_examples": _whole(split, "rows")}
            for name, split in splits.items()
        ],
        "dataset_size": sum(_whole(split, "bytes") for split in splits.values()),
    }
    front: Plain = {
        "pretty_name": subject.artifact.name,
        "license": _licence(said.get("licence")),
        "tags": ["git-strata"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": plain(name), "path": _pattern(split)} for name, split in splits.items()],
            }
        ],
        "dataset_info": ({"features": features} if features else {}) | info,
    }
    if subject.card:
        theirs, body = _taken_apart(subject.card)
        return {key: value for key, value in front.items() if value} | dict(theirs), body
    return {key: value for key, value in front.items() if value}, _dataset_words(subject, list(splits.items()))


def _pattern(split: object) -> str:
    """The files of a split, from the version's own directory."""
    path = plain(dig(split, "path"))
    if path == ".":
        return "**"
    return path if "." in path.rpartition("/")[2] else f"{path}/**"


def _whole(split: object, key: str) -> int:
    return int(number(dig(split, key)) or 0)


def _dataset_words(subject: Subject, splits: Sequence[tuple[str, object]]) -> str:
    said = mapping(subject.metadata.get("provenance"))
    lines = [
        f"# {subject.artifact.name} {subject.artifact.version}",
        "",
        paragraph(subject.metadata.get("description")),
        "",
        "| split | files | rows | bytes |",
        "|---|---|---|---|",
        *(f"| {plain(name)} | {_cell(s, 'files')} | {_cell(s, 'rows')} | {_cell(s, 'bytes')} |" for name, s in splits),
        "",
        f"- Source: {plain(said.get('source'))}",
        f"- Process: {plain(said.get('process'))}",
        *(f"- Made from: {plain(name)}" for name in cited(items(said.get("parents")))),
        f"- Digest of CHECKSUMS.txt: `{subject.record.digest}`",
        f"- Content: `{subject.record.content_hash}`",
        "",
    ]
    return "\n".join(lines)


def _cell(split: object, key: str) -> str:
    figure = number(dig(split, key))
    return "" if figure is None else f"{figure}"
