"""Secrets out of whatever is told: of texts by a run's mask (`runs.masking.Mask`), of data by their names, too.

A field `password` holds a secret that nobody resolved, and that looks like nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from strata_git.pipeline.secrets.secret import SHOWN
from strata_git.runs.masking import Mask

_NAME = re.compile(
    r"(?i)(?:^|[_\-. ])(?:authorization|cookie|set-cookie|passw(?:or)?d|passphrase|pwd|secret|credentials?|"
    r"api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|client[_-]?secret|subscription[_-]?key|"
    r"(?:access|auth|bearer|id|refresh|security|session)[_-]?token|sas|signature)(?:$|[_\-. ])"
    r"|^(?:token|key)$"
)
_NO_SECRET = re.compile(r"(?i)(?:^|[_-])(?:names?|ids?|count|file|path|type|kind|url|uri|length|arn)$")
_DEEPEST = 12


class Redactor:
    """Texts and JSON-like data without secrets. Any thread may use it; what its mask learns counts from then on."""

    def __init__(self, mask: Mask | None = None) -> None:
        self.mask = Mask() if mask is None else mask

    def text(self, text: str) -> str:
        """`text` with `***` where a secret was, known or named."""
        return self.mask.text(text)

    def plain(self, value: object, depth: int = 0) -> Any:
        """`value` as JSON-like data without secrets: values of secret names, known values anywhere, keys too."""
        if value is None or isinstance(value, bool | int | float):
            return value if self.text(str(value)) == str(value) else SHOWN  # a number may be a secret, too
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEEPEST:
            return "..."
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._named(str(key), part, depth) for key, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.plain(part, depth + 1) for part in value]
        return self.text(value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value))

    def _named(self, name: str, value: object, depth: int) -> object:
        return SHOWN if names_secret(name) and value not in (None, "", SHOWN) else self.plain(value, depth + 1)


def names_secret(name: str) -> bool:
    """Whether what stands under that name is a secret (`api_key`, `Authorization`; not `key_id`, `token_count`)."""
    return bool(_NAME.search(name)) and not _NO_SECRET.search(name)
