"""`import hf DIR`: a local Hugging Face directory becomes a model or dataset version.

The README is the card; a model's figures come from its model-index. Safetensors and ONNX are looked for first; files
that can run code when loaded are taken only with `pickles`, and what lies in them is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strata_git.authoring.dataset import DatasetRequest, add_dataset, pending
from strata_git.authoring.model import next_version, require_contract
from strata_git.checks.plain import dig, items, mapping, number, text
from strata_git.contracts.layout import CHECKSUMS, METADATA, NAME, Artifact
from strata_git.contracts.model import front_matter
from strata_git.errors import StrataError, UsageError, printable
from strata_git.exchange.foreign_run import slug
from strata_git.exchange.licences import spdx
from strata_git.exchange.staging import below, copy_tree
from strata_git.integrity import checksums
from strata_git.integrity.digest import sha256_directory
from strata_git.integrity.scan import scan_file
from strata_git.load import Unloadable, dump_yaml, load_json
from strata_git.repo.command import Repository
from strata_git.repo.files import copy_file, fsync_dir, unwritable, write_file

_WEIGHTS = (".safetensors", ".onnx", ".skops", ".gguf", ".h5", ".keras", ".tflite")
_RUNS_CODE = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".msgpack", ".npy", ".npz", ".t7")
_LEAVE = frozenset({".cache", ".git", ".gitattributes", ".gitignore", ".huggingface"})
_LOWER = re.compile(r"loss|error|mse|mae|rmse|perplexity|wer|cer|latency", re.IGNORECASE)
_SCAN_LIMIT = 512 << 20
_DIALECTS = {"sklearn": "scikit-learn"}


@dataclass(frozen=True, slots=True)
class HfImport:
    """What to import. `kind` is model, dataset or `""` (to be told by the files), `metrics` figures beside the card's.

    `source` is where the directory comes from, in words; `pickles` lets files in that can run code.
    """

    directory: Path
    name: str
    kind: str = ""
    source: str = ""
    licence: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    pickles: bool = False


@dataclass(frozen=True, slots=True)
class HfImported:
    """The version in the work tree, its digest, and what there is to tell of it."""

    artifact: Artifact
    digest: str
    files: int
    warnings: tuple[str, ...]

    @property
    def message(self) -> str:
        """What the commit that adds it should say."""
        return f"Add {self.artifact.reference} from Hugging Face"


def import_hf(repo: Repository, wanted: HfImport, *, now: datetime | None = None) -> HfImported:
    """Make the next version from a directory. StrataError, and nothing left, where it cannot be one."""
    if not NAME.fullmatch(wanted.name):
        raise UsageError(f"'{printable(wanted.name)}' is not a name: lower-case letters and digits, joined by - or _.")
    if not wanted.directory.is_dir():
        raise StrataError(f"{printable(str(wanted.directory))} is not a directory.")
    with pending(repo.require_worktree(), "import-hf") as place:
        names = _copied(wanted.directory.absolute(), place)
        card = _card(place)
        kind = wanted.kind or _kind(names, card)
        if kind == "dataset":
            return _dataset(repo, wanted, place, card, now)
        return _model(repo, wanted, place, card, now or datetime.now(UTC))


def _copied(source: Path, place: Path) -> list[str]:
    """The directory's files, without what the hub and git keep beside them."""
    try:
        entries = sorted(entry for entry in os.listdir(source) if entry not in _LEAVE)
    except OSError as error:
        raise StrataError(f"{printable(str(source))} cannot be read: {error.strerror}.") from None
    for entry in entries:
        path = below(source, entry, "The directory") if not (source / entry).is_symlink() else source / entry
        if path.is_symlink():
            raise StrataError(
                f"{printable(str(path))} is a link, as in the hub's cache: it is not followed.",
                hint="Get the files themselves: hf download REPO --local-dir DIR",
            )
        if path.is_dir():
            copy_tree(path, place / entry)
    for entry in entries:
        if (source / entry).is_file():
            copy_file(source / entry, place / entry)
    return [path.relative_to(place).as_posix() for path in sorted(place.rglob("*")) if path.is_file()]


