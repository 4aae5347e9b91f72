"""The environment of a program: little by default, so that no secret goes along by accident, and nothing by surprise.

What passes is a list of names. What the experiment sets is in the record; what it lets pass is not, so it may say where
things are or who asks, and must not decide what is computed (TFC-0002 4.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.runs.limits import switches
from strata_git.runs.plugins.command_params import Told

PASSED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "JAVA_HOME", "R_HOME", "R_LIBS", "R_LIBS_USER", "JULIA_DEPOT_PATH",
    "CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES",
    "XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip
"""Variables that pass without being asked for: where programs and libraries are, who works, how text is spelled."""


def child_environment(
    environ: Mapping[str, str], told: Told, *, seed: int, artifact_dir: Path, resources: Mapping[str, Any]
) -> dict[str, str]:
    """What the program finds: what passes of `environ`, ours, then what the experiment sets.

    Ours are STRATA_SEED and STRATA_ARTIFACT_DIR, PYTHONHASHSEED (the seed: sets of texts have one order in every run),
    PYTHONUNBUFFERED (lines arrive when they are said), and what `resources` say of threads and graphics processors.
    Raises StrataError where a variable that must pass, named without a pattern, is not set.
    """
    for name in told.pass_env:
        if not set("*?[") & set(name) and name not in environ:
            raise StrataError(
                f"The variable {printable(name)}, which params.pass_env lets pass, is not set.",
                hint=f"Set it: export {printable(name)}=...",
            )
    passed = {name: environ[name] for name in _passing(environ, (*PASSED, *told.pass_env))}
    ours = {
        "STRATA_SEED": str(seed),
        "STRATA_ARTIFACT_DIR": str(artifact_dir),
        "PYTHONHASHSEED": str(seed),
        "PYTHONUNBUFFERED": "1",
    }
    return {**passed, **ours, **switches(resources, environ), **told.env}


def _passing(environ: Mapping[str, str], patterns: tuple[str, ...]) -> Iterator[str]:
    for name in environ:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            yield name
