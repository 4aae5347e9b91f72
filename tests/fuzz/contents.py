"""Targets that look into contents: model files that somebody else made, texts with expressions."""

from __future__ import annotations

import json
import pickletools
from typing import get_args

from strata_git.contracts.chain import expressions
from strata_git.integrity.scan import Kind, scan_file

_NAMES = ("model.pkl", "model.joblib", "model.skops", "model.safetensors", "a.npy", "a.npz", "m.onnx", "m.gguf", "m.pt")


def model_file(data: bytes) -> bool:
    """The first byte chooses the name, the rest is the file: it is looked into, whatever it is, and nothing is run."""
    name, content = _NAMES[data[0] % len(_NAMES)] if data else "a", data[1:]
    report = scan_file(name, content)
    for danger in report.dangers:
        assert danger.kind in get_args(Kind)
        assert danger.what
    assert report.dangers == scan_file(name, content).dangers
    if report.format == "pickle" and not any(danger.kind == "broken" for danger in report.dangers):
        assert _imports(content) <= report.imports, "the standard library sees an import that we do not"
    return bool(report.format) and not report.dangers


def expression(data: bytes) -> bool:
    """`${...}` in the texts of a chain."""
    text = data.decode("utf-8", "replace")
    try:
        found = list(expressions(text))
    except ValueError:
        return False
    for one in found:
        assert one.text in text.replace("$${", "")
        assert all(one.path)
        assert one.separator is None or json.dumps(one.separator)
        assert [*expressions(one.text)] == [one]
    return True


def _imports(data: bytes) -> set[str]:
    """What the standard library's own reader of opcodes, which keeps no stack, calls imports outright."""
    found = set()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("GLOBAL", "INST"):
                module, _, name = str(argument).partition(" ")
                found.add(f"{module}.{name}")
    except ValueError:
        return set()  # it breaks off: what was read so far may be something else to us
    return found
