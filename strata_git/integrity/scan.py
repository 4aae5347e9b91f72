"""Model files looked into by their content: what they would import, call, or unpack to. Pure; nothing is run.

A scanner is anything with `name`, `version` and `scan`; what several find is put together. All of them are tripwires.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from strata_git.integrity import formats
from strata_git.integrity.archives import Bomb, Budget, Damaged, TooMuch, is_outside, tar_members, unpacked, zip_members
from strata_git.integrity.imports import forbidden, judge_import
from strata_git.integrity.onnx_file import NotOnnx, external_files
from strata_git.integrity.opcodes import COMPUTED, walk_all

__all__ = ["Danger", "OpcodeScanner", "Report", "Scanner", "forbidden", "imports_of", "merged", "scan_file"]

Kind = Literal["harm", "disguise", "broken", "unknown", "code", "unscanned"]

SCAN_REVISION = 1
"""Raised by hand when a file is judged differently: no old verdict on large files is reused."""
DEPTH = 4
"""How deep archives in archives are looked into."""

_DATA = frozenset([
    "safetensors", "onnx", "skops", "gguf", "npy", "npz", "csv", "tsv", "json", "jsonl", "yaml", "yml", "txt", "md",
    "parquet", "arrow", "feather", "png", "jpg", "jpeg", "gif", "tflite", "xml", "toml", "ini", "pdf", "wav",
])  # fmt: skip
"""Endings of names that say: this cannot run code."""
_KERAS = frozenset({"h5", "hdf5", "keras"})
_ARRAY = "an array of objects, stored as a pickle"
_ZIP_END, _ZIP_TAIL = b"PK\x05\x06", 66_000
_PICKLES = ("pkl", "pickle", "joblib", "dill", "pt", "pth", "ckpt")
_COMPRESSED = ("gzip", "bz2", "xz", "lzma", "zlib")


@dataclass(frozen=True, slots=True, order=True)
class Danger:
    """One thing found in a file: `where` is the member inside it (`""`: the file itself), `what` a sentence's rest.

    `harm`: would take over the machine. `disguise`: is not what its name says. `broken`: unsound, or a bomb.
    `unknown`: imports what nobody vouches for. `code`: can run code. `unscanned`: was not looked into.
    """

    kind: Kind
    where: str
    what: str


class Scanner(Protocol):
    """Who looks into files."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    def scan(self, name: str, data: bytes) -> list[Danger]:
        """What is found in the file `name` with the content `data`; no file is opened, no code run."""


@dataclass(slots=True)
class Report:
    """What a file is and holds: `format` by content, `imports` of its pickles, `types` of a skops file."""

    format: str = ""
    dangers: list[Danger] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)
    external: set[str] = field(default_factory=set)

    def add(self, kind: Kind, where: str, what: str) -> None:
        """One more danger, unless it is told already."""
        danger = Danger(kind, where, what)
        if danger not in self.dangers:
            self.dangers.append(danger)


class OpcodeScanner:
    """Our own scanner."""

    name = "opcodes"
    version = str(SCAN_REVISION)

    def scan(self, name: str, data: bytes) -> list[Danger]:
        """Everything `scan_file` finds."""
        return scan_file(name, data).dangers


