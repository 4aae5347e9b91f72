"""OCI image layouts, written without any engine: a bundle as an artifact, or a whole image on top of a base.

What is written follows the OCI image specification (image-layout, manifest, config, layer; version 1.1), and is the
same bytes for the same files: entries in their order, with owner 0 and one time for all.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from strata_git.errors import StrataError, printable

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARTIFACT = "application/vnd.strata.bundle.v1"
_BASES = {MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json"}
_DOCUMENT = 4 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """Files of a directory, to be found at `target` in the image."""

    source: Path
    target: str
    said: str


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob of a layout; `diff_id` is the digest of a layer before it was packed."""

    media_type: str
    digest: str
    size: int
    diff_id: str = ""

    def as_json(self) -> dict[str, object]:
        """As a manifest names it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def write_artifact(directory: Path, bundle: Path, *, name: str, labels: Mapping[str, str], epoch: int) -> str:
    """Write a layout with the bundle as its one manifest and return the manifest's digest.

    Its one layer unpacks to the bundle's files; its configuration is an image's without a program, so that every tool
    that copies images copies it. Raises StrataError where `directory` is not empty or cannot be written.
    """
    layout = _Layout(directory)
    layer = layout.layer(Layer(bundle, "", "bundle"), epoch)
    config = _config({}, [layer], ["bundle"], labels=labels, epoch=epoch)
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": ARTIFACT,
        "config": layout.document(CONFIG, config).as_json(), "layers": [layer.as_json()], "annotations": dict(labels),
    }  # fmt: skip
    return layout.finish(layout.document(MANIFEST, manifest), name)


def write_image(
    directory: Path, base: Path, layers: Sequence[Layer], *, name: str, config: Mapping[str, Any],
    labels: Mapping[str, str], epoch: int,
) -> str:  # fmt: skip
    """Write a layout with an image: that of the layout `base`, then `layers`; the manifest's digest.

    `config` replaces what the base says of users, variables (which are added to its own), entry points. Raises
    StrataError where `base` is no layout of one image, or a blob of it is missing or altered.
    """
    layout = _Layout(directory)
    source, below = _base(base)
    kept = [layout.copied(base, one) for one in source["layers"]]
    made = [layout.layer(layer, epoch) for layer in layers]
    merged = dict(below)
    inside = dict(merged.get("config") or {})
    variables = dict(one.split("=", 1) for one in inside.get("Env") or ())
    variables |= config.get("Env", {})
    merged["config"] = {**inside, **config, "Env": [f"{one}={value}" for one, value in variables.items()]}
    document = _config(merged, made, [layer.said for layer in layers], labels=labels, epoch=epoch)
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST, "config": layout.document(CONFIG, document).as_json(),
        "layers": [*kept, *(one.as_json() for one in made)], "annotations": dict(labels),
    }  # fmt: skip
    return layout.finish(layout.document(MANIFEST, manifest), name)


def is_layout(directory: Path) -> bool:
    """Whether it is an OCI image layout."""
    return (directory / "oci-layout").is_file()


class _Layout:
    """A layout while it is written: blobs first, the index last."""

    def __init__(self, directory: Path) -> None:
        self._place = directory
        self._blobs = directory / "blobs" / "sha256"
        try:
            if directory.exists() and any(directory.iterdir()):
                raise StrataError(
                    f"{printable(str(directory))} is not empty.", hint="Name a directory that is not there."
                )
            self._blobs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StrataError(f"{printable(str(directory))} cannot be made: {error.strerror}.") from None

    def document(self, media_type: str, value: object) -> Descriptor:
        data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        digest = hashlib.sha256(data).hexdigest()
        (self._blobs / digest).write_bytes(data)
        return Descriptor(media_type, f"sha256:{digest}", len(data))

    def layer(self, layer: Layer, epoch: int) -> Descriptor:
        """A packed layer, written while it is hashed."""
        partial = self._blobs / "partial"
        with partial.open("wb") as stream:
            outer = _Hashing(stream)
            with gzip.GzipFile(filename="", mode="wb", fileobj=outer, mtime=0, compresslevel=3) as packed:
                inner = _Hashing(packed)
                with tarfile.open(fileobj=inner, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                    for name, place in _entries(layer):
                        _added(tar, name, place, epoch)
        partial.rename(self._blobs / outer.digest)
        return Descriptor(LAYER, f"sha256:{outer.digest}", outer.size, f"sha256:{inner.digest}")

    def copied(self, base: Path, descriptor: Mapping[str, Any]) -> dict[str, Any]:
        data = _blob(base, descriptor, limit=None)
        (self._blobs / str(descriptor["digest"]).partition(":")[2]).write_bytes(data)
        return {**descriptor, "mediaType": str(descriptor["mediaType"]).replace(
            "vnd.docker.image.rootfs.diff.tar.gzip", "vnd.oci.image.layer.v1.tar+gzip")}  # fmt: skip

    def finish(self, manifest: Descriptor, name: str) -> str:
        told = {**manifest.as_json(), "annotations": {"org.opencontainers.image.ref.name": name}}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [told]}
        (self._place / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        (self._place / "index.json").write_text(json.dumps(index, sort_keys=True, separators=(",", ":")))
        return manifest.digest


class _Hashing(io.RawIOBase):
    """A file that is hashed and counted while it is written."""

    def __init__(self, target: Any) -> None:
        self._target, self._hash, self.size = target, hashlib.sha256(), 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """As a file's."""
        self._hash.update(data)
        self.size += len(data)
        self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _entries(layer: Layer) -> Iterable[tuple[str, Path | None]]:
    """Names in the layer in their order, directories (None) before what is in them."""
    above = [] if not layer.target else [*PurePosixPath(layer.target.lstrip("/")).parents][:-1][::-1]
    yield from ((str(one), None) for one in above)
    prefix = layer.target.strip("/")
    if prefix:
        yield prefix, None
    for place, folders, names in os.walk(layer.source):
        folders.sort()
        inside = Path(place).relative_to(layer.source).as_posix()
        here = "/".join(one for one in (prefix, "" if inside == "." else inside) if one)
        if inside != ".":
            yield here, None
        for name in sorted(names):
            yield f"{here}/{name}" if here else name, Path(place) / name


