"""A bundle: a model that passed the gate, with all that shows it, in a directory that needs neither Git nor a network.

It is written where the ledger, the keys and the objects are, and opened in an image where nothing of them is. What
holds it together is one digest, that of bundle.json, which names every other file with its own; whoever opens it says
which digest it must have. Then the bytes that are loaded are those that were read once and hashed, and the golden
predictions come out again or nothing answers. Stock tools can follow the same trail: VERIFY.md says how.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from strata_git.canonical import canonical_json
from strata_git.contracts.layout import CHECKSUMS, METADATA, SERVICE_RECORD, SIGNATURE
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.integrity import checksums
from strata_git.serving.bundle_words import verify_text
from strata_git.serving.columns import Signature, blank_table, signature_json, signature_of
from strata_git.serving.gate import Loaded, NotServed, Step
from strata_git.serving.golden import compare_golden, parse_golden
from strata_git.serving.loading import Loadable, close_model, load_model
from strata_git.serving.own_code import OwnCode
from strata_git.serving.project.project import CODE, own_code
from strata_git.serving.provenance import Provenance, read_provenance

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.repo.command import Repository
    from strata_git.serving.backends.local import Model
    from strata_git.serving.golden import Golden
    from strata_git.serving.project.project import Project
    from strata_git.serving.released import Release

SCHEMA = "strata/bundle/v1"
RECORD = "bundle.json"
GOLDEN, VERIFY = "golden.json", "VERIFY.md"
MODEL, EVENT = "model", "event"
"""Directories: the version's files, the event that put it where it is. Code of the service's own, and public keys of an
identity provider, keep their names."""
CARD = "card.md"
_RECORD_LIMIT = 8 << 20
_FORMS = (".onnx", ".skops")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_HERE = ("build", "tasks")
"""What of service.yaml is for the place where images are made."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a bundle takes from the repository beside the model that was loaded: the version as its event signs it, the
    event's tag object, and SIGNATURE.asc (None: nobody signed)."""

    release: Release
    tag: bytes
    signature: bytes | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every file is what its record says. `files` are their bytes by path."""

    digest: str
    service: Service
    provenance: Provenance
    signature: Signature
    steps: tuple[Step, ...]
    golden: Golden | None
    event: str
    trusted_types: tuple[str, ...]
    files: Mapping[str, bytes]

    @property
    def card(self) -> str:
        """The model card's text; `""` where there is none."""
        return self.files.get(f"{MODEL}/{CARD}", b"").decode(errors="replace")

    @property
    def model_files(self) -> dict[str, bytes]:
        """The version's files that came along, by their names in it."""
        return self._below(MODEL)

    @property
    def code(self) -> OwnCode | None:
        """Code of the service's own; None where it has none."""
        files = self._below(CODE)
        return OwnCode(self.service.lang, files, CODE) if files else None

    def _below(self, place: str) -> dict[str, bytes]:
        cut = len(place) + 1
        return {name[cut:]: data for name, data in self.files.items() if name.startswith(f"{place}/")}


def read_source(repo: Repository, loaded: Loaded) -> Source:
    """What goes into a bundle beside the model that the gate has let pass.

    Raises StrataError where the event is not (any more) the one that the gate read.
    """
    from strata_git.ledger.record import RecordError, TagError, parse_message, parse_tag
    from strata_git.serving.released import open_release, read_signature

    kind, tag = repo.objects.read(loaded.event, _RECORD_LIMIT)
    try:
        record = parse_message(parse_tag(tag).message)[1]
    except (RecordError, TagError) as error:
        raise StrataError(f"The event {printable(loaded.provenance.event)} cannot be read ({kind}: {error}).") from None
    release = open_release(repo, record)
    if record.digest != loaded.provenance.digest:
        raise StrataError(f"The event {printable(loaded.provenance.event)} is that of another version.")
    return Source(release, tag, read_signature(repo, release, record.commit))


def write_bundle(directory: Path, loaded: Loaded, project: Project, source: Source) -> str:
    """Write the bundle of a model that passed the gate into `directory`, which is made, and return its digest
    (`sha256:...`): the same model, service and commit give the same bytes.

    The version's files come along but for other forms of the model, which nobody loads; all of them where code of the
    service's own loads it, which may read any. Raises StrataError where a file cannot be had or written.
    """
    files = dict(sorted(_collected(loaded, project, source)))
    record = _record(loaded, project, source, files)
    files[RECORD] = canonical_json(record) + b"\n"
    digest = checksums.digest(files[RECORD])
    for name, data in files.items():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return digest