def scan_file(name: str, data: bytes) -> Report:
    """Look into the file `name` with the content `data`, and into what is packed into it."""
    report = Report()
    budget = Budget(len(data))
    report.format = _look(report, name, "", data, budget, 0)
    if not report.format and data[:1] == b"\x80" and data[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        report.add("code", "", "begins like a pickle")
    ending = _ending(name)
    runs = [danger for danger in report.dangers if danger.kind == "code"]
    arrays_alone = ending in ("npy", "npz") and report.format == ending and all(_ARRAY in one.what for one in runs)
    keras_alone = ending in _KERAS and report.format in ("hdf5", "zip")
    if runs and ending in _DATA | _KERAS and not arrays_alone and not keras_alone:
        report.add("disguise", "", f"is named .{ending} and {runs[0].what}")
    elif ending in ("safetensors", "gguf", "npy", "npz", "skops", "onnx") and report.format != ending:
        report.add("broken", "", f"is named .{ending} and does not begin like one")
    return report


def imports_of(data: bytes, name: str = "") -> frozenset[str]:
    """Every import of every pickle in a file, as dotted names; `?` for one that is only computed on the way.

    Empty for formats that cannot run code. To ask what a policy leaves: `forbidden(imports_of(data), allowed)`.
    """
    return frozenset(scan_file(name, data).imports)


def merged(found: Iterable[Iterable[Danger]]) -> list[Danger]:
    """What several scanners found, each thing once, the worst first."""
    order = ("harm", "disguise", "broken", "unknown", "code", "unscanned")
    every = {danger for dangers in found for danger in dangers}
    return sorted(every, key=lambda danger: (order.index(danger.kind), danger))


def _look(report: Report, name: str, where: str, data: bytes, budget: Budget, depth: int) -> str:
    """Look into `data`; the format it has."""
    kind = formats.detect(data)
    if not kind and _ending(name) in ("onnx", "pb"):
        kind = "onnx"
    try:
        if kind == "pickle" or (not kind and _ending(name) in _PICKLES and _is_pickle_end(data)):
            _look_at_pickle(report, where, data)
            if depth < DEPTH and data.rfind(_ZIP_END, -_ZIP_TAIL) >= 0:
                _look_into(report, where, data, "zip", budget, depth)
        elif kind in _COMPRESSED:
            _look_packed(report, name, where, data, kind, budget, depth)
        elif kind in ("zip", "tar"):
            kind = _look_into(report, where, data, kind, budget, depth)
        else:
            _look_at_data(report, name, where, data, kind)
    except Bomb:
        report.add("broken", where, "unpacks to far more than it holds")
    except TooMuch:
        report.add("unscanned", where, "unpacks to more than is looked into")
    except Damaged as error:
        report.add("broken", where, str(error))
    return kind


def _is_pickle_end(data: bytes) -> bool:
    return data[:1] == b"\x80" or data[-1:] == b"."


def _look_at_pickle(report: Report, where: str, data: bytes, *, told: bool = False) -> None:
    if not told:
        report.add("code", where, "is a pickle, which can run code when loaded")
    for done in walk_all(data):
        report.imports |= done.imports
        for oddity in done.oddities:
            report.add("harm", where, oddity)
        for imported in sorted(done.imports - {COMPUTED}):
            judged = judge_import(imported)
            if judged != "allowed":
                does = "calls" if imported in done.calls else "imports"
                report.add("harm" if judged == "harm" else "unknown", where, f"{does} {imported}")
        if done.limited:
            report.add("unscanned", where, "is a pickle too long to be followed to its end")
        elif not done.finished:
            report.add("broken", where, f"is a pickle that breaks off: {done.broken or 'it has no end'}")


def _look_packed(report: Report, name: str, where: str, data: bytes, kind: str, budget: Budget, depth: int) -> None:
    if depth >= DEPTH:
        raise TooMuch
    inner_name = name.removesuffix(f".{_ending(name)}")
    try:
        inner = unpacked(data, kind, budget)
    except (Damaged, TooMuch) as error:
        if error.partial:
            _look(report, inner_name, where, error.partial, Budget(len(error.partial)), depth + 1)
        if isinstance(error, Damaged) and kind in ("zlib", "lzma"):
            return  # two or three bytes are no proof: other data begins so too
        raise
    _look(report, inner_name, where, inner, budget, depth + 1)


def _look_into(report: Report, where: str, data: bytes, kind: str, budget: Budget, depth: int) -> str:
    if depth >= DEPTH:
        raise TooMuch
    names: set[str] = set()
    for name, content in zip_members(data, budget) if kind == "zip" else tar_members(data, budget):
        names.add(name)
        inside = f"{where}!{name}" if where else name
        if name == "schema.json":
            report.types |= set(_skops_types(content))
        elif name == "config.json" and formats.has_lambda(content):
            report.add("code", inside, "describes a Keras layer that is Python code (Lambda)")
        elif name.endswith(".py"):
            report.add("code", inside, "is Python code that may run when the file is loaded")
        _look(report, name, inside, content, budget, depth + 1)
    if kind == "tar":
        return "tar"
    if "schema.json" in names and not any(name.endswith(".pkl") for name in names):
        return "skops"
    return "npz" if names and all(name.endswith(".npy") for name in names) else "zip"


def _look_at_data(report: Report, name: str, where: str, data: bytes, kind: str) -> None:
    """Formats that hold no code of themselves."""
    problem = None
    match kind:
        case "npy":
            problem = _look_at_array(report, where, data)
        case "safetensors" if _ending(name) in ("safetensors", ""):
            problem = formats.safetensors_problem(data)
        case "gguf":
            problem = formats.gguf_problem(data)
        case "onnx":
            problem = _look_at_onnx(report, data)
        case "hdf5":
            if formats.has_lambda(data):
                report.add("code", where, "describes a Keras layer that is Python code (Lambda)")
        case "program":
            report.add("code", where, "is a program")
        case "lz4" | "zstd" | "zfile":
            report.add("unscanned", where, f"is packed with {kind}, which is not understood here")
    if problem is not None:
        report.add("broken", where, problem)


def _look_at_array(report: Report, where: str, data: bytes) -> str | None:
    try:
        start, objects = formats.npy_layout(data)
    except ValueError as error:
        return str(error)
    if objects:
        report.add("code", where, f"is {_ARRAY}, which can run code when loaded")
        _look_at_pickle(report, where, data[start:], told=True)
    return None


def _look_at_onnx(report: Report, data: bytes) -> str | None:
    try:
        files = external_files(data)
    except NotOnnx as error:
        return f"is no ONNX model: it {error}"
    report.external |= {file for file in files if not is_outside(file)}
    if outside := sorted(file for file in files if is_outside(file)):
        return f"takes data from '{outside[0][:100]}', outside its directory"
    return None


def _skops_types(schema: bytes) -> Iterator[str]:
    """Types and functions that a skops file names."""
    try:
        waiting = [json.loads(schema)]
    except (ValueError, RecursionError):
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            module, name = node.get("__module__"), node.get("__class__")
            if isinstance(module, str) and isinstance(name, str):
                yield f"{module}.{name}"
            if isinstance(node.get("module_path"), str) and isinstance(node.get("function"), str):
                yield f"{node['module_path']}.{node['function']}"
            waiting += node.values()


def _ending(name: str) -> str:
    base = name.rpartition("/")[2].casefold()
    return base.rpartition(".")[2] if "." in base else ""
