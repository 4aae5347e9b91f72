"""Our hooks named in the repository's own configuration (git >= 2.54): the hooks directory is not touched.

git runs them before the script in the hooks directory, also where core.hooksPath points elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from strata_git.errors import StrataError, printable
from strata_git.hooks.outcome import Outcome
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.hook_files import (
    LFS,
    SOMEBODY,
    US,
    ConfiguredHook,
    HookSettings,
    active_hook,
    called_by_framework,
)
from strata_git.repo.hook_gates import command, configured, gate_path
from strata_git.repo.hook_state import CHAINING


def configure(repo: Repository, settings: HookSettings, names: Sequence[str]) -> list[Outcome]:
    """Name hooks of ours in the local configuration. Doing it twice changes nothing."""
    return [_configure(repo, settings, name) for name in names]


def unconfigure(repo: Repository, settings: HookSettings, names: Sequence[str]) -> dict[str, Outcome]:
    """Take hooks of ours out of the local configuration, with their sections: name -> what was done."""
    done = {}
    for name in names:
        hook = _local(settings, name)
        if hook is None:
            continue
        if hook.command != command(name):
            done[name] = Outcome(
                name, "differs from what we configured and is left as it is", True, _edited(hook, name)
            )
            continue
        repo.user_git("config", "--local", "--remove-section", f"hook.strata-{name}")
        gate_path(repo.common_dir, name).unlink(missing_ok=True)
        done[name] = Outcome(name, "removed from the configuration")
    with contextlib.suppress(OSError):
        gate_path(repo.common_dir, "x").parent.rmdir()
    return done


def _configure(repo: Repository, settings: HookSettings, name: str) -> Outcome:
    file = active_hook(settings, name)
    framework = file is not None and file.executable and file.whose not in (US, LFS, SOMEBODY)
    blind = name == "pre-push" and file is not None and file.whose in CHAINING  # it passes on no pushed references
    if file is not None and framework and not blind and called_by_framework(repo, file.whose, name):
        return Outcome(name, f"is called by {file.whose} already")
    hook = _local(settings, name)
    if hook is not None and hook.command and hook.command != command(name):
        return Outcome(name, "our configured hook was edited and is left as it is", True, _edited(hook, name))
    gate = gate_path(repo.common_dir, name)
    done = hook is not None and hook.events == (name,)
    if not done:
        _set(repo, name)
    if not done or not gate.exists() or gate.read_bytes() != configured(name):
        gate.parent.mkdir(parents=True, exist_ok=True)
        write_file(gate, configured(name), 0o755)
        done, told = False, "renewed" if hook is not None else "installed"
    if hook is not None and not hook.enabled:
        text = f"is in the configuration, but hook.strata-{name}.enabled switches it off"
        return Outcome(name, text, True, (f"git config --unset hook.strata-{name}.enabled",))
    return Outcome(name, "already configured" if done else f"{told} by configuration")


def _set(repo: Repository, name: str) -> None:
    for variable, value in (("event", name), ("command", command(name))):
        result = repo.try_user_git("config", "--local", "--replace-all", f"hook.strata-{name}.{variable}", value)
        if result.code != 0:
            raise StrataError(
                f"The repository's configuration could not be written: {result.reason}",
                hint=f"Look at {printable(str(repo.common_dir / 'config'))}, then run the command again.",
            )


def _local(settings: HookSettings, name: str) -> ConfiguredHook | None:
    return next((h for h in settings.configured if h.name == f"strata-{name}" and h.scope == "local"), None)


def _edited(hook: ConfiguredHook, name: str) -> tuple[str, ...]:
    return (
        f"-{command(name)}",
        f"+{printable(hook.command)}",
        f"to begin anew: git config --remove-section hook.{hook.name}",
    )
