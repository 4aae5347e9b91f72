"""Writes man/git-strata.1 from the command tree (`git help strata` and `git strata --help` need a manual page).

`python scripts/man.py` writes the page, `python scripts/man.py --check` only tells whether it is up to date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from strata_git.cli.main import COMMANDS, cli

PAGE = Path(__file__).parent.parent / "man" / "git-strata.1"

EXIT_STATUS = (
    ("0", "everything is in order"),
    ("1", "there are warnings"),
    ("2", "there are errors"),
    ("3", "what was asked could not be done; the message says why and what to do next"),
    ("64", "the command line could not be understood"),
    ("70", "a bug of git-strata"),
    ("130", "interrupted"),
)
ENVIRONMENT = (
    ("GIT_DIR, GIT_INDEX_FILE, GIT_WORK_TREE", "As for git(1)."),
    ("GNUPGHOME", "The keyring that signs and verifies."),
    ("STRATA_DEBUG", "1 shows where in the program a bug happened."),
)
SEE_ALSO = ("git(1)", "git-lfs(1)", "git-tag(1)", "gpg(1)", "sha256sum(1)")


def page() -> str:
    """The whole page in roff (man(7) macros)."""
    summary = (cli.help or "").strip().splitlines()[0].rstrip(".")
    lines = [
        '.TH GIT\\-STRATA 1 "" "git\\-strata" "Git Manual"',
        ".SH NAME",
        f"git\\-strata \\- {escaped(summary[0].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        ".B git strata",
        "[\\fB\\-C\\fR \\fIDIRECTORY\\fR] \\fICOMMAND\\fR [\\fIARGUMENTS\\fR]",
        ".SH DESCRIPTION",
        "Datasets, prompts, runs and models are versioned directories of a Git repository.",
        ".B git strata",
        "checks what they must say, signs them, records the stages of models as signed tags,",
        "and answers where a model came from.",
        "No command stages or commits by itself; each prints the git command that does.",
        *options(cli),
    ]
    for group in dict.fromkeys(group for _, group in COMMANDS.values()):
        lines.append(f".SH {escaped(group.upper())} COMMANDS")
        for name, (_, belongs) in COMMANDS.items():
            if belongs == group and not loaded(name).hidden:
                lines += described(("git strata", name), loaded(name))
    lines += [".SH EXIT STATUS", *listed(EXIT_STATUS), ".SH ENVIRONMENT", *listed(ENVIRONMENT)]
    lines += [".SH SEE ALSO", *(reference(text, last=text == SEE_ALSO[-1]) for text in SEE_ALSO)]
    return "\n".join(lines) + "\n"


def loaded(name: str) -> click.Command:
    """A top-level command by its name."""
    command = cli.get_command(click.Context(cli), name)
    if command is None:
        raise LookupError(name)
    return command


def described(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    """A command: how it is called, what it says of itself, its options; then the commands below it."""
    context = click.Context(command, info_name=words[-1])
    usage = " ".join(command.collect_usage_pieces(context))
    yield f'.SS "{escaped(" ".join((*words[1:], usage)))}"'
    yield from paragraphs(command.help or "")
    yield from options(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from described((*words, name), below)


def options(command: click.Command) -> Iterator[str]:
    """The options of a command as a list of terms."""
    context = click.Context(command, info_name=command.name or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None and "--help" not in parameter.opts:
            yield from listed([(record[0], re.sub(r"\s+", " ", record[1]))])


def listed(terms: tuple[tuple[str, str], ...] | list[tuple[str, str]]) -> Iterator[str]:
    """A list of terms and their meanings."""
    for term, meaning in terms:
        yield from (".TP", f"\\fB{escaped(term)}\\fR", escaped(meaning) or "\\&")


def paragraphs(text: str) -> Iterator[str]:
    """Plain paragraphs; those that click is told not to wrap (`\\b`) keep their lines."""
    for block in re.split(r"\n\s*\n", click.formatting.wrap_text(text, 10_000, preserve_paragraphs=True)):
        lines = [escaped(line.strip()) for line in block.splitlines() if line.strip() and line.strip() != "\b"]
        if lines:
            yield ".PP"
            yield from "\n.br\n".join(lines).split("\n")


def reference(text: str, *, last: bool) -> str:
    """`git(1)` as the macros want it."""
    name, _, section = text.partition("(")
    return f".BR {escaped(name)} ({section}" + ("" if last else " ,")


def escaped(text: str) -> str:
    """Text that roff takes literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "\\(ga")
    text = "".join(char if ord(char) < 128 else f"\\[u{ord(char):04X}]" for char in text)
    return f"\\&{text}" if text[:1] in (".", "'") else text


def main(arguments: list[str]) -> int:
    text = page()
    if "--check" in arguments:
        return int(PAGE.read_text() != text)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