def _added(tar: tarfile.TarFile, name: str, place: Path | None, epoch: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime = epoch
    if place is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(entry)
        return
    entry.mode, entry.size = 0o644, place.stat().st_size
    with place.open("rb") as stream:
        tar.addfile(entry, stream)


def _config(
    below: Mapping[str, Any],
    layers: Sequence[Descriptor],
    said: Sequence[str],
    *,
    labels: Mapping[str, str],
    epoch: int,
) -> dict[str, Any]:
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    inside = dict(below.get("config") or {})
    rootfs = dict(below.get("rootfs") or {"type": "layers", "diff_ids": []})
    history = [{"created": created, "created_by": f"git strata service build: {one}"} for one in said]
    return {
        "architecture": below.get("architecture", "amd64"), "os": below.get("os", "linux"), "created": created,
        "config": {**inside, "Labels": {**(inside.get("Labels") or {}), **labels}},
        "rootfs": {**rootfs, "diff_ids": [*rootfs["diff_ids"], *(one.diff_id for one in layers)]},
        "history": [*(below.get("history") or []), *history],
        **({"variant": below["variant"]} if "variant" in below else {}),
    }  # fmt: skip


def _base(directory: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and configuration of the one image of a layout."""
    try:
        index = json.loads((directory / "index.json").read_bytes()[:_DOCUMENT])
        found = [one for one in index["manifests"] if one.get("mediaType", MANIFEST) in _BASES]
        if not is_layout(directory) or len(found) != 1:
            raise StrataError(f"{printable(str(directory))} is no OCI image layout of one image.")
        manifest = json.loads(_blob(directory, found[0], limit=_DOCUMENT))
        if manifest.get("mediaType") == INDEX or "layers" not in manifest:
            raise StrataError(f"{printable(str(directory))} has images for several systems; name a layout of one.")
        return manifest, json.loads(_blob(directory, manifest["config"], limit=_DOCUMENT))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StrataError(f"{printable(str(directory))} is no OCI image layout ({type(error).__name__}).") from None


def _blob(directory: Path, descriptor: Mapping[str, Any], *, limit: int | None) -> bytes:
    """A blob's bytes, compared with its digest."""
    kind, _, digest = str(descriptor["digest"]).partition(":")
    if kind != "sha256" or len(digest) != 64 or not all(one in "0123456789abcdef" for one in digest):
        raise StrataError(f"{printable(str(descriptor['digest']))} is no digest that is known here.")
    path = directory / "blobs" / kind / digest
    if limit is not None and path.stat().st_size > limit:
        raise StrataError(f"{printable(str(path))} has more than {limit >> 20} MiB.")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise StrataError(f"{printable(str(path))} has other bytes than its name says.")
    return data
