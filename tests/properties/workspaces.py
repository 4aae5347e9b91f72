"""Workspaces for properties: valid artifacts, and whatever people, tools and attackers do to them.

A workspace is a dict from path to mode and bytes. A *damage* is a function from one to another; a strategy draws lists
of them, so that what shrinks is the list.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from strata_git.contracts.layout import CHECKSUMS, METADATA, artifact_of
from strata_git.integrity import checksums
from strata_git.repo.lfs import format_pointer
from strata_git.repo.tree import content_of
from tests.properties.plumbing import File
from tests.support import artifacts

Workspace = dict[str, File]
REGULAR = ("100644", "100755")
SECRET = b"token: ghp" + b"_" + b"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8\n"


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing done; its name and arguments are what a failing example shows."""

    what: str
    at: int
    extra: int

    def __call__(self, files: Workspace) -> Workspace:
        made = DAMAGES[self.what](dict(files), self.at, self.extra)
        return {path: file for path, file in made.items() if _is_storable(path)}


@dataclass(frozen=True, slots=True)
class Made:
    """A workspace by how it is made: valid artifacts, with payload in Git LFS or not, and what was done to them."""

    parts: frozenset[str]
    lfs: bool
    done: tuple[Damage, ...]

    def files(self) -> Workspace:
        """What it holds."""
        return damaged(_workspace(self.lfs, self.parts), self.done)


def workspaces(most: int = 0) -> st.SearchStrategy[Made]:
    """Some of the artifacts there can be; `most` things done to them."""
    parts = st.frozensets(st.sampled_from(sorted(_PARTS)), min_size=1)
    return st.builds(Made, parts, st.booleans(), damages(most).map(tuple))


def damages(most: int = 4) -> st.SearchStrategy[list[Damage]]:
    """Some things done one after the other."""
    one = st.builds(Damage, st.sampled_from(sorted(DAMAGES)), st.integers(0, 40), st.integers(0, 20))
    return st.lists(one, max_size=most)


def damaged(files: Workspace, done: Iterable[Damage]) -> Workspace:
    """The workspace after all that was done to it."""
    for damage in done:
        files = damage(files)
    return files


def sealed(files: Workspace, directory: str) -> Workspace:
    """With the list of what `directory` holds now, if a list can hold it."""
    inside = {path[len(directory) + 1 :]: file for path, file in files.items() if path.startswith(directory + "/")}
    sums = {
        name: content_of(data).sha256
        for name, (mode, data) in inside.items()
        if mode in REGULAR and name not in checksums.EXCLUDED
    }
    try:
        return _put(files, f"{directory}/{CHECKSUMS}", checksums.render(sums))
    except ValueError:
        return files


def directories(files: Workspace) -> list[str]:
    """The artifact directories."""
    return sorted({artifact.path for path in files if (artifact := artifact_of(path)) and artifact.path != path})


def _workspace(lfs: bool, parts: Iterable[str]) -> Workspace:
    files = artifacts.workspace(lfs=lfs)
    for part in sorted(parts):
        files |= _PARTS[part]
    made: Workspace = {path: ("100644", data) for path, data in files.items()}
    return {path: _pointed(path, file) for path, file in made.items()} if lfs else made


def _parts() -> dict[str, dict[str, bytes]]:
    iris = artifacts.dataset("iris")
    inputs = [artifacts.cite(iris, "datasets/iris/v1")]
    run = artifacts.run(inputs=inputs)
    return {
        "dataset": iris,
        "datasets": iris | artifacts.dataset("tulips", files={"all": {"all.csv": b"a,b\n1,2\n"}}),
        "prompt": artifacts.prompt(),
        "run": iris | run,
        "story": iris | run | artifacts.model("forest", datasets=inputs, metrics=artifacts.metrics_of(run)),
        "orphan": artifacts.model("pine"),
        "service": {"services/scoring/service.yaml": b"model: forest@production\n"},
    }


