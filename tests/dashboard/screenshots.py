"""The pictures of docs/dashboard.md: `python -m tests.dashboard.screenshots` makes them anew.

They show the story that the tests tell; a heavy test makes them, too, and says when one is missing or another size.
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.dashboard.browser import ROOT, drive

IMAGES = ROOT / "docs" / "images"
SHOTS: dict[str, dict[str, object]] = {
    "dashboard-overview.png": {"page": "index.html", "width": 1280, "height": 760},
    "dashboard-runs.png": {"page": "runs.html", "width": 1280, "height": 620},
    "dashboard-model.png": {"page": "models/forest/index.html", "width": 1280, "height": 760},
    "dashboard-lineage.png": {"page": "lineage.html", "width": 1280, "height": 560, "dark": True},
    "dashboard-phone.png": {"page": "models/forest/v2.html", "width": 390, "height": 844, "dark": True},
}
LARGEST = 150_000
"""Bytes that a picture in the documents may have."""


def take(site: Path, images: Path, environ: Mapping[str, str]) -> None:
    """Take every picture of a written site."""
    steps = [
        {key: value for key, value in shot.items() if key != "page"}
        | {"url": f"{site.as_uri()}/{shot['page']}", "screenshot": str(images / name)}
        for name, shot in SHOTS.items()
    ]
    drive(steps, environ)


def measure(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height


def main() -> None:
    """Make the story, write its site, take the pictures."""
    from strata_git.dashboard.static import write_site
    from tests.dashboard.conftest import opened
    from tests.dashboard.stories import rich
    from tests.support.builder import create
    from tests.support.environment import remove_home, sealed, short_directory
    from tests.support.keys import KeyStore

    base = Path(tempfile.mkdtemp())
    gnupg = short_directory()
    store = KeyStore(base / "keys", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    shutil.copytree(store.ring("alice", "bob"), gnupg, dirs_exist_ok=True)
    environ = sealed(base / "sealed", gnupg, os.environ)
    os.environ["GNUPGHOME"] = str(gnupg)
    fingerprint = (store.folder("alice") / "fingerprint").read_text()
    write_site(opened(rich(create(base / "repo", environ), 12, fingerprint)), base / "site")
    IMAGES.mkdir(exist_ok=True)
    take(base / "site", IMAGES, environ)
    remove_home(gnupg)
    shutil.rmtree(base)
    sys.stdout.write("".join(f"{name} {(IMAGES / name).stat().st_size}\n" for name in SHOTS))


if __name__ == "__main__":
    main()
