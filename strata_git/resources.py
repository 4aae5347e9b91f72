"""Files that travel with the program: hook gates, templates and the contracts' texts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from strata_git.errors import StrataError

Folder = Literal["hooks", "requirements", "templates", "tfc"]


def folder(name: Folder) -> Path:
    """The directory of packaged `hooks`, `requirements` (lists of packages), `templates` or `tfc`.

    In a wheel they lie inside the package (`_hooks`, ...); in an editable install they are the repository's own
    folders. Raises StrataError when there is neither, which only a broken installation can cause.
    """
    package = Path(__file__).parent
    for place in (package / f"_{name}", package.parent / name):
        if place.is_dir():
            return place
    raise StrataError(
        f"The installation is incomplete: its '{name}' folder is missing.",
        hint="Install again: pip install --force-reinstall git-strata",
    )