def read_bundle(directory: Path, digest: str) -> Bundle:
    """The bundle in `directory`, each file read once and compared; nothing is loaded yet.

    Raises StrataError where it is not the bundle `digest`, or a file is missing, altered, added, or no plain file.
    """
    if not directory.is_dir():
        raise StrataError(f"{printable(str(directory))} is no bundle: there is no such directory.")
    data = _read(directory / RECORD, _RECORD_LIMIT)
    if not digest or checksums.digest(data) != digest:
        raise StrataError(f"{printable(str(directory / RECORD))} is not the bundle that is asked for.")
    said = _parsed(data)
    sums: Mapping[str, str] = said["files"]
    found = set(_files(directory)) - {RECORD}
    if differing := sorted(found ^ sums.keys()):
        what = "is not listed" if differing[0] in found else "is missing"
        raise StrataError(f"{printable(differing[0])} {what} in the bundle.")
    files = {}
    for name, expected in sums.items():
        files[name] = _read(directory / name)
        if hashlib.sha256(files[name]).hexdigest() != expected:
            raise StrataError(f"{printable(name)} has other bytes than the bundle's record says.")
    _compare_lists(said["provenance"]["digest"], files)
    return _bundle(digest, said, files)


def open_bundle(directory: Path, digest: str, *, environ: Mapping[str, str] = _NOTHING) -> Loaded:
    """The model in a bundle, loaded from verified bytes, warmed up, its golden predictions compared.

    `environ` is that of R's processes, where it is a model of R. Raises NotServed with the step that refused:
    `bundle`, `load`, `warm-up`, `golden`; MissingExtra where packages are missing.
    """
    opening = _Opening(str(directory))
    with opening.step("bundle"):
        bundle = read_bundle(directory, digest)
    return opening.loaded(bundle, environ)


def load_bundle(bundle: Bundle, *, environ: Mapping[str, str] = _NOTHING) -> Loaded:
    """The same of a bundle that was read. Raises as `open_bundle`."""
    return _Opening(bundle.provenance.reference).loaded(bundle, environ)


