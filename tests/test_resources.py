"""Packaged files are found in both kinds of installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git import resources
from strata_git.errors import StrataError


@pytest.mark.parametrize("name", ["hooks", "templates", "tfc"])
def test_an_editable_install_uses_the_repository_itself(name: resources.Folder) -> None:
    assert resources.folder(name) == Path(__file__).parent.parent / name


def test_a_wheel_brings_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "strata_git"
    (package / "_tfc").mkdir(parents=True)
    (tmp_path / "tfc").mkdir()
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    assert resources.folder("tfc") == package / "_tfc"
    with pytest.raises(StrataError, match="'hooks' folder is missing"):
        resources.folder("hooks")
