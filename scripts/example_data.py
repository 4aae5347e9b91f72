"""Makes the artifacts of templates/example: datasets/iris/v1 from scikit-learn's copy, and the seal of its prompt.

`python scripts/example_data.py` writes them, by the same functions as `git strata dataset add` and `checksum`;
`python scripts/example_data.py --check` only tells whether they are as it would write them.
"""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from strata_git.authoring.dataset import DatasetRequest, add_dataset
from strata_git.integrity import checksums
from strata_git.integrity.digest import sha256_directory
from strata_git.load import dump_yaml
from strata_git.repo.command import Repository

EXAMPLE = Path(__file__).parent.parent / "templates" / "example"
MADE = datetime(2026, 11, 21, 12, 58, tzinfo=UTC)
SEED = 1936
TEST_ROWS = 15
"""Of each species."""
HEADER = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
PROCESS = f"Written with one decimal; {TEST_ROWS} rows of each species for test, chosen with random.Random({SEED})."


def iris() -> dict[str, bytes]:
    """train.csv and test.csv."""
    from sklearn.datasets import load_iris

    data = load_iris()
    rows = [
        [*(f"{value:.1f}" for value in values), str(data.target_names[label])]
        for values, label in zip(data.data, data.target, strict=True)
    ]
    chosen = random.Random(SEED)  # noqa: S311 - a split, not a secret
    test: set[int] = set()
    for species in data.target_names:
        test |= set(chosen.sample([at for at, row in enumerate(rows) if row[-1] == species], TEST_ROWS))
    parts = {"train.csv": [at for at in range(len(rows)) if at not in test], "test.csv": sorted(test)}
    return {name: _table(rows[at] for at in places) for name, places in parts.items()}


def _table(rows: Iterable[list[str]]) -> bytes:
    from io import StringIO

    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return stream.getvalue().encode()


def dataset(scratch: Path) -> dict[str, bytes]:
    """The files of datasets/iris/v1, made in a throwaway repository."""
    source = scratch / "iris"
    source.mkdir()
    for name, data in iris().items():
        (source / name).write_bytes(data)
    subprocess.run(["git", "init", "--quiet", scratch / "repository"], check=True)
    repo = Repository.discover(scratch / "repository", dict(os.environ))
    request = DatasetRequest(
        source=source,
        name="iris",
        splits=(("train", "train.csv"), ("test", "test.csv")),
        given="https://archive.ics.uci.edu/dataset/53/iris (as bundled with scikit-learn)",
        description="Sepals and petals of 150 irises of three species, in centimetres (Fisher 1936, after Anderson).",
        licence="CC-BY-4.0",
        process=PROCESS,
    )
    made = add_dataset(repo, request, now=MADE)
    repo.close()
    return _files(scratch / "repository" / made.artifact.path, f"{made.artifact.path}/")


def prompt(scratch: Path) -> dict[str, bytes]:
    """metadata.yaml and CHECKSUMS.txt for the prompt that lies in the template."""
    place = "prompts/summarise/v1"
    body = (EXAMPLE / place / "prompt.yaml").read_bytes()
    (scratch / "prompt.yaml").write_bytes(body)
    payload = {path: sha256 for path, sha256, _ in sha256_directory(scratch)}
    metadata = dump_yaml(
        {
            "kind": "prompt",
            "name": "summarise",
            "version": "v1",
            "created": MADE.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "description": "One sentence about a text, in a language that is asked for.",
            "licence": "Apache-2.0",
            "content_hash": checksums.content_hash(payload, kind="prompt"),
        }
    )
    (scratch / "metadata.yaml").write_bytes(metadata)
    listed = checksums.render({path: sha256 for path, sha256, _ in sha256_directory(scratch)})
    return {f"{place}/metadata.yaml": metadata, f"{place}/CHECKSUMS.txt": listed}


def wanted() -> dict[str, bytes]:
    """Path in the template -> bytes, of all that is made here."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        return dataset(Path(first)) | prompt(Path(second))


def _files(directory: Path, prefix: str) -> dict[str, bytes]:
    found = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {prefix + path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def main(arguments: list[str]) -> int:
    """Write the files, or with --check compare them; 1 when they differ."""
    files = wanted()
    if "--check" in arguments:
        held = _files(EXAMPLE / "datasets", "datasets/") | {
            name: (EXAMPLE / name).read_bytes() for name in files if (EXAMPLE / name).is_file()
        }
        return int(held != files)
    for name, data in files.items():
        (EXAMPLE / name).parent.mkdir(parents=True, exist_ok=True)
        (EXAMPLE / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
