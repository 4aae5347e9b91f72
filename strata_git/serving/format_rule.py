"""Which of a version's files is loaded, and whether its content may be: ONNX first, then skops, nothing that runs code.

What is judged are the bytes that will be loaded, already compared with the list that the event signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.serving.released import Release

ONNX, SKOPS, PARITY = "model.onnx", "model.skops", "parity.json"
_HARMFUL = {"harm", "disguise", "broken", "unknown", "code", "unscanned"}


def choose_file(release: Release, metadata: Mapping[str, Any], wanted: str) -> tuple[str, str]:
    """Format and file to load: ONNX first, then skops, never what can run code."""
    own = (str(metadata["format"]), str(metadata["artifact"]))
    offered = {own[0]: own[1]}
    for format_, name in (("onnx", ONNX), ("skops", SKOPS)):
        if name in release.sums:
            offered.setdefault(format_, name)
    for format_ in ("onnx", "skops") if wanted == "auto" else (wanted,):
        if format_ in offered and format_ in ("onnx", "skops"):
            return format_, offered[format_]
    if wanted == "auto":
        raise StrataError(
            f"its format is '{printable(own[0])}': only ONNX and skops are served, nothing that can run code",
            hint="Let the run save the model as onnx or skops (params.formats).",
        )
    raise StrataError(f"it has no form that is served as {printable(wanted)} (it has: {', '.join(sorted(offered))})")


def judge_content(release: Release, metadata: Mapping[str, Any], format_: str, name: str, data: bytes) -> None:
    """By content: the file is what its name says, holds no code, leads nowhere; ONNX answers as its original does."""
    from strata_git.integrity.imports import judge_import
    from strata_git.integrity.scan import merged, scan_file

    report = scan_file(name, data)
    dangers = merged([[one for one in report.dangers if one.kind in _HARMFUL]])
    if dangers:
        where = f" ('{printable(dangers[0].where)}')" if dangers[0].where else ""
        raise StrataError(f"{printable(name)}{where} {printable(dangers[0].what)}")
    if report.format != format_:
        raise StrataError(f"{printable(name)} is no {format_} file")
    if report.external:
        raise StrataError(f"{printable(name)} takes data from other files, which are not loaded")
    if format_ == "skops":
        harmful = next((one for one in metadata.get("trusted_types", ()) if judge_import(one) == "harm"), None)
        if harmful is not None:
            raise StrataError(f"its trusted_types name {printable(harmful)}, which is never trusted")
    if format_ == "onnx" and metadata["format"] != "onnx" and not _parity_holds(release):
        raise StrataError(f"nothing shows that {printable(name)} answers as the model does ({PARITY})")


def _parity_holds(release: Release) -> bool:
    from strata_git.load import Unloadable, load_json

    if PARITY not in release.sums:
        return False
    try:
        said = load_json(release.read(PARITY)).value
    except Unloadable:
        return False
    return isinstance(said, dict) and said.get("holds") is True
