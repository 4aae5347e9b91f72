"""Notebooks as data: parameters put in, and what differs from run to run taken out. Nothing is executed here.

Parameters go in as papermill puts them: into a cell of their own (tag `injected-parameters`) after the one tagged
`parameters`, or before all others where there is none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strata_git.errors import StrataError, printable

DEFAULTS, INJECTED = "parameters", "injected-parameters"
_MINOR = 5
"""The minor format in which every cell has an id."""
_KERNEL_FILE = re.compile(r"/[^\s'\"<>|]*/ipykernel_[0-9]+/[0-9]+\.py")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_WIDGET = "application/vnd.jupyter.widget-view+json"
_TEXTUAL = ("text/", "application/json", "application/javascript", "image/svg+xml")


def read_notebook(data: bytes, name: str) -> dict[str, Any]:
    """The notebook (format 4) in `data`, every cell with an id. StrataError where it is none."""
    from strata_git.load import Unloadable, load_json

    try:
        value = load_json(data, limit=64 << 20).value
    except Unloadable as error:
        place = printable(name) + (f":{error.line}" if error.line else "")
        raise StrataError(f"{place}: {error.message}.") from None
    if not isinstance(value, dict) or not isinstance(value.get("cells"), list) or value.get("nbformat") != 4:
        raise StrataError(
            f"{printable(name)} is no notebook of format 4.", hint="Open it in Jupyter and save it once more."
        )
    for at, cell in enumerate(value["cells"]):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            raise StrataError(f"{printable(name)}: cell {at + 1} is none that is known.")
        cell.setdefault("metadata", {})
        cell["source"] = _joined(cell.get("source", ""))
        cell.setdefault("id", f"cell-{at + 1}")
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    value.setdefault("metadata", {})
    value["nbformat_minor"] = max(_MINOR, int(value.get("nbformat_minor", 0)))
    return value


def language_of(notebook: Mapping[str, Any]) -> str:
    """The language of a notebook's code; Python where it does not say."""
    metadata = notebook["metadata"]
    found = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return str(found or "python").lower()


def inject(notebook: dict[str, Any], parameters: Mapping[str, Any], name: str) -> None:
    """Put `parameters` into the notebook. StrataError for one that the cell tagged `parameters` does not have."""
    cells = notebook["cells"]
    cells[:] = [cell for cell in cells if INJECTED not in _tags(cell)]
    at = next((place for place, cell in enumerate(cells) if DEFAULTS in _tags(cell)), None)
    if not parameters:
        return
    known = None if at is None else _assigned(cells[at]["source"])
    for one in parameters:
        if not one.isidentifier():
            raise StrataError(f"params.parameters: '{printable(one)}' is no name of a variable.")
        if known is not None and one not in known:
            raise StrataError(
                f"{printable(name)} has no parameter '{printable(one)}'.",
                hint=f"Its cell tagged '{DEFAULTS}' has: {printable(', '.join(sorted(known))) or 'none'}.",
            )
    source = "# Parameters\n" + "\n".join(f"{one} = {value!r}" for one, value in parameters.items())
    made: dict[str, Any] = {
        "cell_type": "code",
        "id": INJECTED,
        "metadata": {"tags": [INJECTED]},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
    cells.insert(0 if at is None else at + 1, made)


def settled(notebook: dict[str, Any], places: Sequence[tuple[str, str]], mask: Callable[[str], str]) -> None:
    """Take out of what was executed all that is of this machine and this moment, and what `mask` hides.

    `places` are paths and what stands for them. Addresses of objects, files of the kernel, ids of widgets and the times
    of cells go; pictures stay as they are.
    """

    def clean(text: str) -> str:
        for path, word in places:
            text = text.replace(path, word)
        return mask(_ADDRESS.sub("0x...", _KERNEL_FILE.sub("cell.py", text)))

    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)
        if INJECTED in _tags(cell):
            cell["source"] = clean(cell["source"])
        else:
            cell["source"] = mask(cell["source"])
        for output in cell.get("outputs", []):
            _settle(output, clean)


def written(notebook: Mapping[str, Any]) -> str:
    """The notebook as a file: texts as lists of lines, as Jupyter writes them, so that differences can be read."""
    import json

    cells = [
        {
            **cell,
            "source": cell["source"].splitlines(keepends=True),
            **({"outputs": [_in_lines(output) for output in cell["outputs"]]} if "outputs" in cell else {}),
        }
        for cell in notebook["cells"]
    ]
    return json.dumps({**notebook, "cells": cells}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _in_lines(output: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(output)
    if "text" in made:
        made["text"] = made["text"].splitlines(keepends=True)
    if "data" in made:
        made["data"] = {
            kind: value.splitlines(keepends=True) if isinstance(value, str) and kind.startswith("text/") else value
            for kind, value in made["data"].items()
        }
    return made


def first_line(source: str) -> str:
    """What a person knows a cell by: its first line that is neither empty nor a comment."""
    lines = [line.strip() for line in source.splitlines() if line.strip() and not line.strip().startswith(("#", "%"))]
    line = (lines or source.strip().splitlines() or [""])[0]
    return printable(line if len(line) <= 60 else line[:57] + "...")


def _settle(output: dict[str, Any], clean: Callable[[str], str]) -> None:
    for key in ("text", "evalue"):
        if key in output:
            output[key] = clean(_joined(output[key]))
    if "traceback" in output:
        output["traceback"] = [clean(line) for line in output["traceback"]]
    data = output.get("data", {})
    data.pop(_WIDGET, None)
    for kind, value in data.items():
        if kind.startswith(_TEXTUAL):
            data[kind] = _cleaned(value, clean)


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _cleaned(part, clean) for key, part in value.items()}
    return [_cleaned(part, clean) for part in value] if isinstance(value, list) else value


def _tags(cell: Mapping[str, Any]) -> Sequence[str]:
    found = cell["metadata"].get("tags", [])
    return found if isinstance(found, list) else []


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def _assigned(source: str) -> set[str]:
    """Names that a cell gives values to."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    stores = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return {node.id for node in stores}
