"""Where a run takes place, and what it takes: read from the kernel's own files, no program is started (TFC-0003 2.4).

Nothing here says whose machine it is: no host name, no user, no environment variable, no path.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from strata_git.repo.command import Repository
from strata_git.runs.dirty import Code
from strata_git.runs.masking import without_login

SCHEMA = "strata/system/v1"
_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_DISTRIBUTION = re.compile(r"([A-Za-z0-9][A-Za-z0-9._]*)-([^-]+)(?:-py[0-9.]+)?(?:-.*)?\.(?:dist-info|egg-info)")
_UNBOUNDED = 1 << 60
"""Bytes; cgroups of version 1 say some huge number where they bound nothing."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The branch that was checked out ("" on none), and the remote it comes from, its login left out ("" without)."""

    branch: str = ""
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run took: seconds by the clock and of processor time (its finished children's included), and the most
    memory that one process of it held at once, in bytes (None where the kernel does not tell)."""

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int | None


def origin_of(repo: Repository) -> Origin:
    """Branch and remote of the checked out commit, as the repository's own configuration names them."""
    head = repo.try_git("symbolic-ref", "-q", "HEAD")
    branch = os.fsdecode(head.out).strip().removeprefix("refs/heads/") if head.code == 0 else ""
    listed = repo.try_git("config", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$").out
    known: dict[str, str] = {}
    for row in os.fsdecode(listed).split("\0"):
        key, _, value = row.partition("\n")
        known.setdefault(key, value)
    urls = {key[7:-4]: value for key, value in known.items() if key.startswith("remote.")}
    remote = known.get(f"branch.{branch}.remote", "origin")
    url = urls.get(remote) or (next(iter(urls.values())) if len(urls) == 1 else "")
    return Origin(branch, "" if _is_place_here(url) else without_login(url))


def system_facts(code: Code, seed: int, origin: Origin = Origin()) -> dict[str, object]:
    """system.json's content."""
    import platform

    return {
        "schema": SCHEMA,
        "platform": platform.platform(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpu": cpu_facts(),
        "cpus": os.cpu_count(),
        "memory": memory_facts(),
        "gpus": list(gpus()),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "packages": packages(sys.path),
        "code": asdict(code),
        "branch": origin.branch or None,
        "remote": origin.remote or None,
        "seed": seed,
    }


def cpu_facts() -> dict[str, object]:
    """The processor's model, how many of them this process may use, and the share a control group leaves it."""
    found = re.search(rb"(?m)^(?:model name|Model|cpu model)\s*:\s*(.+)$", _read(_PROC / "cpuinfo"))
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = found[1].decode("utf-8", "replace").strip() if found else None
    return {"model": model, "usable": usable, "limit": _cpu_limit()}


def memory_facts() -> dict[str, object]:
    """Bytes of memory the machine has, and the least that a control group leaves us (None: no bound)."""
    found = re.search(rb"(?m)^MemTotal:\s*([0-9]+) kB", _read(_PROC / "meminfo"))
    limits = [int(text) for text in _group_values("memory.max", "memory", "memory.limit_in_bytes") if text.isdigit()]
    bounds = [limit for limit in limits if limit < _UNBOUNDED]
    return {"bytes": int(found[1]) * 1024 if found else None, "limit": min(bounds, default=None)}


def gpus() -> Iterator[dict[str, str]]:
    """Graphics processors whose drivers tell of them in /proc and /sys: NVIDIA's and AMD's."""
    version = re.search(rb"Kernel Module[^\n]*?\s([0-9]+\.[0-9.]+)\s", _read(_PROC / "driver/nvidia/version"))
    for place in sorted((_PROC / "driver/nvidia/gpus").glob("*/information")):
        model = re.search(rb"(?m)^Model:\s*(.+)$", _read(place))
        found = {"model": model[1].decode("utf-8", "replace").strip() if model else "NVIDIA"}
        yield found | ({"driver": version[1].decode()} if version else {})
    for place in sorted(Path("/sys/class/kfd/kfd/topology/nodes").glob("*/name")):
        if name := _read(place).decode("utf-8", "replace").strip():
            yield {"model": f"AMD {name}"}


def packages(places: Iterable[str]) -> dict[str, str]:
    """Installed distributions, normalised name -> version, by the names of their directories: the first that Python
    would find counts. Their metadata is not opened, which would take longer than all the rest of a small run."""
    found: dict[str, str] = {}
    for place in places:
        try:
            names = sorted(os.listdir(place or "."))
        except OSError:  # not there, or an archive
            continue
        for name in names:
            if match := _DISTRIBUTION.fullmatch(name):
                found.setdefault(re.sub(r"[-_.]+", "-", match[1]).lower(), match[2])
    return dict(sorted(found.items()))


class Meter:
    """Measures what the run takes from its making on."""

    def __init__(self) -> None:
        self._begun, self._cpu, self._children = time.monotonic(), _cpu_seconds(), _children_peak()
        try:  # the kernel's mark of the most memory held begins anew
            with open("/proc/self/clear_refs", "wb", buffering=0) as stream:
                stream.write(b"5")
        except OSError:
            pass

    def usage(self) -> Usage:
        """What was taken so far.

        A child's mark begins at what its parent held when it was started. That never passes our own mark, so the
        larger of both is true; marks of children that ended before this run count only if they were exceeded.
        """
        own = re.search(rb"(?m)^VmHWM:\s*([0-9]+) kB", _read(_PROC / "self/status"))
        peaks = [int(own[1]) * 1024] if own else []
        if peaks and (children := _children_peak()) > self._children:
            peaks.append(children)
        wall, cpu = time.monotonic() - self._begun, _cpu_seconds() - self._cpu
        return Usage(round(wall, 3), round(max(cpu, 0.0), 3), max(peaks, default=None))


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _children_peak() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _cpu_limit() -> float | None:
    """Processors' worth of time that control groups leave this process; None where they bound nothing."""
    limits = []
    for text in _group_values("cpu.max", "cpu", "cpu.cfs_quota_us"):
        quota, _, period = text.partition(" ")
        if quota.isdigit():
            limits.append(int(quota) / int(period or 100_000))
    return min(limits, default=None)


def _group_values(name: str, controller: str, name_of_1: str) -> Iterator[str]:
    """What this process's control group, and those above it, say in a file of version 2 or of version 1."""
    for line in _read(_PROC / "self/cgroup").decode("utf-8", "replace").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            base, file = _CGROUP, name
        elif controller in controllers.split(","):
            base, file = _CGROUP / controller, name_of_1
        else:
            continue
        place = base / path.strip("/")
        for group in (place, *place.parents):
            if text := _read(group / file).decode("ascii", "replace").strip():
                yield text
            if group == base:
                break


def _is_place_here(url: str) -> bool:
    """Whether a remote is a directory of this machine, which says more of its owner than of the code."""
    return url.startswith("file:") or ("://" not in url and not re.match(r"[^/\\]+:", url))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def as_plain(usage: Usage) -> Mapping[str, object]:
    """Usage as run.yaml has it."""
    return asdict(usage)