class _Opening:
    """Verdicts so far."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._steps: list[Step] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        try:
            yield
        except MissingExtra:
            raise
        except StrataError as error:
            self._steps.append(Step(name, "refused", error.message))
            raise NotServed(self._what, tuple(self._steps), error.hint) from error
        self._steps.append(Step(name, "passed"))

    def loaded(self, bundle: Bundle, environ: Mapping[str, str]) -> Loaded:
        with self.step("load"):
            model = _model(bundle, environ)
        try:
            with self.step("golden" if bundle.golden is not None else "warm-up"):
                _tried(bundle, model)
        except BaseException:
            close_model(model)
            raise
        return Loaded(model, bundle.provenance, (*bundle.steps, *self._steps), bundle.event)


def _model(bundle: Bundle, environ: Mapping[str, str]) -> Model:
    """The model in whichever form it is."""
    source, files = bundle.provenance, bundle.model_files
    if source.file not in files:
        raise StrataError(f"the bundle has no {printable(source.file)}")
    if (bundle.code.digest if bundle.code else "") != source.code:
        raise StrataError("its code is not the one that the model was tried with")
    if not (bundle.code and bundle.code.loads):
        files = {source.file: files[source.file]}
    loadable = Loadable(source.format, source.file, files, bundle.trusted_types)
    return load_model(
        loadable, bundle.signature, code=bundle.code, threads=bundle.service.runtime.threads,
        environ=environ or {"PATH": os.defpath},
    )  # fmt: skip


def _tried(bundle: Bundle, model: Model) -> None:
    """One row, or its golden predictions where they are for this version."""
    golden, said = bundle.golden, bundle.service.golden
    if golden is None or not golden.is_for(bundle.provenance.model, bundle.provenance.version):
        model.predict(blank_table(model.signature))
        return
    differing = next(compare_golden(golden, model, absolute=float(said.absolute), relative=float(said.relative)), None)
    if differing is not None:
        raise StrataError(f"golden predictions do not come out again: {differing}")


def _collected(loaded: Loaded, project: Project, source: Source) -> Iterator[tuple[str, bytes]]:
    """Every file of the bundle but its record."""
    from strata_git.ledger.record import parse_tag
    from strata_git.load import dump_yaml

    release, tag = source.release, parse_tag(source.tag)
    code = own_code(project)
    if (code.digest if code else "") != loaded.provenance.code:
        raise StrataError(f"{project.path}/{CODE} is not any more what the model was tried with.", hint="Try again.")
    everything = code is not None and code.loads
    for name in release.sums:
        if everything or name == loaded.provenance.file or PurePosixPath(name).suffix not in _FORMS:
            yield f"{MODEL}/{name}", release.read(name)
    yield f"{MODEL}/{CHECKSUMS}", release.listed
    if source.signature is not None:
        yield f"{MODEL}/{SIGNATURE}", source.signature
    yield f"{EVENT}/tag", source.tag
    yield f"{EVENT}/payload", tag.payload
    if tag.signature:
        yield f"{EVENT}/signature.asc", tag.signature
    said = project.service.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={*_HERE})
    oidc = project.service.api.auth.oidc
    if oidc is not None and oidc.jwks is not None:
        yield oidc.jwks, _read(project.directory / oidc.jwks, _RECORD_LIMIT)
    yield SERVICE_RECORD, dump_yaml({"schema": project.service.schema_id, **said})
    if project.golden is not None:
        yield GOLDEN, project.golden.text
    if code is not None:
        for name, data in code.files.items():
            yield f"{CODE}/{name}", data
    yield VERIFY, verify_text(loaded.provenance, signed=source.signature is not None, event=loaded.event).encode()


def _record(loaded: Loaded, project: Project, source: Source, files: Mapping[str, bytes]) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "service": project.name,
        "commit": project.commit,
        "provenance": loaded.provenance.as_json(),
        "event": loaded.event,
        "signature": signature_json(loaded.model.signature),
        "trusted_types": list(source.release.model_metadata().get("trusted_types") or ()),
        "steps": [asdict(step) for step in loaded.steps],
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }  # fmt: skip


def _bundle(digest: str, said: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.service import Service
    from strata_git.load import Unloadable, load_yaml

    try:
        service = parse(Service, load_yaml(files[SERVICE_RECORD]))
        return Bundle(
            digest=digest, service=service, provenance=read_provenance(said["provenance"]),
            signature=signature_of(said), steps=tuple(Step(**one) for one in said["steps"]),
            golden=parse_golden(files[GOLDEN]) if GOLDEN in files else None, event=str(said["event"]),
            trusted_types=tuple(said["trusted_types"]), files=files,
        )  # fmt: skip
    except (ContractError, KeyError, TypeError, Unloadable) as error:
        raise StrataError(
            f"The bundle's record cannot be read: {type(error).__name__}: {printable(str(error))}"
        ) from None


def _parsed(data: bytes) -> dict[str, Any]:
    from strata_git.load import Unloadable, load_json

    try:
        said = load_json(data).value
    except Unloadable as error:
        raise StrataError(f"{RECORD}: {error}.") from None
    if not isinstance(said, dict) or said.get("schema") != SCHEMA or not isinstance(said.get("files"), dict):
        raise StrataError(f"{RECORD} is no record of a bundle that is known here ({SCHEMA}).")
    return said


def _compare_lists(digest: str, files: Mapping[str, bytes]) -> None:
    """The version's files, by its own list: what the event signs, not only what the bundle says."""
    listed = files.get(f"{MODEL}/{CHECKSUMS}", b"")
    if checksums.digest(listed) != digest:
        raise StrataError(f"{MODEL}/{CHECKSUMS} is not the one that the event signs.")
    try:
        sums = checksums.parse(listed)
    except checksums.ChecksumError as error:
        raise StrataError(f"{MODEL}/{CHECKSUMS}: {error.message}.") from None
    for name, data in files.items():
        inside = name.removeprefix(f"{MODEL}/")
        if inside == name or inside in (CHECKSUMS, SIGNATURE):
            continue
        if sums.get(inside) != hashlib.sha256(data).hexdigest():
            raise StrataError(f"{printable(name)} is not the file that {CHECKSUMS} lists.")
    if f"{MODEL}/{METADATA}" not in files:
        raise StrataError(f"{MODEL}/{METADATA} is missing in the bundle.")


def _files(directory: Path) -> Iterator[str]:
    """Paths of all files below, in their order. Raises StrataError for what is neither file nor directory."""
    for place, folders, names in os.walk(directory):
        folders[:] = sorted(folders)
        for name in sorted([*names, *folders]):
            path = Path(place) / name
            inside = path.relative_to(directory).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                yield inside
            elif not stat.S_ISDIR(mode):
                raise StrataError(f"{printable(inside)} is neither a file nor a directory.")


def _read(path: Path, limit: int = 4 << 30) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise StrataError(f"{printable(str(path))} is no plain file.")
            data = stream.read(limit + 1)
    except OSError as error:
        raise StrataError(f"{printable(str(path))} cannot be read: {error.strerror}.") from None
    if len(data) > limit:
        raise StrataError(f"{printable(str(path))} has more than {limit >> 20} MiB.")
    return data
