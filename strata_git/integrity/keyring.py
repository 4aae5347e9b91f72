"""Which keys are known here, as one short text: what was said of a signature holds for one state of the keys."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_RINGS = ("pubring.kbx", "pubring.gpg", "trustdb.gpg", "public-keys.d/pubring.db")


def keyring_state(environ: Mapping[str, str], also: Iterable[Path] = ()) -> str:
    """Changes whenever the user's public keyring does, or one of the files `also` (allowed SSH signers, say).

    It does not tell the time: keys expire without any file changing, so a verdict needs an age of its own.
    """
    home = Path(environ.get("GNUPGHOME") or Path(environ.get("HOME", "/"), ".gnupg"))
    parts = [str(home)]
    for path in [*(home / name for name in _RINGS), *also]:
        try:
            status = os.stat(path)
            parts.append(f"{path}:{status.st_mtime_ns}:{status.st_size}")
        except OSError:
            continue
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]
