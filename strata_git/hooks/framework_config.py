"""Adding our hooks to the configuration of the framework that owns them (`git strata install --write-config`).

Lines are put into the text that is there; comments and order stay. The result is read back, and written only when it
says what the old text said and our entries beside; a file that cannot be extended that surely is left, and the lines
are told.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from strata_git.errors import StrataError
from strata_git.hooks.advice import (
    BLOCK,
    LEFTHOOK_FILE,
    PRE_COMMIT_FILE,
    lefthook_command,
    lefthook_lines,
    pre_commit_entry,
    shell_lines,
)
from strata_git.hooks.outcome import Outcome
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.hook_files import active_hook, called_by_framework, hook_names, hook_settings


class _Unsure(Exception):
    """A text that we cannot extend without guessing; the message says why."""


def write_config(repo: Repository) -> list[Outcome]:
    """Let the frameworks that own hooks here call ours; one outcome for each hook that one owns and that lacks us.

    pre-commit and prek pass pushed references to none of their hooks, so that pre-push is left to `install`'s advice.
    """
    root = repo.require_worktree()
    settings = hook_settings(repo)
    lacking: dict[str, list[str]] = {}
    for name in hook_names(repo):
        file = active_hook(settings, name)
        if file is None or file.calls_us(name) or called_by_framework(repo, file.whose, name):
            continue
        if file.whose in ("husky", "lefthook") or (file.whose in ("pre-commit", "prek") and name != "pre-push"):
            lacking.setdefault(file.whose, []).append(name)
    told = []
    for owner, names in lacking.items():
        told += _husky(root, names) if owner == "husky" else _yaml(root, owner, names)
    return told


def _husky(root: Path, names: Sequence[str]) -> list[Outcome]:
    told = []
    for name in names:
        path = root / ".husky" / name
        try:
            if path.parent.is_symlink():
                raise _Unsure("it is no plain file")
            write_file(path, _with_block(_plain(path) or b"", name), _mode(path))
            told.append(Outcome(name, f"written to .husky/{name}"))
        except _Unsure as why:
            told.append(Outcome(name, f".husky/{name} is left as it is: {why}; add:", True, shell_lines(name)))
    return told


def _with_block(data: bytes, name: str) -> bytes:
    """A shell script with our lines: at the end of pre-commit, for what formatters stage counts; else at the start."""
    if b"\r" in data:
        raise _Unsure("its lines do not end as ours do")
    if name == "pre-push" and re.search(rb"(?m)^[^#\n]*(\bgit[ -]lfs\b|\bread\b|\bcat\b|/dev/stdin|xargs)", data):
        raise _Unsure("it reads standard input itself, and there is one for both")
    if re.search(rb"(?m)^\s*(exec|exit)\b", data):
        raise _Unsure("it may end before our lines, or ours may keep it from what it does")
    block = "\n".join([BLOCK[0], *shell_lines(name), BLOCK[1], ""]).encode()
    if name == "pre-commit":
        return data + (b"" if not data or data.endswith(b"\n") else b"\n") + block
    line, end, rest = data.partition(b"\n")
    return line + (end or b"\n") + block + rest if line.startswith(b"#!") else block + data


def _yaml(root: Path, owner: str, names: Sequence[str]) -> list[Outcome]:
    file = LEFTHOOK_FILE if owner == "lefthook" else PRE_COMMIT_FILE
    told = []
    wanted = (
        [n for n in names if n != "pre-merge-commit" or "pre-commit" not in names] if owner != "lefthook" else names
    )
    for name in wanted:
        try:
            data = _plain(root / file)
            if data is None:
                raise _Unsure("it is not there")
            text = _decoded(data)
            new = _with_command(text, name) if owner == "lefthook" else _with_entry(text, name)
            write_file(root / file, new.encode(), _mode(root / file))
            told.append(Outcome(name, f"written to {file}"))
        except _Unsure as why:
            from strata_git.hooks.advice import advice

            lines = advice(owner, name)[1:]
            told.append(Outcome(name, f"{file} is left as it is: {why}; add these lines", True, lines))
    return told


def _with_entry(text: str, name: str) -> str:
    """A configuration of pre-commit with our hook in a local repository at its end."""
    data = _loaded(text)
    repos = data.get("repos")
    if not isinstance(repos, list):
        raise _Unsure("it has no list of `repos`")
    wanted = deepcopy(data)
    wanted["repos"].append({"repo": "local", "hooks": [_item(pre_commit_entry(name))]})
    lines = ["- repo: local", "  hooks:", *(f"    {line}" for line in pre_commit_entry(name))]
    return _inserted(text, ("repos",), lines, wanted)


def _with_command(text: str, name: str) -> str:
    """lefthook's configuration with a command of ours for the hook."""
    data = _loaded(text)
    entry = {"git-strata": _item(lefthook_command(name)[1:], strip=2)}
    wanted = deepcopy(data)
    if name not in data:
        wanted[name] = {"commands": entry}
        new = text + ("" if text.endswith("\n") or not text else "\n") + "\n".join(["", *lefthook_lines(name), ""])
        return _checked(new, wanted)
    hook = data[name]
    if isinstance(hook, dict) and isinstance(hook.get("commands"), dict):
        wanted[name]["commands"].update(entry)
        return _inserted(text, (name, "commands"), list(lefthook_command(name)), wanted)
    if isinstance(hook, dict) and isinstance(hook.get("jobs"), list):
        run = lefthook_command(name)[1:]
        wanted[name]["jobs"].append({"name": "git-strata", **_item(run, strip=2)})
        return _inserted(text, (name, "jobs"), ["- name: git-strata", *run], wanted)
    raise _Unsure(f"`{name}` has neither `commands` nor `jobs`")


