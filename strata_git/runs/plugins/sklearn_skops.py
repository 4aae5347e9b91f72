"""A fitted estimator as a skops file, written so that equal models are equal bytes.

skops names the members of its archive after memory addresses, stamps them with the time, and stores the nodes of trees
with their padding, which is whatever the memory held. All three are put in order here: members and object ids are
numbered as they occur, dates are those of the ZIP epoch, padding is zero, and nothing is compressed (so no version of
zlib matters). What is written loads with stock skops.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from strata_git.errors import StrataError

FILE = "model.skops"
TRUSTED = ("sklearn.tree._tree.Tree",)
"""Types beyond skops' own list that files of this plugin may need; each was looked at."""


def save(model: Any, path: Path) -> list[str]:
    """Write `model` as skops and return the types a reader must trust beyond skops' own.

    Raises StrataError when that would be a type outside `TRUSTED`, or the file does not give the model back.
    """
    import skops.io

    data = normalised(skops.io.dumps(model))
    needed: list[str] = skops.io.get_untrusted_types(data=data)
    if strange := [one for one in needed if one not in TRUSTED]:
        raise StrataError(f"The model holds types that may not be trusted: {', '.join(strange)}.")
    skops.io.loads(data, trusted=needed)
    path.write_bytes(data)
    return needed


def normalised(data: bytes) -> bytes:
    """The same skops archive without memory addresses and times."""
    source = zipfile.ZipFile(io.BytesIO(data))
    order = _Order({name for name in source.namelist() if name != "schema.json"})
    schema = order.renumbered(json.loads(source.read("schema.json")))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as target:
        for old, new in order.files.items():
            target.writestr(zipfile.ZipInfo(new), _without_padding(source.read(old)))
        target.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema, separators=(",", ":")))
    return buffer.getvalue()


def _without_padding(data: bytes) -> bytes:
    """A stored array with zeros where its records are padded: there lies whatever the memory held before."""
    import numpy as np

    if not data.startswith(b"\x93NUMPY"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


class _Order:
    """New names in order of occurrence: `files` old member → new member, and small integers for object ids."""

    def __init__(self, members: set[str]) -> None:
        self.files: dict[str, str] = {}
        self._members = members
        self._ids: dict[Hashable, int] = {}

    def renumbered(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renumbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: self._value(node, key, value) for key, value in node.items()}

    def _value(self, node: Mapping[str, Any], key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            # equal constants may or may not be one object in memory: they are here
            constant = node.get("__loader__") == "JsonNode"
            known = ("constant", str(node.get("content"))) if constant else ("object", value)
            return self._ids.setdefault(known, len(self._ids) + 1)
        if key == "file" and isinstance(value, str) and value in self._members:
            return self.files.setdefault(value, f"{len(self.files) + 1}{Path(value).suffix}")
        return self.renumbered(value)