def _card(place: Path) -> Mapping[str, object]:
    try:
        return mapping(front_matter((place / "README.md").read_bytes()).value)
    except (OSError, Unloadable):
        return {}


def _kind(names: Sequence[str], card: Mapping[str, object]) -> str:
    if any(key in card for key in ("dataset_info", "configs", "task_categories")):
        return "dataset"
    weights = any(name.endswith((*_WEIGHTS, *_RUNS_CODE)) for name in names)
    model = weights or "config.json" in names or any(key in card for key in ("library_name", "model-index"))
    return "model" if model else "dataset"


def _licence(wanted: HfImport, card: Mapping[str, object]) -> str:
    said = wanted.licence or text(card.get("license")) or ""
    return spdx(said) or said or "NOASSERTION"


# -- datasets --------------------------------------------------------------------------------------------------------


def _dataset(
    repo: Repository, wanted: HfImport, place: Path, card: Mapping[str, object], now: datetime | None
) -> HfImported:
    added = add_dataset(
        repo,
        DatasetRequest(
            source=place,
            name=wanted.name,
            splits=tuple(_splits(card)),
            given=wanted.source or f"Hugging Face directory {wanted.directory.name}",
            description=(text(card.get("pretty_name")) or "").strip(),
            licence=_licence(wanted, card),
            process="imported from a Hugging Face directory",
        ),
        now=now,
    )
    return HfImported(added.artifact, added.digest, added.files, added.warnings)


