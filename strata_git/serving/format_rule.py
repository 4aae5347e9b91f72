"""Which of a version's files is loaded, and whether its content may be: ONNX first, then skops, nothing that runs code.

Other formats are loaded by code of the service's own, or by R; those that can run code only where the version's
signature counts under a trust policy. What is judged are the bytes that will be loaded, already compared with the list
that the event signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, printable
from strata_git.serving.released import Release

if TYPE_CHECKING:
    from strata_git.integrity.scan import Danger

ONNX, SKOPS, PARITY = "model.onnx", "model.skops", "parity.json"
_HARMFUL = {"harm", "disguise", "broken", "unknown", "code", "unscanned"}
_NEVER = {"harm", "disguise", "broken"}
"""What no signature makes good."""
_RUNS_CODE = frozenset({
    "pickle", "joblib", "dill", "cloudpickle", "rds", "rdata", "mlflow", "pytorch", "torch", "pt", "keras", "h5",
})  # fmt: skip
"""Formats that can run code when they are loaded."""
_R_ENDINGS = (".rds", ".rda", ".rdata")
OWN = "write load(path) in model-service/predict.py, and have the version signed under a trust policy (TFC-0012 3.7)"
"""The way for a format that is not loaded by itself."""


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
            hint=f"Let the run save the model as onnx or skops (params.formats); or {OWN}.",
        )
    raise StrataError(f"it has no form that is served as {printable(wanted)} (it has: {', '.join(sorted(offered))})")


def judge_content(release: Release, metadata: Mapping[str, Any], format_: str, name: str, data: bytes) -> None:
    """By content: the file is what its name says, holds no code, leads nowhere; ONNX answers as its original does."""
    from strata_git.integrity.scan import scan_file

    report = scan_file(name, data)
    _refuse_dangers(name, report.dangers, _HARMFUL)
    if report.format != format_:
        raise StrataError(f"{printable(name)} is no {format_} file")
    if report.external:
        raise StrataError(f"{printable(name)} takes data from other files, which are not loaded")
    if format_ == "skops":
        _refuse_types(metadata)
    if format_ == "onnx" and metadata["format"] != "onnx" and not _parity_holds(release):
        raise StrataError(f"nothing shows that {printable(name)} answers as the model does ({PARITY})")


def judge_files(metadata: Mapping[str, Any], files: Mapping[str, bytes], *, trusted: bool) -> str:
    """Every file of a version that code of its own, or R, loads; a sentence why it may be.

    `trusted`: somebody of the trust policy in force signed the version. Raises StrataError for what would take over the
    machine, and, unless it is trusted, for whatever can run code.
    """
    from strata_git.integrity.scan import scan_file

    format_ = str(metadata["format"])
    runs_code = format_ in _RUNS_CODE
    for name, data in files.items():
        dangers = scan_file(name, data).dangers
        _refuse_dangers(name, dangers, _NEVER if trusted else _HARMFUL, untrusted=not trusted)
        runs_code = runs_code or bool(dangers) or name.casefold().endswith(_R_ENDINGS)
    _refuse_types(metadata)
    if not runs_code:
        return f"{printable(format_)}, which holds no code"
    if not trusted:
        raise StrataError(f"its format is '{printable(format_)}', which can run code: {_UNTRUSTED}", hint=_SAFER)
    return f"{printable(format_)} can run code, and is signed by people of the trust policy"


_UNTRUSTED = "nobody of a trust policy in force has signed the version"
_SAFER = "git strata sign, by somebody of the policy (git strata trust show); or save the model as onnx or skops"


def _refuse_dangers(name: str, dangers: list[Danger], kinds: set[str], *, untrusted: bool = False) -> None:
    from strata_git.integrity.scan import merged

    found = merged([[one for one in dangers if one.kind in kinds]])
    if not found:
        return
    where = f" ('{printable(found[0].where)}')" if found[0].where else ""
    more = f"; {_UNTRUSTED}" if untrusted and found[0].kind not in _NEVER else ""
    raise StrataError(f"{printable(name)}{where} {printable(found[0].what)}{more}", hint=_SAFER if more else "")


def _refuse_types(metadata: Mapping[str, Any]) -> None:
    from strata_git.integrity.imports import judge_import

    harmful = next((one for one in metadata.get("trusted_types", ()) if judge_import(one) == "harm"), None)
    if harmful is not None:
        raise StrataError(f"its trusted_types name {printable(harmful)}, which is never trusted")


def _parity_holds(release: Release) -> bool:
    from strata_git.load import Unloadable, load_json

    if PARITY not in release.sums:
        return False
    try:
        said = load_json(release.read(PARITY)).value
    except Unloadable:
        return False
    return isinstance(said, dict) and said.get("holds") is True
