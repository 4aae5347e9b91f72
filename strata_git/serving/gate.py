"""The gate that every model passes before it answers. It fails closed: what cannot be shown is refused.

In order: the ledger has the version where it was asked for; the trust policy and the signatures on the version allow
it; its tree, list and files are those that the event signs, and HEAD has no others; the bytes that are loaded are read
once and hashed; their format cannot run code, or trusted people signed it and code of the service's own loads it; the
signature names its columns; it loads, answers one row, and gives its golden predictions again. Nothing of the version
is read from the work tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from strata_git.contracts.layout import STAGES, Reference, parse_reference
from strata_git.errors import MissingExtra, StrataError, UsageError, printable
from strata_git.integrity.signer import is_signed, spoiler
from strata_git.serving.columns import blank_table, signature_of
from strata_git.serving.errors import PredictionError, RequestError
from strata_git.serving.format_rule import choose_file, judge_content, judge_files
from strata_git.serving.golden import Golden, compare_golden
from strata_git.serving.loading import Loadable, close_model, load_model
from strata_git.serving.own_code import OwnCode, check_code
from strata_git.serving.provenance import Provenance
from strata_git.serving.released import Release, open_release, read_signature, require_unaltered

if TYPE_CHECKING:
    from strata_git.config import Settings
    from strata_git.integrity.signer import SignatureVerdict
    from strata_git.ledger.events import Ledger
    from strata_git.ledger.moves import Placement
    from strata_git.ledger.record import Record
    from strata_git.repo.command import Repository
    from strata_git.serving.backends.local import Model

STEPS = ("ledger", "trust", "tree", "signed", "bytes", "format", "columns", "load", "warm-up", "golden")
"""The gate's steps in their order."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step's verdict: `passed`, `skipped` (there was nothing to compare) or `refused`, and why."""

    name: str
    verdict: Literal["passed", "skipped", "refused"]
    message: str = ""


class NotServed(StrataError):
    """The gate refused: `step` says where; `steps` are all verdicts up to there, the refusal last."""

    exit_code = 2

    def __init__(self, reference: str, steps: tuple[Step, ...], hint: str = "") -> None:
        self.steps = steps
        self.step = steps[-1].name
        super().__init__(f"{printable(reference)} is not served ({self.step}): {steps[-1].message}", hint=hint)


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of a model beyond its being sound.

    `format` is `auto` (ONNX where the version has it, else skops) or one of them; `threads` those of one prediction.
    `golden` are predictions to give again, within `absolute` + `relative` x the recorded value. `require_trust` asks
    for a trust policy in force. `code` is code of the service's own, that loads the model or answers with it.
    """

    format: str = "auto"
    threads: int = 1
    golden: Golden | None = None
    absolute: float = 1e-6
    relative: float = 1e-5
    require_trust: bool = False
    code: OwnCode | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that may answer, where it comes from, and the verdicts that say so. `event` is the tag object that put it
    where it is: while the ledger names the same, nothing has to be loaded anew."""

    model: Model
    provenance: Provenance
    steps: tuple[Step, ...]
    event: str = ""


def open_model(
    repo: Repository,
    settings: Settings,
    reference: str,
    *,
    demands: Demands | None = None,
    now: datetime | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Loaded:
    """The model that `reference` (`churn@production`, `churn@v2`) means, once it passed every step.

    Raises NotServed with the step that refused, UsageError for what is no such reference, MissingExtra where packages
    are missing. `now` judges the ledger's dates, `progress` is told each verdict.
    """
    gate = _Gate(repo, settings, reference, demands or Demands(), progress)
    return gate.passed(_served(reference), now)


def current_event(repo: Repository, settings: Settings, reference: str, *, now: datetime | None = None) -> str:
    """The tag object by which the model that `reference` means is where it is: a cheap question, asked again and again.

    Raises NotServed where nothing may be served by it (any more).
    """
    gate = _Gate(repo, settings, reference, Demands(), None)
    with gate.step("ledger"):
        placed = _placed(gate.read(_served(reference).name, now), _served(reference))
        record = _record(placed)
    with gate.step("tree"):
        require_unaltered(repo, open_release(repo, record))
    return placed.since.oid


def current_placement(
    repo: Repository, settings: Settings, reference: str, *, now: datetime | None = None
) -> tuple[Ledger, Placement]:
    """What the ledger says of the reference: its model's events, and where the version is that it means now.

    Raises NotServed (`ledger`, `trust`) where nothing may be served by it, whatever its files are.
    """
    gate, asked = _Gate(repo, settings, reference, Demands(), None), _served(reference)
    with gate.step("ledger"):
        ledger = gate.read(asked.name, now)
        placed = _placed(ledger, asked)
        _record(placed)
    with gate.step("trust"):
        _judge_trust(ledger, required=False)
    return ledger, placed


def current_version(repo: Repository, settings: Settings, reference: str, *, now: datetime | None = None) -> str:
    """The exact version (`churn@v3`) that `reference` means now, by its events. Raises NotServed as `current_event`."""
    gate = _Gate(repo, settings, reference, Demands(), None)
    asked = _served(reference)
    with gate.step("ledger"):
        return f"{asked.name}@{_placed(gate.read(asked.name, now), asked).version}"


def describe_model(
    repo: Repository, settings: Settings, reference: str, *, now: datetime | None = None
) -> dict[str, Any]:
    """metadata.yaml of what `reference` means, once its events, tree and list were found sound; nothing is loaded.

    Raises NotServed as `open_model`, which asks much more.
    """
    gate = _Gate(repo, settings, reference, Demands(), None)
    asked = _served(reference)
    with gate.step("ledger"):
        record = _record(_placed(gate.read(asked.name, now), asked))
    with gate.step("tree"):
        release = open_release(repo, record)
        require_unaltered(repo, release)
    with gate.step("bytes"):
        metadata = release.model_metadata()
    with gate.step("columns"):
        signature_of(metadata)
    return metadata


def _served(reference: str) -> Reference:
    try:
        parsed = parse_reference(reference, kind="model")
    except ValueError as error:
        raise UsageError(f"This is no model: {error}.") from None
    if parsed.version is None and parsed.stage is None:
        raise UsageError(f"'{printable(reference)}' names no version and no stage.", hint=f"{parsed.name}@production")
    return parsed


class _Gate:
    """One passage: the verdicts so far."""

    def __init__(
        self, repo: Repository, settings: Settings, reference: str, demands: Demands,
        progress: Callable[[Step], None] | None,
    ) -> None:  # fmt: skip
        self._repo = repo
        self._settings = settings
        self._reference = reference
        self._demands = demands
        self._progress = progress
        self._steps: list[Step] = []

    def passed(self, asked: Reference, now: datetime | None) -> Loaded:
        with self.step("ledger") as told:
            ledger = self.read(asked.name, now)
            placed = _placed(ledger, asked)
            record = _record(placed)
            told(f"{asked.name}@{placed.version} is in {placed.stage} by {placed.since.tag}")
        with self.step("trust") as told:
            told(_judge_trust(ledger, self._demands.require_trust))
        with self.step("tree"):
            release = open_release(self._repo, record)
            require_unaltered(self._repo, release)
        with self.step("signed") as told:
            signers, sentence = self._signatures(release, record, protected=ledger.trust.policy is not None)
            told(sentence)
        metadata, loadable = self._bytes(release)
        with self.step("format") as told:
            told(self._format(release, metadata, loadable, ledger.trust.policy is not None and bool(signers)))
        with self.step("columns"):
            signature = signature_of(metadata)
        with self.step("load"):
            demands = self._demands
            model = load_model(
                loadable, signature, code=demands.code, threads=demands.threads, environ=self._repo.environ
            )
        golden = self._golden(placed)
        try:
            self._warm_up(model, golden)
            self._compare(model, golden)
        except BaseException:
            close_model(model)
            raise
        cited = tuple((one["ref"], one["content_hash"]) for one in metadata["datasets"])
        provenance = Provenance(
            model=asked.name, version=placed.version, stage=placed.stage, commit=record.commit, digest=record.digest,
            run=str(metadata.get("run") or ""), signer=placed.since.signer, format=loadable.format,
            file=loadable.name, sha256=release.sums[loadable.name], event=placed.since.tag, trust=ledger.trust.state,
            signed_by=signers, datasets=cited, code=demands.code.digest if demands.code else "",
        )  # fmt: skip
        return Loaded(model, provenance, tuple(self._steps), placed.since.oid)

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[str], None]]:
        """A step that passes unless a StrataError ends it; what is handed out takes its sentence."""
        told = [""]
        try:
            yield lambda text: told.__setitem__(0, text)
        except MissingExtra:
            raise
        except StrataError as error:
            self._say(Step(name, "refused", error.message))
            raise NotServed(self._reference, tuple(self._steps), error.hint or _cause(error)) from error
        self._say(Step(name, "passed", told[0]))

    def _bytes(self, release: Release) -> tuple[dict[str, Any], Loadable]:
        """What is loaded, each file read once: one of a known format, or all of them for who loads them by code."""
        code = self._demands.code
        with self.step("bytes") as told:
            metadata = release.model_metadata()
            trusted_types = tuple(metadata.get("trusted_types", ()))
            if code is not None:
                check_code(code)
            if code is not None and code.loads:
                name = str(metadata["artifact"])
                files = {one: release.read(one) for one in release.sums}
                if name not in files:
                    raise StrataError(f"its artifact '{printable(name)}' is a directory; name the file that is loaded")
                told(f"{len(files)} files, {sum(map(len, files.values()))} bytes, for load() in {code.place}")
                return metadata, Loadable(str(metadata["format"]), name, files, trusted_types)
            format_, name = choose_file(release, metadata, self._demands.format)
            data = release.read(name)
            told(f"{name}, {len(data)} bytes")
            return metadata, Loadable(format_, name, {name: data}, trusted_types)

    def _format(self, release: Release, metadata: Mapping[str, Any], loadable: Loadable, trusted: bool) -> str:
        code = self._demands.code
        if code is not None and code.loads:
            return judge_files(metadata, loadable.files, trusted=trusted)
        judge_content(release, metadata, loadable.format, loadable.name, loadable.data)
        return ""

    def read(self, model: str, now: datetime | None) -> Ledger:
        from strata_git.ledger.events import read_ledger

        return read_ledger(self._repo, repository=self._settings.repository, model=model, now=now)

    def _say(self, step: Step) -> None:
        self._steps.append(step)
        if self._progress is not None:
            self._progress(step)

    def _signatures(self, release: Release, record: Record, *, protected: bool) -> tuple[tuple[str, ...], str]:
        from strata_git.doctor.signers import Signers

        signature = read_signature(self._repo, release, record.commit)
        required = self._settings.signing_required
        if signature is None:
            if required:
                raise StrataError("nobody has signed the version, and signing.required asks for it")
            return (), "nobody has signed the version, and nothing asks for it"
        program = self._repo.own_config("gpg.program")
        verdicts = Signers(self._repo, self._settings.repository, program=program).verdicts(release.listed, signature)
        if verdicts is None:
            raise StrataError("its signatures cannot be judged: gpg is not installed")
        return _judge_signatures(verdicts, required=required, protected=protected)

    def _golden(self, placed: Placement) -> Golden | None:
        golden = self._demands.golden
        return golden if golden is not None and golden.is_for(placed.since.name.model, placed.version) else None

    def _warm_up(self, model: Model, golden: Golden | None) -> None:
        if golden is not None:  # rows that the model is known to answer: the comparison warms it up
            self._say(Step("warm-up", "skipped", "its golden predictions do it"))
            return
        with self.step("warm-up") as told:
            try:
                model.predict(blank_table(model.signature))
            except RequestError as error:  # it has looked at the row; one of zeros is not for every model
                told(f"it refuses a row of zeros and empty texts ({error.message})")

    def _compare(self, model: Model, golden: Golden | None) -> None:
        if golden is None:
            given = self._demands.golden
            message = f"they were made for {given.model}" if given is not None else "there are none"
            self._say(Step("golden", "skipped", message))
            return
        with self.step("golden") as told:
            wrong = list(
                compare_golden(golden, model, absolute=self._demands.absolute, relative=self._demands.relative)
            )
            if wrong:
                more = f", and {len(wrong) - 1} differences more" if len(wrong) > 1 else ""
                raise StrataError(f"golden predictions do not come out again: {wrong[0]}{more}")
            told(f"{len(golden.rows)} rows came out again")


def _placed(ledger: Ledger, asked: Reference) -> Placement:
    """Where the version asked for is. Events of a line with errors count for nothing here."""
    state = ledger.model(asked.name)
    if not state.sound:
        first = next(one for one in state.complaints if one.severity == "error")
        more = sum(one.severity == "error" for one in state.complaints) - 1
        also = f" (and {more} complaints more)" if more else ""
        raise StrataError(
            f"its events cannot be built on: {first.rule}: {printable(first.tag)}: {first.message}{also}",
            hint="git strata verify",
        )
    found = [
        placed for version, placed in state.versions.items()
        if version == asked.version or (asked.stage is not None and placed.stage == asked.stage)
    ]  # fmt: skip
    if not found:
        where = f"no version is in {asked.stage}" if asked.stage else f"no event vouches for {asked.version}"
        raise StrataError(f"{where} of {asked.name}", hint=f"git strata promote {asked.name}")
    order = {event.oid: place for place, event in enumerate(state.events)}
    return max(found, key=lambda placed: order[placed.since.oid])  # several may be in staging: who came last


def _record(placed: Placement) -> Record:
    record = placed.since.record
    if record is None or not placed.since.signed or placed.stage not in STAGES:
        raise StrataError(f"the event {placed.since.tag} is not signed by anybody who counts")
    return record


def _judge_trust(ledger: Ledger, required: bool) -> str:
    state = ledger.trust.state
    if state == "broken":
        told = next((one.message for one in ledger.trust.findings), "what is pinned cannot be followed")
        raise StrataError(f"the trust policy is broken: {told}", hint="git strata trust show")
    if required and ledger.trust.policy is None:
        raise StrataError(f"no trust policy is in force ({state}), and one is required", hint="git strata trust show")
    policy = ledger.trust.policy
    return f"version {policy.version} of the trust policy" if policy is not None else state


def _judge_signatures(
    verdicts: list[SignatureVerdict], *, required: bool, protected: bool
) -> tuple[tuple[str, ...], str]:
    """Who signed the version; under a policy only its people count."""
    if any(one.status in ("bad", "malformed") for one in verdicts):
        raise StrataError(f"SIGNATURE.asc: signature by {spoiler(verdicts).who}: {spoiler(verdicts).sentence}")
    counting = [one for one in verdicts if one.good and (one.enrolled or not protected)]
    if not (counting and is_signed(verdicts)):
        if required:
            raise StrataError(f"no signature on the version counts: {spoiler(verdicts).sentence}")
        return (), f"no signature on the version counts: {spoiler(verdicts).sentence}"
    return tuple(one.who for one in counting), f"signed by {', '.join(one.who for one in counting)}"


def _cause(error: StrataError) -> str:
    """Why a model could not answer rows of the repository's own: these words may be told here, and only here."""
    cause = error.__cause__
    if not isinstance(error, PredictionError) or cause is None:
        return ""
    return printable(f"{type(cause).__name__}: {str(cause).strip().partition(chr(10))[0][:300]}")
