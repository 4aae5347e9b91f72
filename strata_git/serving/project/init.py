"""Making a service: the model passes the gate first, then files are laid down. Nothing that exists is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from strata_git.contracts.layout import NAME, SERVICE_RECORD, STAGES, parse_reference
from strata_git.errors import StrataError, UsageError, printable
from strata_git.serving.columns import Signature
from strata_git.serving.gate import Demands, NotServed, Step, open_model
from strata_git.serving.golden import Golden, freeze_golden
from strata_git.serving.loading import close_model
from strata_git.serving.own_code import OwnCode
from strata_git.serving.project.project import CODE, ROOT, Project, demands
from strata_git.serving.project.scaffold import KNOWN, Plan, code_files, other_files

if TYPE_CHECKING:
    from strata_git.config import Settings
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import Loaded

Lang = Literal["python", "r"]
Tell = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Made:
    """A service in the work tree, not yet committed. `rows` are the golden predictions' and `source` is where they are
    from; `unproved` says why there are none (`""`: there are). `kept` are files that were there already."""

    name: str
    model: str
    version: str
    written: tuple[str, ...]
    kept: tuple[str, ...] = ()
    rows: int = 0
    source: str = ""
    unproved: str = ""

    @property
    def path(self) -> str:
        """Its directory."""
        return f"{ROOT}/{self.name}"

    @property
    def message(self) -> str:
        """What the commit that adds it should say."""
        return f"Add {self.path}, which serves {self.model}"


def init_service(
    repo: Repository, settings: Settings, name: str, model: str, *, lang: Lang = "python", with_code: bool = False,
    now: datetime | None = None, progress: Tell | None = None,
) -> Made:  # fmt: skip
    """Make the service `name` for `model` (`churn@production`, `churn@v3`).

    Raises UsageError for names that cannot be meant, NotServed where the gate refuses the model, StrataError where
    there is such a service already.
    """
    root = repo.require_worktree()
    _require_free(repo, root, name)
    reference = _exact(repo, settings, model, now)
    plan, loaded, why = _opened(repo, settings, name, reference, lang, with_code, now, progress)
    try:
        golden, source, unproved = _golden(repo, loaded, why)
    finally:
        if loaded is not None:
            close_model(loaded.model)
    files = {f"{CODE}/{path}": data for path, data in code_files(plan).items()}
    files |= other_files(plan, golden=golden)
    written, kept = _write(root / ROOT / name, files)
    return Made(
        name, reference, str(plan.metadata["version"]), written, kept, len(golden.rows) if golden else 0, source,
        unproved,
    )  # fmt: skip


def renew_golden(
    repo: Repository, settings: Settings, project: Project, *, now: datetime | None = None,
    progress: Tell | None = None,
) -> Made:  # fmt: skip
    """Golden predictions anew, of the version that the service answers with now; the one file that is written over.

    Raises NotServed where the gate refuses the version, StrataError where there are no rows.
    """
    from dataclasses import replace

    from strata_git.repo.files import write_file

    asked = replace(demands(project), golden=None)
    loaded = open_model(repo, settings, project.service.model, demands=asked, now=now, progress=progress)
    try:
        golden, source = freeze_golden(repo, loaded.model, loaded.provenance)
    finally:
        close_model(loaded.model)
    path = project.directory / project.service.golden.file
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, golden.text)
    return Made(
        project.name, project.service.model, loaded.provenance.version, (project.service.golden.file,),
        rows=len(golden.rows), source=source,
    )  # fmt: skip


def _require_free(repo: Repository, root: Path, name: str) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(f"'{printable(name)}' is not a name: lower-case letters and digits, joined by single - or _.")
    from strata_git.repo.tree import commit_tree

    place = f"{ROOT}/{name}"
    head = repo.head()
    committed = head is not None and commit_tree(repo, head, [place]).get(f"{place}/{SERVICE_RECORD}") is not None
    if committed or (root / place / SERVICE_RECORD).exists() or (root / place / SERVICE_RECORD).is_symlink():
        raise StrataError(
            f"There is a service {name} already ({place}/{SERVICE_RECORD}).",
            hint=f"Choose another name; or change that file, and see: git strata service config {name} --origin",
        )
    for part in (root / ROOT, root / place):
        if part.is_symlink() or (part.exists() and not part.is_dir()):
            raise StrataError(f"{printable(str(part))} is not a directory.")


def _exact(repo: Repository, settings: Settings, model: str, now: datetime | None) -> str:
    """The reference as it is written; a bare name is no service's, and what could be meant is told."""
    try:
        parsed = parse_reference(model, kind="model")
    except ValueError as error:
        raise UsageError(f"--model: {error}.") from None
    if parsed.version or parsed.stage:
        return model.removeprefix("models/").replace("#", "@").replace("/", "@")
    from strata_git.ledger.events import read_ledger

    state = read_ledger(repo, repository=settings.repository, model=parsed.name, now=now).model(parsed.name)
    placed = [(one.stage, one.version) for one in state.versions.values()]
    by_stage = sorted(placed, key=lambda one: STAGES.index(one[0]) if one[0] in STAGES else 0)
    told = [f"{parsed.name}@{stage} ({version} is there now)" for stage, version in reversed(by_stage)]
    raise UsageError(
        f"--model {printable(model)} names no version and no stage.",
        hint="\n".join(["There are:", *told]) if told else f"Nothing was promoted: git strata promote {parsed.name}",
    )