def _inserted(text: str, place: tuple[str, ...], lines: Sequence[str], wanted: object) -> str:
    """`lines` as the last item of the block at `place`, at the column where its items stand."""
    import yaml

    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in place:
        node = next(value for name, value in node.value if name.value == key)
    if node.flow_style or not node.value:
        raise _Unsure(f"`{'.'.join(place)}` is not written as a block")
    first = node.value[0]
    column = node.start_mark.column if isinstance(node, yaml.SequenceNode) else first[0].start_mark.column
    last = _last_line(node)
    rows = text.splitlines(keepends=True)
    if not rows[last].endswith("\n"):
        rows[last] += "\n"
    rows[last + 1 : last + 1] = [f"{' ' * column}{line}\n" for line in lines]
    return _checked("".join(rows), wanted)


def _last_line(node: Any) -> int:
    """The last line on which a block has content; where it ends says nothing, for comments follow."""
    import yaml

    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        end = node.end_mark
        return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)
    children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    return max(_last_line(child) for child in children)


def _checked(text: str, wanted: object) -> str:
    """The text, when it says what is wanted: all that was there before, and our entry."""
    if _loaded(text) != wanted:
        raise _Unsure("it cannot be extended by a few lines")
    return text


def _loaded(text: str) -> dict[str, Any]:
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise _Unsure("it has aliases")
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _Unsure("it cannot be read as YAML") from None
    if not isinstance(data, dict):
        raise _Unsure("it is no mapping")
    return data


def _item(lines: Sequence[str], *, strip: int = 0) -> dict[str, Any]:
    """One of our entries as data; a leading `- ` counts as two blanks."""
    import yaml

    text = "\n".join(line[strip:] if strip else "  " + line[2:] for line in lines)
    data = yaml.safe_load(text)
    assert isinstance(data, dict)  # noqa: S101 - our own text
    return data


def _plain(path: Path) -> bytes | None:
    """The bytes of a regular file below the work tree, None where there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError:
        raise _Unsure("it is no plain file") from None
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _Unsure("it is no plain file")
        data = stream.read((1 << 20) + 1)
    if len(data) > 1 << 20:
        raise _Unsure("it is larger than 1 MiB")
    return data


def _decoded(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _Unsure("it is not UTF-8") from None
    if "\r" in text or text.startswith("\ufeff"):
        raise _Unsure("its lines do not end as ours do")
    return text


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o644
    except OSError as error:
        raise StrataError(f"{path} could not be read: {error.strerror}.") from None
