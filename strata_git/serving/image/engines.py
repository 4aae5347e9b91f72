"""Container engines: which one is here, and what it is asked to do. Argument lists, and never a secret among them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.repo.process import Result, run_within
from strata_git.serving.image.context import Context

Tell = Callable[[str], None]
"""Takes lines that an engine says while it works."""
ENGINES = ("docker", "podman", "buildah")
"""In the order in which they are looked for: what people have, then what needs no daemon."""
_SECONDS = 3600.0
_ASKED = 20.0


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers. `program` is its path, `environ` what it is started with."""

    name: str
    program: str
    environ: Mapping[str, str]

    @property
    def can_run(self) -> bool:
        """Whether it runs containers; buildah only builds."""
        return self.name != "buildah"

    def ask(self, *arguments: str, seconds: float = _ASKED) -> Result:
        """Run it to its end; any exit code is an answer. Raises StrataError when it takes too long."""
        return run_within(
            [self.program, *arguments], directory=Path("/"), env=self.environ, seconds=seconds, most=8 << 20
        )

    def told(self, *arguments: str, seconds: float = _ASKED) -> str:
        """What it says on standard output. Raises StrataError with its own reason when it fails."""
        result = self.ask(*arguments, seconds=seconds)
        if result.code != 0:
            raise StrataError(f"{self.name} {arguments[0]} failed: {_reason(result)}")
        return result.out.decode(errors="replace").strip()


def find_engine(wanted: str, environ: Mapping[str, str], *, to_run: bool = False) -> Engine:
    """The engine that is asked for, or (`auto`) the first that answers; with `to_run` one that runs containers.

    Raises StrataError where there is none.
    """
    names = [one for one in ENGINES if wanted in ("auto", one) and not (to_run and one == "buildah")]
    silent = []
    for name in names:
        program = shutil.which(name, path=environ.get("PATH"))
        if program is None:
            continue
        engine = Engine(name, program, dict(environ))
        if _answers(engine):
            return engine
        silent.append(name)
    if silent:
        raise StrataError(f"{' and '.join(silent)} does not answer: is its service running?", hint=f"{silent[0]} info")
    what = "docker or podman" if to_run else "docker, podman or buildah"
    missing = what if wanted == "auto" else wanted
    raise StrataError(
        f"No container engine was found ({missing}).",
        hint=f"apt-get install {'podman' if wanted in ('auto', 'docker') else wanted}"
        + ("" if to_run else "\nOr without any: git strata service build NAME --oci DIR"),
    )


def build(
    engine: Engine, context: Context, tags: Sequence[str], *, tell: Tell, fresh: bool = False, isolation: str = ""
) -> str:
    """Build the image of a context under the names `tags` and return its id (`sha256:...`).

    `fresh` uses nothing that an earlier build left, `isolation` is buildah's. Raises StrataError with the engine's last
    words when it fails.
    """
    with tempfile.TemporaryDirectory(prefix="strata-") as place:
        ids = Path(place) / "id"
        command = [engine.program, "build", *_flags(engine, context, isolation), "--iidfile", str(ids)]
        command += [part for tag in tags for part in ("--tag", tag)]
        command += ["--no-cache"] if fresh else []
        _followed([*command, str(context.directory)], engine, tell, "build")
        found = ids.read_text().strip()
    return found if found.startswith("sha256:") else f"sha256:{found}"


def push(engine: Engine, tag: str, *, tell: Tell, username: str = "", password: str = "") -> str:
    """Hand an image to its registry; the digest under which it is there (`""`: the engine does not tell).

    The password goes by a file that nobody else may read, and that is gone afterwards. Raises StrataError.
    """
    with tempfile.TemporaryDirectory(prefix="strata-") as place:  # 0700
        command = [engine.program]
        if username or password:
            file = Path(place) / "config.json"
            _write_authfile(file, registry_of(tag), username, password)
            if engine.name == "docker":
                command += ["--config", place, "push", tag]
            else:
                command += ["push", "--authfile", str(file)]
        else:
            command += ["push"]
        digest = Path(place) / "digest"
        if engine.name == "docker":
            command += [] if username or password else [tag]
        else:
            command += ["--digestfile", str(digest), tag]
        _followed(command, engine, tell, "push")
        if engine.name != "docker":
            return digest.read_text().strip()
    told = engine.ask("image", "inspect", "--format", "{{index .RepoDigests 0}}", tag)
    return told.out.decode(errors="replace").strip().partition("@")[2] if told.code == 0 else ""


def image_id(engine: Engine, tag: str, *, labels: Mapping[str, str]) -> str:
    """The id of an image that is here; `""` where there is none, or it has other labels than asked for."""
    asked = " ".join(f'{{{{index .Config.Labels "{name}"}}}}' for name in labels)
    result = engine.ask("image", "inspect", "--format", f"{{{{.Id}}}} {asked}", tag)
    words = result.out.decode(errors="replace").split() if result.code == 0 else []
    if words[1:] != list(labels.values()):
        return ""
    return words[0] if words[0].startswith("sha256:") else f"sha256:{words[0]}"


def registry_of(tag: str) -> str:
    """The registry in an image's name, as authentication files call it."""
    first, slash, _ = tag.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first
    return "docker.io"


def _flags(engine: Engine, context: Context, isolation: str) -> list[str]:
    arguments = [part for name, value in sorted(context.recipe.arguments.items())
                 for part in ("--build-arg", f"{name}={value}")]  # fmt: skip
    file = ["--file", str(context.directory / "Containerfile"), *arguments]
    if engine.name == "docker":
        return [*file, "--build-arg", f"SOURCE_DATE_EPOCH={context.epoch}"]
    # docker's format would keep the health check, but also a random name of every step, and no two ids were the same
    isolated = ["--isolation", isolation] if isolation else []
    return [*file, "--format", "oci", "--timestamp", str(context.epoch), "--layers", *isolated]


def _write_authfile(file: Path, registry: str, username: str, password: str) -> None:
    names = [registry, "https://index.docker.io/v1/"] if registry == "docker.io" else [registry]
    word = base64.b64encode(f"{username}:{password}".encode()).decode()
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "w") as stream:
        json.dump({"auths": {name: {"auth": word} for name in names}}, stream)


def _followed(command: Sequence[str], engine: Engine, tell: Tell, what: str) -> None:
    """Run a command that takes long, and tell its lines as they come."""
    from strata_git.runs.interrupt import signals_as_interruption
    from strata_git.runs.plugins.command_process import run_command

    def said(_channel: str, lines: Sequence[str]) -> None:
        for line in lines:
            tell(printable(line))

    with signals_as_interruption():
        ended = run_command(command, cwd=Path("/"), env=engine.environ, tell=said, timeout=_SECONDS)
    if ended.timed_out:
        raise StrataError(f"{engine.name} {what} took longer than {_SECONDS:g} seconds.")
    if ended.code != 0:
        words = [word for word in ended.last_words if word]
        raise StrataError(
            f"{engine.name} {what} failed: {printable(words[-1] if words else f'exit code {ended.code}')}"
        )


def _answers(engine: Engine) -> bool:
    """docker is a client alone: what counts is whether its daemon answers."""
    if engine.name != "docker":
        return True
    try:
        return run_within(
            [engine.program, "version", "--format", "{{.Server.Version}}"], directory=Path("/"),
            env=engine.environ, seconds=10, most=1 << 16,
        ).code == 0  # fmt: skip
    except StrataError:
        return False


def _reason(result: Result) -> str:
    lines = [line for line in result.err.decode(errors="replace").splitlines() if line.strip()]
    return printable(lines[-1] if lines else f"exit code {result.code}")
