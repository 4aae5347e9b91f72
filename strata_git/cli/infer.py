"""`git strata infer`: one question, asked with a prompt version and answered at once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.pipelines import configured, secrets_of, settings_options, variable
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable

if TYPE_CHECKING:
    from strata_git.pipeline.inferring import Inferred
    from strata_git.pipeline.prompts import Prompt


@click.command()
@click.option("--prompt", "reference", metavar="NAME#vN", required=True, help="The prompt version that asks.")
@click.option("--input", "file", metavar="FILE", help="A file whose text is the prompt's one variable (- reads stdin).")
@click.option("--var", "given", metavar="NAME=TEXT", multiple=True, help="Give a variable its value.")
@click.option("--inference", "name", default="default", show_default=True, help="Who answers: a name of strata.yaml.")
@click.option("--stream", is_flag=True, help="Print the answer while it comes.")
@click.option("--again", is_flag=True, help="Ask even where the same was answered before.")
@click.option("--record", metavar="FILE", help="Add the answer to a recording, which provider recorded reads.")
@settings_options
@format_option
@click.pass_obj
def command(
    session: Session,
    reference: str,
    file: str | None,
    given: tuple[str, ...],
    name: str,
    stream: bool,
    again: bool,
    record: str | None,
    overrides: tuple[str, ...],
    profile: str | None,
    style: str,
) -> None:
    """Ask a model one question, for trying a prompt out.

    Nothing is recorded but what the answer cost not to be asked twice; what a project keeps comes from a chain
    (git strata run --chain).
    """
    from strata_git.pipeline.inferring import infer
    from strata_git.pipeline.prompts import open_prompt

    repo = session.repository()
    root, settings = configured(session, overrides, profile)
    prompt = open_prompt(repo, reference)
    values = _values(session, prompt, file, given)
    inferred = infer(
        prompt, values, settings.pipelines, name, root=root, secrets=secrets_of(session, root, settings),
        environ=session.environ, remember=not again, on_text=_streamed if stream and style == "text" else None,
    )  # fmt: skip
    if record is not None:
        _append(session.cwd / record, inferred)
    if style == "json":
        out_json(_plain(prompt, inferred))
    elif stream:
        out("")
    else:
        out(inferred.answer.text)
    note(inferred.told)


def _values(session: Session, prompt: Prompt, file: str | None, given: tuple[str, ...]) -> Mapping[str, object]:
    values: dict[str, object] = {}
    for text in given:
        name, value = variable(text, "--var")
        values[name] = value
    if file is not None:
        open_ones = [one.name for one in prompt.body.variables if one.default is None and one.name not in values]
        if len(open_ones) != 1:
            raise UsageError(
                f"--input fills one variable; {prompt.reference} leaves {len(open_ones)} open"
                f"{': ' + ', '.join(open_ones) if open_ones else ''}.",
                hint="Give the others with --var NAME=TEXT",
            )
        values[open_ones[0]] = _text(session, file)
    return values


def _text(session: Session, file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else (session.cwd / file).read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"{printable(file)} could not be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        hint = "Documents of other kinds are read by: git strata process"
        raise UsageError(f"{printable(file)} is not UTF-8 text.", hint=hint) from None


def _streamed(text: str) -> None:
    for place, line in enumerate(text.split("\n")):
        click.echo(("\n" if place else "") + printable(line), nl=False)


def _append(path: Path, inferred: Inferred) -> None:
    from strata_git.pipeline.models.recorded import line

    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(line(inferred.question, inferred.answer))
    except OSError as error:
        raise UsageError(f"{printable(str(path))} could not be written: {error.strerror}.") from None


def _plain(prompt: Prompt, inferred: Inferred) -> dict[str, object]:
    answer = inferred.answer
    return {
        "schema": "strata/answer/v1",
        "prompt": {"ref": prompt.reference, "content_hash": prompt.content_hash},
        "inference": inferred.inference,
        "text": answer.text,
        "data": answer.data,
        "model": answer.model,
        "tokens": {"input": answer.input_tokens, "output": answer.output_tokens, "counted": answer.counted},
        "cost": None if answer.cost is None else {"amount": str(answer.cost), "currency": "USD"},
        "attempts": answer.attempts,
        "finish": answer.finish,
        "remembered": answer.remembered,
    }