_PARTS = _parts()


# --- what can be done


def _delete(files: Workspace, at: int, extra: int) -> Workspace:
    files.pop(_path(files, at), None)
    return files


def _delete_directory(files: Workspace, at: int, extra: int) -> Workspace:
    where = _directory(files, at)
    return {path: file for path, file in files.items() if not path.startswith(where + "/")}


def _rewrite(files: Workspace, at: int, extra: int) -> Workspace:
    path = _path(files, at)
    data = files[path][1] if path in files else b""
    contents = (
        b"", b"tampered\n", data + b"\n", data.replace(b"\n", b"\r\n"), data[: len(data) // 2], b"\xff\xfe\0", SECRET,
        format_pointer("a" * 64, 5), format_pointer("a" * 64, 5).replace(b"size", b"ext-0-x y\nsize"),
        b"a: &a [*a]\n", b"{", data.replace(b"v1", b"v2"), data.replace(b"iris", b"tulips"),
        data.replace(b"succeeded", b"failed"), data.replace(b"0.9", b"0.8"), data + b"extra: 1\n",
    )  # fmt: skip
    return _put(files, path, contents[extra % len(contents)])


def _change_mode(files: Workspace, at: int, extra: int) -> Workspace:
    path = _path(files, at)
    if path in files:
        files[path] = ("100755", "120000", "160000", "100644")[extra % 4], files[path][1]
    return files


def _rename(files: Workspace, at: int, extra: int) -> Workspace:
    path = _path(files, at)
    if path not in files:
        return files
    file = files.pop(path)
    return _put(files, _other_name(path, extra), file[1], file[0])


def _twin(files: Workspace, at: int, extra: int) -> Workspace:
    path = _path(files, at)
    return _put(files, _other_name(path, extra), b"twin\n")


def _move_directory(files: Workspace, at: int, extra: int) -> Workspace:
    where = _directory(files, at)
    there = ("datasets/moved/v1", "models/iris/v1", where.upper(), where + "0", "datasets/iris/v1", "prompts/p/v7")
    target = there[extra % len(there)]
    return _copied({p: f for p, f in files.items() if not p.startswith(where + "/")}, files, where, target)


def _copy_directory(files: Workspace, at: int, extra: int) -> Workspace:
    where = _directory(files, at)
    head = where.rpartition("/")[0]
    return _copied(files, files, where, f"{head}/v{extra % 3 + 1}" if head.count("/") else f"{where}9")


def _next_version(files: Workspace, at: int, extra: int) -> Workspace:
    """As it should be done: a copy under the next number that says so, sealed."""
    where = _directory(files, at)
    head, _, version = where.rpartition("/")
    if not version.startswith("v"):
        return files
    target = f"{head}/v{extra % 3 + 2}"
    made = _copied(files, files, where, target)
    if (record := made.get(f"{target}/{METADATA}")) is not None:
        said = record[1].replace(f"version: {version}\n".encode(), f"version: {target.rpartition('/')[2]}\n".encode())
        made[f"{target}/{METADATA}"] = record[0], said
    return sealed(made, target)


def _stray(files: Workspace, at: int, extra: int) -> Workspace:
    where = _directory(files, at)
    names = (
        "datasets/stray", "models/x", "runs/note.txt", "services/a", f"{where}/.hidden", f"{where}/.gitattributes",
        f"{where}/nul.txt", f"{where}/-", f"{where}/a b", f"{where}/sub/deep/x", f"{where}/e\u0301", "Datasets/a/v1/x",
        f"{where}/bad\udcff", f"{where}/new\nline", "experiments/a.yaml", "chains/a.yaml", ".env", "README.md",
        ".strata/trust/x", ".Strata/x", f"{where}", f"{where.rpartition('/')[0]}", f"{where}/\u202egnp",
    )  # fmt: skip
    return _put(files, names[at % len(names)], (b"x\n", SECRET, b"")[extra % 3])


def _seal(files: Workspace, at: int, extra: int) -> Workspace:
    return sealed(files, _directory(files, at))


def _set(files: Workspace, at: int, extra: int) -> Workspace:
    base = artifacts.workspace()["strata.yaml"]
    said = (
        b"lfs: perhaps\n", b"", base + b"doctor:\n  ignore:\n    - STR-C\n", base + b"signing:\n  required: true\n",
        base + b"doctor:\n  select:\n    - STR-L\n", base.replace(b"lfs: false", b"lfs: true"),
        base + b"secrets:\n  allow:\n    - ghp_.{36}\n", base + b"doctor:\n  ignore:\n    - STR-X999\n",
    )  # fmt: skip
    return _put(files, "strata.yaml", said[extra % len(said)])


def _attribute(files: Workspace, at: int, extra: int) -> Workspace:
    said = (b"", b"* -text\n", b"datasets/** -text\n", b"* text=auto\n", b"datasets/** filter=lfs -text\n", b"\xff\n")
    return _put(files, ".gitattributes", said[extra % len(said)])


def _baseline(files: Workspace, at: int, extra: int) -> Workspace:
    rows = (b"[]", b'[{"rule": "STR-C005", "path": "a", "message": "sha256:00"}]', b"{")
    return _put(
        files,
        ".strata/baseline.json",
        b'{"schema": "strata/baseline/v1", "findings": ' + rows[extra % 3] + b"}\n",
    )


def _point(files: Workspace, at: int, extra: int) -> Workspace:
    path = _path(files, at)
    if path in files and files[path][0] in REGULAR:
        files[path] = files[path][0], format_pointer(content_of(files[path][1]).sha256, max(1, len(files[path][1])))
    return files


DAMAGES: dict[str, Callable[[Workspace, int, int], Workspace]] = {
    function.__name__.removeprefix("_"): function
    for function in (
        _delete, _delete_directory, _rewrite, _change_mode, _rename, _twin, _move_directory, _copy_directory,
        _next_version, _stray, _seal, _set, _attribute, _baseline, _point,
    )
}  # fmt: skip


# --- steps


def _put(files: Workspace, path: str, data: bytes, mode: str = "100644") -> Workspace:
    """With a file at `path`: what lay below it, or as a file above it, is gone."""
    above = {path[:at] for at in range(len(path)) if path[at] == "/"}
    kept = {p: f for p, f in files.items() if p not in above and not p.startswith(path + "/")}
    return kept | {path: (mode, data)}


def _copied(base: Workspace, source: Workspace, where: str, target: str) -> Workspace:
    for path, (mode, data) in source.items():
        if path.startswith(where + "/"):
            base = _put(base, target + path[len(where) :], data, mode)
    return base


def _path(files: Workspace, at: int) -> str:
    paths = sorted(files, key=os.fsencode)
    return paths[at % len(paths)] if paths else "README.md"


def _directory(files: Workspace, at: int) -> str:
    places = directories(files)
    return places[at % len(places)] if places else "datasets/iris/v1"


def _other_name(path: str, extra: int) -> str:
    head, slash, name = path.rpartition("/")
    names = (
        name.upper(),
        name + ".old",
        unicodedata.normalize("NFD", "é" + name),
        "é" + name,
        f"sub/{name}",
        name + " ",
    )
    return head + slash + names[extra % len(names)]


def _pointed(path: str, file: File) -> File:
    """Payload as Git LFS stores it."""
    artifact = artifact_of(path)
    text = path.endswith((".yaml", ".json", ".md", ".txt"))
    if artifact is None or artifact.kind not in ("dataset", "model", "run") or text:
        return file
    return file[0], format_pointer(content_of(file[1]).sha256, len(file[1]))


def _is_storable(path: str) -> bool:
    """Whether git lets the path into an index."""
    return all(
        part and part.lower() not in (".", "..", ".git") and len(os.fsencode(part)) < 200 for part in path.split("/")
    )
