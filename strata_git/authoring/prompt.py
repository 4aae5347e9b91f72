"""A prompt version made from a file: the file as it is, and the record beside it.

What is registered is judged first, by the same rules as in a commit, so that nothing stands in `prompts/` that the
hooks would refuse. Registering the same content again changes nothing; other content never takes a taken name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from strata_git.contracts.layout import CHECKSUMS, METADATA, NAME, VERSION, Artifact
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository

PROMPT = "prompt.yaml"


@dataclass(frozen=True, slots=True)
class RegisteredPrompt:
    """A prompt version. `new` says whether it was written now; `warnings` are sentences about what was found in it."""

    artifact: Artifact
    digest: str
    content_hash: str
    new: bool
    warnings: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What the commit that adds it should say."""
        return f"Add {self.artifact.reference}"


def register_prompt(
    repo: Repository,
    data: bytes,
    *,
    file: str,
    version: str = "",
    name: str = "",
    description: str = "",
    licence: str = "NOASSERTION",
    now: datetime | None = None,
) -> RegisteredPrompt:
    """Make `prompts/<name>/<version>/` of the bytes `data` of `file` (TFC-0011 section 3).

    The name is `name`, else the file's `id`, else its stem; the version is `version` (`v2`), else the one that has this
    content already, else the one after all that are or ever were. Raises UsageError for a malformed name or version,
    StrataError for a file that breaks its contract and for a version that is taken by other content.
    """
    body = _body(data, file)
    name = name or str(body.get("id") or PurePosixPath(file).stem)
    if not NAME.fullmatch(name):
        raise UsageError(f"'{printable(name)}' is not a name: lower-case letters and digits, joined by single - or _.")
    if version and not VERSION.fullmatch(version):
        raise UsageError(f"'{printable(version)}' is not a version.", hint=f"Such as {printable(file)}#v1")
    root = repo.require_worktree()
    taken = _contents(repo, root, name)
    content_hash = _content_hash(data)
    same = [one for one, content in taken.items() if content == content_hash and version in ("", one)]
    if same:
        artifact = Artifact("prompt", name, same[-1])
        return RegisteredPrompt(artifact, _digest(root / artifact.path), content_hash, new=False)
    free = f"v{1 + max((int(one[1:]) for one in taken), default=0)}"
    if version in taken:
        raise StrataError(
            f"prompts/{name}@{version} exists with other content, and a version never changes.",
            hint=f"git strata prompt register {printable(file)}#{free}",
        )
    artifact = Artifact("prompt", name, version or free)
    said = description.strip() or f"Prompt {name}"
    created = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    files = _files(artifact, data, {"description": said, "licence": licence, "created": created}, content_hash)
    warnings = _judged(artifact, files, file)
    _put(root / artifact.path, files)
    from strata_git.integrity import checksums

    return RegisteredPrompt(artifact, checksums.digest(files[CHECKSUMS]), content_hash, True, warnings)


def _body(data: bytes, file: str) -> Mapping[str, object]:
    """The file as data, once its contract holds."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.prompt import PromptBody
    from strata_git.load import Unloadable, load_yaml

    try:
        document = load_yaml(data)
        parse(PromptBody, document)
    except Unloadable as error:
        raise StrataError(f"{printable(file)}:{error.line}: {printable(error.message)}") from None
    except ContractError as error:
        told = "\n".join(f"{printable(file)}:{one.line}: {printable(one.message)}" for one in error.complaints[:8])
        raise StrataError(
            f"{printable(file)} is no prompt.", hint=f"{told}\nThe contract: tfc/0011, section 3."
        ) from None
    return document.value if isinstance(document.value, Mapping) else {}


def _contents(repo: Repository, root: Path, name: str) -> dict[str, str]:
    """Version -> content hash of every version of the prompt: in the work tree, in HEAD, and ever before ("" there)."""
    from strata_git.repo.history import first_appearances

    head = repo.head()
    ever = first_appearances(repo, [head], [f"prompts/{name}"]) if head else {}
    found = {part[2]: "" for path in ever if len(part := path.split("/")) > 3 and VERSION.fullmatch(part[2])}
    home = root / "prompts" / name
    for place in sorted(home.iterdir()) if home.is_dir() else ():
        if VERSION.fullmatch(place.name):
            prompt = place / PROMPT
            found[place.name] = _content_hash(prompt.read_bytes()) if prompt.is_file() and _alone(place) else ""
    return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))


def _alone(place: Path) -> bool:
    return set(os.listdir(place)) <= {PROMPT, METADATA, CHECKSUMS, "SIGNATURE.asc"}


def _content_hash(data: bytes) -> str:
    import hashlib

    from strata_git.integrity import checksums

    return checksums.content_hash({PROMPT: hashlib.sha256(data).hexdigest()}, kind="prompt")


def _digest(place: Path) -> str:
    from strata_git.integrity import checksums

    try:
        return checksums.digest((place / CHECKSUMS).read_bytes())
    except OSError:
        raise StrataError(
            f"{printable(place.as_posix())} has no {CHECKSUMS}.", hint="git strata checksum writes it."
        ) from None


def _files(artifact: Artifact, data: bytes, said: Mapping[str, str], content_hash: str) -> dict[str, bytes]:
    import hashlib

    from strata_git.integrity import checksums
    from strata_git.load import dump_yaml

    record = {
        "kind": "prompt",
        "name": artifact.name,
        "version": artifact.version,
        "created": said["created"],
        "description": said["description"],
        "licence": said["licence"],
        "content_hash": content_hash,
    }
    files = {PROMPT: data, METADATA: dump_yaml(record)}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**files, CHECKSUMS: checksums.render(sums)}


def _judged(artifact: Artifact, files: Mapping[str, bytes], file: str) -> tuple[str, ...]:
    """What the rules say of the version: warnings as sentences; StrataError where there is an error."""
    from strata_git.checks.engine import judge_artifact
    from strata_git.checks.finding import Severity
    from strata_git.repo.tree import MemoryTree

    tree = MemoryTree({f"{artifact.path}/{name}": content for name, content in files.items()})
    findings = judge_artifact(tree, artifact).findings
    told = {
        one: f"{printable(file) if one.path.endswith(PROMPT) else one.path}"
        f"{f':{one.line}' if one.line else ''}: {printable(one.message)} ({one.rule})"
        for one in findings
    }
    wrong = [text for one, text in told.items() if one.severity == Severity.ERROR]
    if wrong:
        raise StrataError(f"{printable(file)} cannot be registered.", hint="\n".join(wrong[:8]))
    return tuple(text for one, text in told.items() if one.severity == Severity.WARNING)


def _put(home: Path, files: Mapping[str, bytes]) -> None:
    from strata_git.repo.files import fsync_dir, write_file

    draft = home.with_name(f".{home.name}.{os.getpid()}.draft")
    try:
        draft.mkdir(parents=True)
        for name, content in files.items():
            write_file(draft / name, content)
        os.rename(draft, home)
        fsync_dir(home.parent)
    except OSError as error:
        raise StrataError(f"{printable(str(home))} could not be put in place: {error.strerror}.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