def _splits(card: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Splits and patterns of the first configuration; none means one split of everything."""
    config = next(iter(items(card.get("configs"))), {})
    for one in items(dig(config, "data_files")):
        split, paths = text(dig(one, "split")), dig(one, "path")
        for path in [paths] if isinstance(paths, str) else items(paths):
            if split and isinstance(path, str):
                yield slug(split, "data"), path


# -- models ----------------------------------------------------------------------------------------------------------


def _model(repo: Repository, wanted: HfImport, place: Path, card: Mapping[str, object], now: datetime) -> HfImported:
    names = [path.relative_to(place).as_posix() for path in sorted(place.rglob("*")) if path.is_file()]
    file = _main_file(place, names)
    warnings = tuple(_scanned(place, names, allowed=wanted.pickles))
    figures = _figures(wanted, card)
    text_card = _completed(place, card, wanted, figures)
    (place / "README.md").unlink(missing_ok=True)
    for reserved in (METADATA, CHECKSUMS, "SIGNATURE.asc", "model.sig"):
        if (place / reserved).exists():
            raise StrataError(f"The directory holds a file named {reserved}, which is a version's own.")
    write_file(place / "card.md", text_card)
    write_file(place / "metrics.yaml", dump_yaml({"metrics": figures}))
    root = repo.require_worktree()
    artifact = Artifact("model", wanted.name, f"v{next_version(repo, root, wanted.name)}")
    digest, count = _sealed(place, artifact, _metadata(place, card, wanted, file, artifact, now))
    home = root / artifact.path
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        os.rename(place, home)
    except OSError as error:
        raise unwritable(home, error) from None
    fsync_dir(home.parent)
    return HfImported(artifact, digest, count, warnings)


def _main_file(place: Path, names: Sequence[str]) -> str:
    for endings in (_WEIGHTS, _RUNS_CODE):
        for ending in endings:
            fitting = [name for name in names if name.lower().endswith(ending)]
            if fitting:
                return max(fitting, key=lambda name: ((place / name).stat().st_size, name))
    raise StrataError(
        "The directory holds no weights in a format that is known.",
        hint=f"One of: {', '.join((*_WEIGHTS, *_RUNS_CODE))}",
    )


def _scanned(place: Path, names: Sequence[str], *, allowed: bool) -> Iterator[str]:
    """What a scan finds; StrataError for files that can run code, where they were not let in."""
    for name in names:
        path = place / name
        if path.stat().st_size > _SCAN_LIMIT:
            yield f"{printable(name)} was not looked into: it has more than {_SCAN_LIMIT >> 20} MiB"
            continue
        report = scan_file(name.rpartition("/")[2], path.read_bytes())
        told = [f"{printable(name)} {danger.what}" for danger in report.dangers]
        if report.imports:
            told.append(f"{printable(name)} imports {', '.join(printable(one) for one in sorted(report.imports)[:8])}")
        if told and not allowed:
            raise StrataError(
                f"{told[0]}.",
                hint="Convert it to safetensors, leave it out, or take it as it is with --allow-pickle.",
            )
        yield from told


def _figures(wanted: HfImport, card: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """metrics.yaml: the card's own figures by name, and those of the command line."""
    found: dict[str, tuple[float, str]] = {}
    for model in items(card.get("model-index")):
        for result in items(dig(model, "results")):
            split = slug(text(dig(result, "dataset", "split")) or "", "test")
            for metric in items(dig(result, "metrics")):
                value, name = number(dig(metric, "value")), text(dig(metric, "name")) or text(dig(metric, "type"))
                if value is not None and name:
                    found.setdefault(name, (value, split))
    found |= {name: (value, "test") for name, value in wanted.metrics}
    if not found:
        raise StrataError(
            "The card has no figures (model-index), so no later version could be compared with it.",
            hint="Give some: --metric accuracy=0.91",
        )
    return {
        name: {
            "value": value, "direction": "lower" if _LOWER.search(name) else "higher", "tolerance": 0, "split": split
        }
        for name, (value, split) in found.items()
    }  # fmt: skip


def _completed(
    place: Path, card: Mapping[str, object], wanted: HfImport, figures: Mapping[str, Mapping[str, object]]
) -> bytes:
    """card.md: the README as it is where its front matter serves, else with one that does."""
    readme = place / "README.md"
    body = readme.read_bytes() if readme.is_file() else f"# {wanted.name}\n".encode()
    if items(card.get("model-index")):
        return body
    if card:
        _, _, rest = body.partition(b"---\n")
        body = rest.partition(b"\n---")[2].partition(b"\n")[2]
    results = [
        {
            "task": {"type": text(card.get("pipeline_tag")) or "other"},
            "dataset": {"type": "unknown", "name": "unknown"},
            "metrics": [{"type": name, "value": one["value"], "name": name} for name, one in figures.items()],
        }
    ]
    front = {**card, "model-index": [{"name": wanted.name, "results": results}]}
    return b"---\n" + dump_yaml(front) + b"---\n" + body


def _metadata(
    place: Path, card: Mapping[str, object], wanted: HfImport, file: str, artifact: Artifact, now: datetime
) -> dict[str, object]:
    library = text(card.get("library_name")) or _library(file)
    return {
        "kind": "model",
        "name": artifact.name,
        "version": artifact.version,
        "created": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": f"Imported from {printable(wanted.source or f'Hugging Face directory {wanted.directory.name}')}",
        "licence": _licence(wanted, card),
        "artifact": file,
        "format": slug(file.rpartition(".")[2], "unknown"),
        "framework": {"name": _DIALECTS.get(library, library), "version": _config_version(place)},
        "run": None,
        "datasets": [],
        "signature": {"inputs": [], "outputs": []},
        "trusted_types": [],
    }


def _library(file: str) -> str:
    return {".onnx": "onnx", ".gguf": "gguf", ".skops": "sklearn"}.get(f".{file.rpartition('.')[2]}", "transformers")


def _config_version(place: Path) -> str:
    try:
        said = load_json((place / "config.json").read_bytes(), limit=4 << 20).value
    except (OSError, Unloadable):
        return "unknown"
    version = text(dig(said, "transformers_version")) or ""
    return printable(version)[:100].strip() or "unknown"


def _sealed(place: Path, artifact: Artifact, about: dict[str, object]) -> tuple[str, int]:
    """Write metadata.yaml and CHECKSUMS.txt; the digest and the number of files."""
    try:
        payload = {path: sha256 for path, sha256, _ in sha256_directory(place)}
        data = dump_yaml({**about, "content_hash": checksums.content_hash(payload, kind=artifact.kind)})
        require_contract(data)
        write_file(place / METADATA, data)
        listed = checksums.render(payload | {METADATA: checksums.digest(data).removeprefix("sha256:")})
    except ValueError as error:
        raise StrataError(f"{artifact.reference} cannot be written: {printable(str(error))}.") from None
    write_file(place / CHECKSUMS, listed)
    return checksums.digest(listed), len(payload) + 1
