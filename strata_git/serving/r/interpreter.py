"""Where R is, what its processes find in their environment, and what to say where something is missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from strata_git.errors import StrataError, printable

PACKAGES = ("httpuv", "jsonlite")
"""R packages that a service needs beside the model's own: the web server that plumber stands on, and JSON."""
_NO_PACKAGE = re.compile(r"no package called .([A-Za-z][A-Za-z0-9.]*)")
SERVER = Path(__file__).with_name("server.R")
PASSED = (
    "PATH", "HOME", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "R_HOME", "R_LIBS", "R_LIBS_SITE", "R_LIBS_USER",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
_UTF8 = ("C.*UTF-8", "C.*utf8", "*.UTF-8", "*.utf8")


def find_rscript(environ: Mapping[str, str]) -> str:
    """The program Rscript on the path. StrataError, with the commands that install it, where there is none."""
    found = shutil.which("Rscript", path=environ.get("PATH"))
    if found is None:
        raise StrataError("R is not installed (there is no Rscript on the path).", hint=_remedy("r-base-core", "r"))
    return found


def missing_packages(names: Sequence[str]) -> StrataError:
    """The error where R has not these packages."""
    return StrataError(f"R has no package {', '.join(names)}, which services in R need.", hint=_commands(names))


def not_loaded(words: str) -> StrataError:
    """The error where the model, or its own code, cannot be loaded; `words` are R's own."""
    found = _NO_PACKAGE.search(words)
    hint = f"{_commands([found[1]])}\n(and write it into model-service/packages.txt)" if found else ""
    return StrataError(f"R cannot load the model: {printable(words)[:500]}", hint=hint)


def surroundings(environ: Mapping[str, str], directory: Path, threads: int) -> dict[str, str]:
    """The environment of a process of R: where things are, one locale everywhere, no secrets, no profile of the user.

    Messages are English; temporary files go below `directory`; numeric libraries start `threads` threads.
    """
    passed = {name: value for name, value in environ.items() if name in PASSED}
    ours = {"LANGUAGE": "en", "LC_ALL": _locale(environ), "TMPDIR": str(directory), "R_PROFILE_USER": ""}
    counted = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    return {**passed, **ours, **dict.fromkeys(counted, str(threads))}


def _locale(environ: Mapping[str, str]) -> str:
    """UTF-8 as the machine has it, else the one without a country, which every Linux has."""
    said = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    return said if any(fnmatchcase(said, pattern) for pattern in _UTF8) else "C.UTF-8"


def _commands(names: Sequence[str]) -> str:
    debian = " ".join(f"r-cran-{name.casefold()}" for name in names)
    return (
        f"Debian, Ubuntu: apt-get install --no-install-recommends {debian}\n"
        f"elsewhere, in R: install.packages(c({', '.join(map(repr, names))}))"
    )


def _remedy(debian: str, formula: str) -> str:
    packages = " ".join(f"r-cran-{name}" for name in PACKAGES)
    return (
        f"Debian, Ubuntu: apt-get install --no-install-recommends {debian} {packages}\n"
        f"macOS: brew install {formula}, then in R: install.packages(c({', '.join(map(repr, PACKAGES))}))\n"
        "elsewhere: https://cloud.r-project.org"
    )
