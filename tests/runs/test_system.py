"""system.json says where a run took place and nothing of whose place it is; run.yaml says what it took."""

from __future__ import annotations

import os
import socket
from importlib.metadata import version
from pathlib import Path

import pytest

from strata_git.config import Settings
from strata_git.load import load_json
from strata_git.runs.system import cpu_facts, memory_facts, origin_of, packages
from tests.runs.running import opened, perform, probe, record_of
from tests.support.builder import RepositoryBuilder


def test_the_record_says_where_it_was(probed: RepositoryBuilder) -> None:
    probed.git("remote", "add", "origin", "https://me:secret-pw@example.org/team/a.git")
    done = perform(probed, probe("x = bytearray(30 << 20); x[::4096] = b'x' * len(x[::4096]); sum(range(300000))"))
    system = load_json(probed.read(f"{done.path}/system.json")).value
    assert isinstance(system, dict)
    assert system["branch"] == "main"
    assert system["remote"] == "https://example.org/team/a.git"
    assert system["kernel"] == os.uname().release
    assert system["packages"]["pydantic"] == version("pydantic")
    assert system["memory"]["bytes"] > 1 << 28
    assert system["cpu"]["usable"] == len(os.sched_getaffinity(0))
    text = probed.read(f"{done.path}/system.json")
    assert b"secret-pw" not in text
    assert socket.gethostname().encode() not in text or len(socket.gethostname()) < 4
    record = record_of(probed, done.id)
    assert record.user is None
    assert record.usage is not None
    assert record.usage.wall_s >= 0
    assert (record.usage.peak_memory_bytes or 0) > 30 << 20


def test_the_user_is_named_only_where_the_workspace_asks(probed: RepositoryBuilder) -> None:
    done = perform(probed, probe(), settings=Settings(runs_record_user=True))
    assert record_of(probed, done.id).user == probed.git("config", "user.name")


@pytest.mark.parametrize("url", ["/srv/git/a.git", "../a.git", "file:///home/me/a.git"])
def test_a_directory_of_this_machine_is_no_origin(probed: RepositoryBuilder, url: str) -> None:
    probed.git("remote", "add", "origin", url)
    assert origin_of(opened(probed)).remote == ""
    probed.git("checkout", "--quiet", "--detach")
    assert origin_of(opened(probed)).branch == ""


def test_packages_are_those_that_python_would_find(tmp_path: Path) -> None:
    for name in (
        "one/Zope.Interface-5.0.dist-info",
        "one/old_thing-1.2-py3.11.egg-info",
        "two/zope_interface-4.0.dist-info",
    ):
        (tmp_path / name).mkdir(parents=True)
    assert packages([str(tmp_path / "one"), str(tmp_path / "two"), str(tmp_path / "absent")]) == {
        "old-thing": "1.2",
        "zope-interface": "5.0",
    }


def test_limits_of_control_groups_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from strata_git.runs import system

    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a/b\n")
    (tmp_path / "group/a/b").mkdir(parents=True)
    (tmp_path / "group/a/cpu.max").write_text("150000 100000\n")
    (tmp_path / "group/a/b/cpu.max").write_text("max 100000\n")
    (tmp_path / "group/a/memory.max").write_text("1048576\n")
    monkeypatch.setattr(system, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(system, "_CGROUP", tmp_path / "group")
    assert (cpu_facts()["limit"], memory_facts()) == (1.5, {"bytes": None, "limit": 1048576})
    driver = tmp_path / "proc/driver/nvidia"
    (driver / "gpus/0000:01").mkdir(parents=True)
    (driver / "gpus/0000:01/information").write_text("Model: \t NVIDIA A100\nUUID: GPU-1\n")
    (driver / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat\n")
    assert next(system.gpus()) == {"model": "NVIDIA A100", "driver": "535.104.05"}


MEASURED = """
import subprocess, sys
from strata_git.runs.system import Meter
meter = Meter()
code = "x = bytearray(400 << 20); x[::4096] = b'x' * len(x[::4096])"
subprocess.run([sys.executable, "-c", code], check=True)
usage, again = meter.usage(), Meter().usage()
assert usage.peak_memory_bytes > 400 << 20 > again.peak_memory_bytes, (usage, again)
assert usage.cpu_s > 0
"""


def test_memory_of_children_counts_where_it_is_more() -> None:
    """In a process of its own: whoever runs tests may hold as much himself."""
    import subprocess
    import sys

    subprocess.run([sys.executable, "-c", MEASURED], check=True)
