"""The Python packages an image needs: exactly those, in exactly those versions, that the service was tried with here.

They are found by what installed distributions say of themselves, so that nothing is resolved anew. In an image they
are installed from the package index or a directory of wheels by a list of exact versions (with hashes where we know
them), or copied as they are installed here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path, PurePosixPath

from strata_git.errors import StrataError, printable

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?[^;]*(?:;(.*))?", re.DOTALL)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
CORE = ("pydantic", "pyyaml")
"""What contracts and loading need of our own core; the rest of it deals with Git, which no image has."""
FORMATS: Mapping[str, tuple[str, ...]] = {
    "onnx": ("onnxruntime",), "skops": ("scikit-learn", "skops", "pandas"),
}  # fmt: skip
OPTIONAL = ("httptools", "pandas", "uvloop")
"""Used where they are installed, missed by nobody where they are not."""
_UNWANTED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
"""Files of a distribution that tell of this machine, or change with each installation."""


@dataclass(frozen=True, slots=True)
class Package:
    """An installed distribution."""

    name: str
    version: str

    @property
    def pin(self) -> str:
        """`numpy==2.4.6`."""
        return f"{self.name}=={self.version}"


def needed(*, format_: str = "", own: Iterable[str] = ()) -> tuple[Package, ...]:
    """What a service with a model of this format needs, with all that it needs in its turn, by name.

    `own` are requirements of the service's own code. Raises StrataError for one that is not installed here.
    """
    said = metadata.requires("git-strata") or []
    roots = [*CORE, "httptools", "uvloop", *FORMATS.get(format_, ()), *own]
    roots += [one.partition(";")[0] for one in said if "serve" in _EXTRA.findall(one.partition(";")[2])]
    return needed_by(*roots)


def needed_by(*requirements: str) -> tuple[Package, ...]:
    """What these need, with all that it needs in its turn, by name. StrataError for one that is not installed here."""
    found: dict[str, Package] = {}
    seen: set[tuple[str, str]] = set()
    open_ = [_parsed(one) for one in requirements]
    for name, _, _ in open_:
        if _distribution(name) is None and name not in OPTIONAL:
            raise StrataError(f"{printable(name)} is not installed here, and the image would need it.",
                              hint=f"pip install {printable(name)}")  # fmt: skip
    while open_:
        name, extras, _ = open_.pop()
        distribution = _distribution(name)
        if distribution is None:  # for another system or version of Python
            continue
        found[name] = Package(name, distribution.version)
        for extra in ("", *extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            open_ += [one for one in map(_parsed, distribution.requires or ()) if one[2] == extra]
    return tuple(found[name] for name in sorted(found))


def requirements_of(text: str) -> tuple[str, ...]:
    """The requirements in a file of the user's (names, versions, markers); options and comments are left out."""
    lines = (line.partition("#")[0].strip().removesuffix("\\").strip() for line in text.splitlines())
    return tuple(line.partition(" --")[0] for line in lines if line and not line.startswith("-"))


def hashed(packages: Iterable[Package], *texts: str) -> tuple[str, bool]:
    """The list of packages for pip, one a line; with hashes (and True) where every one of them is in `texts`.

    `texts` are lists as `pip-compile --generate-hashes` and `uv pip compile` write them. pip wants hashes for all
    packages or for none: one that is missing leaves all of them out.
    """
    known = {pin: hashes for text in texts for pin, hashes in _hashes(text)}
    wanted = sorted(packages, key=lambda one: one.name)
    if all(known.get((one.name, one.version)) for one in wanted):
        rows = [" \\\n    ".join([one.pin, *(f"--hash={sum_}" for sum_ in known[one.name, one.version])])
                for one in wanted]  # fmt: skip
        return "".join(f"{row}\n" for row in rows), True
    return "".join(f"{one.pin}\n" for one in wanted), False


def from_wheels(packages: Iterable[Package], directory: Path) -> tuple[str, tuple[Path, ...]]:
    """The same list for wheels in a directory, each with its hash, and the files. StrataError where one is missing."""
    wheels: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(directory.glob("*.whl")):
        name, _, rest = file.name.partition("-")
        wheels.setdefault((_canonical(name), rest.partition("-")[0]), []).append(file)
    rows, files = [], []
    for package in packages:
        found = wheels.get((package.name, package.version))
        if not found:
            raise StrataError(
                f"{printable(str(directory))} has no wheel of {package.pin}.",
                hint=f"pip download --only-binary :all: --no-deps -d {printable(str(directory))} {package.pin}",
            )
        sums = [f"--hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in found]
        rows.append(" \\\n    ".join([package.pin, *sums]))
        files += found
    return "".join(f"{row}\n" for row in rows), tuple(files)


def installed_files(packages: Iterable[Package]) -> Iterator[tuple[str, Path]]:
    """Every file of the packages as they are installed here: path below the directory of packages, and where it lies.

    Scripts, bytecode, and what tells of this machine are left out.
    """
    for package in packages:
        distribution = _distribution(package.name)
        for file in (distribution.files if distribution else None) or ():
            path = PurePosixPath(file)
            if ".." in path.parts or path.is_absolute() or "__pycache__" in path.parts or path.suffix == ".pyc":
                continue
            if path.name in _UNWANTED and path.parts[0].endswith(".dist-info"):
                continue
            place = Path(str(file.locate()))
            if place.is_file():
                yield path.as_posix(), place


def _hashes(text: str) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    for block in text.replace("\\\n", " ").splitlines():
        if match := _PIN.match(block.strip()):
            yield (_canonical(match[1]), match[2]), tuple(_HASH.findall(block))


def _parsed(requirement: str) -> tuple[str, tuple[str, ...], str]:
    """Name, extras that are asked for, and the extra that asks (`""`: it is always needed)."""
    match = _REQUIREMENT.match(requirement)
    if match is None:
        raise StrataError(f"'{printable(requirement)}' is no requirement.")
    extra = _EXTRA.search(match[3] or "")
    wanted = tuple(one.strip() for one in (match[2] or "").split(",") if one.strip())
    return _canonical(match[1]), wanted, extra[1] if extra else ""


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).casefold()


@lru_cache(maxsize=1024)
def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