def _opened(
    repo: Repository, settings: Settings, name: str, reference: str, lang: Lang, with_code: bool,
    now: datetime | None, progress: Tell | None,
) -> tuple[Plan, Loaded | None, str]:  # fmt: skip
    """What is laid down, the model that passed the gate, and why it is not there (code that has to be written yet)."""
    metadata, signature = _described(repo, settings, reference, now)
    plan = Plan(name, reference, lang, signature, metadata, with_code)
    if lang == "python" and (not with_code or plan.format in ("skops", "onnx")):
        loaded = open_model(repo, settings, reference, demands=_as_made(plan), now=now, progress=progress)
        if not with_code:
            return plan, loaded, ""
        plan = _looked_into(plan, loaded.model)
        close_model(loaded.model)
        progress = None  # the same steps again, with the code
    code = OwnCode(lang, code_files(plan), f"{ROOT}/{name}/{CODE}")
    try:
        loaded = open_model(repo, settings, reference, demands=Demands(code=code), now=now, progress=progress)
    except NotServed as error:
        if error.step == "load" and lang == "python" and plan.format not in KNOWN:
            return plan, None, f"write load() and predict() first, then: git strata service init {name} --golden"
        raise
    return plan, loaded, ""


def _as_made(plan: Plan) -> Demands:
    """With code of its own, the form that the code loads; else the quickest there is."""
    return Demands(format=plan.format if plan.with_code else "auto")


def _described(
    repo: Repository, settings: Settings, reference: str, now: datetime | None
) -> tuple[dict[str, Any], Signature]:
    """metadata.yaml and columns of the version, once its events, tree and files were found sound."""
    from strata_git.serving.columns import signature_of
    from strata_git.serving.gate import describe_model

    metadata = describe_model(repo, settings, reference, now=now)
    return metadata, signature_of(metadata)


def _looked_into(plan: Plan, model: Any) -> Plan:
    """The plan, with what only the loaded model tells of how it wants its rows."""
    from dataclasses import replace

    return replace(plan, named=getattr(model.native, "feature_names_in_", None) is not None)


def _golden(repo: Repository, loaded: Loaded | None, why: str) -> tuple[Golden | None, str, str]:
    if loaded is None:
        return None, "", why
    try:
        golden, source = freeze_golden(repo, loaded.model, loaded.provenance)
    except StrataError as error:
        return None, "", f"{error.message} {error.hint}".strip()
    return golden, source, ""


def _write(directory: Path, files: dict[str, bytes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from strata_git.repo.files import write_file

    written, kept = [], []
    for name, data in sorted(files.items()):
        path = directory / name
        if path.exists() or path.is_symlink():
            kept.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
        written.append(name)
    return tuple(written), tuple(kept)
