"""Debian packages of a service in R: those that every one needs, and those that packages.txt names for its own code."""

from __future__ import annotations

import re

from strata_git.errors import StrataError, printable

FILE = "packages.txt"
SYSTEM = ("r-base-core", "r-cran-httpuv", "r-cran-jsonlite")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")  # Debian Policy 5.6.1


def debian_packages(text: str, place: str = FILE) -> tuple[str, ...]:
    """The packages of packages.txt, one a line, `#` begins a comment; in their order, each once.

    Raises StrataError with the line of what is no name of a package; `place` is how the file is called then.
    """
    found: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip()
        if name and not _PACKAGE.fullmatch(name):
            raise StrataError(
                f"{printable(place)}:{number}: '{printable(name)[:60]}' is no name of a Debian package.",
                hint="One a line, such as r-cran-randomforest; apt-cache search r-cran- knows them all.",
            )
        if name:
            found[name] = None
    return tuple(found)
