"""Engines for the tests: a store of their own, and a way to run containers where cgroups are shared with others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.environment import short_directory
from tests.support.fixtures import ROOT

BASE = ROOT / ".tools" / "containers" / "base.tar"
SUITES = (11, 13)
"""Minor versions of Python that a release of Debian has (scripts/containers.sh)."""
NAME = "localhost/strata-base:1"
STORE = """[storage]
driver = "{driver}"
graphroot = "{place}/graph"
runroot = "{place}/run"
"""
# crun wants cgroups of version 2 alone, and no limits above its own; what is unmounted is so in one namespace only
SHIM = """#!/bin/sh
if [ "$1" = run ]; then
  shift
  set -- run --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"
fi
exec nsenter -m/proc/{holder}/ns/mnt {program} "$@"
"""
HOLD = "mount --make-rprivate / && { umount /sys/fs/cgroup/unified 2>/dev/null; echo held; exec sleep 3600; }"


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where images are made; `environ` is what programs are started with, on top of a test's own."""

    place: Path
    environ: Mapping[str, str]

    def podman(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run podman to its end."""
        return subprocess.run(
            ["podman", *words], env=os.environ | dict(self.environ), check=check, capture_output=True, text=True
        )

    def inspect(self, name: str) -> dict[str, object]:
        """What podman knows of an image or container."""
        found: list[dict[str, object]] = json.loads(self.podman("inspect", name).stdout)
        return found[0]


@contextmanager
def workshop() -> Iterator[Workshop]:
    """Podman with a store in a directory that is removed, and the base image in it."""
    if sys.version_info.minor not in SUITES:
        pytest.skip(f"no release of Debian has Python 3.{sys.version_info.minor}, which a base image would need")
    assert BASE.is_file(), "run: make tools"
    place = short_directory()
    driver = "overlay" if os.geteuid() == 0 else "vfs"
    (place / "storage.conf").write_text(STORE.format(driver=driver, place=place))
    environ = {"CONTAINERS_STORAGE_CONF": str(place / "storage.conf"), "PATH": os.environ["PATH"]}
    holder = None
    if os.geteuid() == 0:
        holder = subprocess.Popen(["unshare", "-m", "sh", "-c", HOLD], stdout=subprocess.PIPE, text=True)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        shim = place / "bin" / "podman"
        shim.parent.mkdir()
        shim.write_text(SHIM.format(holder=holder.pid, program=shutil.which("podman")))
        shim.chmod(0o755)
        environ["PATH"] = f"{shim.parent}{os.pathsep}{environ['PATH']}"
    made = Workshop(place, environ)
    try:
        made.podman("import", "--quiet", str(BASE), NAME)
        yield made
    finally:
        made.podman("rm", "--all", "--force", "--time", "0", check=False)
        if holder is None:  # files of other users, in a user namespace
            made.podman("rmi", "--all", "--force", check=False)
        if holder is not None:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            assert holder.stdout is not None
            holder.stdout.close()
        subprocess.run(["umount", str(place / "graph" / "overlay")], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", str(place)], check=False)


def wait_for(found: Path, words: str, process: subprocess.Popen[str], seconds: float = 90) -> None:
    """Until a file has a line that begins with `words`, or the process ends."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if any(line.startswith(words) for line in found.read_text().splitlines()):
            return
        assert process.poll() is None, found.read_text()
        time.sleep(0.1)
    raise AssertionError(f"no line '{words}' within {seconds:g} s: {found.read_text()}")
