"""A sealed environment: nothing of the person who runs the tests reaches git, gpg or us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

LEAKS = (
    "ALL_PROXY", "AWS_", "AZURE_", "BUILD_", "CI", "CORE_ARTIFACT_ROOT", "COVERAGE_", "COV_", "DATABRICKS_",
    "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "EDITOR", "EMAIL", "GCM_", "GITEA_", "GITHUB_", "GITLAB_", "GIT_",
    "GNUPG", "GPG_", "HTTPS_PROXY", "HTTP_PROXY", "LANG", "LC_", "LESS", "MANPAGER", "MLFLOW_", "NO_COLOR",
    "OPENAI_", "PAGER", "PRE_COMMIT", "PYTHONPATH", "SSH_", "STRATA", "TZ", "VISUAL", "WAYLAND_DISPLAY", "XDG_",
)  # fmt: skip
"""Beginnings of the names that are removed."""

GITCONFIG = """\
[user]
\tname = Ada Tester
\temail = ada@example.org
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
[commit]
\tgpgsign = false
[tag]
\tgpgsign = false
[core]
\tpager = cat
[protocol "file"]
\tallow = always
[advice]
\tdetachedHead = false
"""


def sealed(base: Path, gnupg: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """A test's environment: `inherited` (PATH, TMPDIR, ...) without leaks, all that is personal below `base`.

    PATH begins with this interpreter's directory, where `git-strata` and `git-strata-hook` are.

    >>> environ = sealed(tmp_path, short_directory(), os.environ)
    >>> environ["HOME"]
    '.../home'
    """
    home = base / "home"
    home.mkdir(parents=True)
    config = base / "gitconfig"
    config.write_text(GITCONFIG)
    kept = {name: value for name, value in inherited.items() if not name.upper().startswith(LEAKS)}
    folders = {
        f"XDG_{name}_HOME": str(home / place)
        for name, place in {
            "CONFIG": ".config",
            "CACHE": ".cache",
            "DATA": ".local/share",
            "STATE": ".state",
        }.items()
    }
    return kept | folders | {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), inherited.get("PATH", os.defpath))),
        "HOME": str(home),
        "GNUPGHOME": str(gnupg),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip


def short_directory() -> Path:
    """A new private directory with a short name: the agent's socket must fit into about 100 characters."""
    parent = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="g", dir=parent if len(parent) < 60 else "/tmp"))


def stop_agents(gnupg: Path) -> None:
    """End the daemons that gpg started for `gnupg`; nothing happens where gpg never was."""
    if any(gnupg.iterdir()):
        for command in ("--kill", "--remove-socketdir"):
            arguments = ["gpgconf", "--homedir", str(gnupg), command]
            subprocess.run([*arguments, "all"] if command == "--kill" else arguments, capture_output=True, check=False)


def remove_home(gnupg: Path) -> None:
    """End the daemons of a home and remove it: an agent that ends takes its sockets away itself, maybe just now."""
    stop_agents(gnupg)
    shutil.rmtree(gnupg, ignore_errors=True)


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """Without the variables by which coverage joins a process: it loads modules of its own and takes its time."""
    return {name: value for name, value in environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
